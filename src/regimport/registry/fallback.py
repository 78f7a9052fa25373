"""A repository with mirrors, which are asked first for content that can be checked.

Manifests and blobs are requested by digest and their bytes are checked, so any mirror may serve
them. What a tag points to is asked of the registry itself, because a mirror may be out of date.
Only if the registry cannot be reached is a mirror asked, with a warning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from regimport.errors import (
    BrokenTransfer,
    ContentMismatch,
    Interrupted,
    NotFound,
    RateLimited,
    RegimportError,
    Side,
    Unreachable,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.registry.repository import Repository

__all__ = ["MirroredRepository"]

_T = TypeVar("_T")
_Tagged = TypeVar("_Tagged", Descriptor, Manifest)


class MirroredRepository:
    """A repository for reading, like `Repository`, with mirrors; shared by threads.

    If a mirror does not have something, the next one is asked. A mirror that fails in another way
    is not used any more, and `warn` is called with the reason.
    """

    def __init__(
        self, repository: Repository, mirrors: Sequence[Repository], warn: Callable[[str], None]
    ) -> None:
        self._repository = repository
        self._mirrors = [_Mirror(mirror) for mirror in mirrors]
        self._warn = warn
        self._lock = threading.Lock()
        # What was read of mirrors to describe it, until it is asked for.
        self._read: dict[str, Manifest] = {}
        # The blobs of which mirrors have served some bytes.
        self._served: set[Digest] = set()

    def __repr__(self) -> str:
        good = sum(mirror.good for mirror in self._mirrors)
        return f"<MirroredRepository {self.name}: {good} of {len(self._mirrors)} mirrors>"

    @property
    def name(self) -> str:
        """`registry/repository`, of the registry itself."""
        return self._repository.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a tag or a digest points to; None if it does not exist."""
        if ":" not in reference:
            return self._of_tag(
                reference,
                lambda repository: repository.head_manifest(reference),
                lambda repository: repository.get_manifest(reference).descriptor,
            )
        for mirror in self._usable():
            # Its bytes are checked; what the head of an answer says could be anything.
            found = self._try(mirror, lambda repository: repository.get_manifest(reference))
            if found is not None:
                self._read[found.digest] = found
                return found.descriptor
        return self._repository.head_manifest(reference)

    def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest; one that is requested by digest is checked."""
        if ":" not in reference:
            return self._of_tag(
                reference,
                lambda repository: repository.get_manifest(reference),
                lambda repository: repository.get_manifest(reference),
            )
        if (known := self._read.pop(reference, None)) is not None:
            return known
        for mirror in self._usable():
            found = self._try(mirror, lambda repository: repository.get_manifest(reference))
            if found is not None:
                return found
        return self._repository.get_manifest(reference)

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the registry itself has a blob, completely: no bytes would prove it."""
        return self._repository.has_blob(blob)

    def blob_size(self, digest: Digest) -> int | None:
        """Return how many bytes a blob has, as the registry says."""
        return self._repository.blob_size(digest)

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; a mirror is asked only once for it, then the next one.

        If it is wanted from its first byte again, although a mirror has served it, something was
        wrong with that: then the registry itself is asked.
        """
        with ExitStack() as stack:
            yield self._open(stack, blob, start)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags, page by page, as the registry has them."""
        yield from self._repository.tag_pages()

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest, as the registry says: a mirror may lack some."""
        return self._repository.referrers(subject, artifact_type)

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what belongs to a manifest, as the registry says."""
        return self._repository.peek_referrers(subject)

    def _open(self, stack: ExitStack, blob: Descriptor, start: int) -> Iterator[bytes]:
        with self._lock:
            anew = not start and blob.digest in self._served
        for mirror in [] if anew else self._usable():
            with self._lock:
                if blob.digest in mirror.asked:
                    continue
                mirror.asked.add(blob.digest)
            pieces = self._try(
                mirror, lambda repository: stack.enter_context(repository.read_blob(blob, start))
            )
            if pieces is not None:
                return self._counted(pieces, blob, start, mirror)
        return stack.enter_context(self._repository.read_blob(blob, start))

    def _counted(
        self, pieces: Iterator[bytes], blob: Descriptor, start: int, mirror: _Mirror
    ) -> Iterator[bytes]:
        """Yield what a mirror serves of a blob, to its end; raise `ContentMismatch` for more."""
        left = blob.size - start
        for piece in pieces:
            with self._lock:
                self._served.add(blob.digest)
            if blob.has_size and len(piece) > left:
                raise ContentMismatch(
                    f"the mirror {mirror.repository.name} serves more of {blob.digest} than the "
                    f"{blob.size} bytes its descriptor says",
                    expected=f"{blob.size} bytes",
                    got="more",
                ).located(Side.SOURCE, mirror.repository.name)
            left -= len(piece)
            yield piece

    def _of_tag(
        self,
        tag: str,
        ask: Callable[[Repository], _T],
        ask_mirror: Callable[[Repository], _Tagged],
    ) -> _T | _Tagged:
        """Ask the registry, and the mirrors only if it cannot be reached."""
        try:
            return ask(self._repository)
        except BrokenTransfer:
            raise
        except (Unreachable, RateLimited) as error:
            for mirror in self._usable():
                found = self._try(mirror, ask_mirror)
                if found is not None:
                    self._warn(
                        f"{self.name} could not be reached ({error.message}); its mirror "
                        f"{mirror.repository.name} says that {tag} is {found.digest}, which may be "
                        "out of date"
                    )
                    return found
            raise

    def _usable(self) -> list[_Mirror]:
        return [mirror for mirror in self._mirrors if mirror.good]

    def _try(self, mirror: _Mirror, ask: Callable[[Repository], _T]) -> _T | None:
        """Ask a mirror; None if it does not have the content, or fails."""
        try:
            return ask(mirror.repository)
        except Interrupted:
            raise
        except NotFound:
            return None
        except RegimportError as error:
            with self._lock:
                first, mirror.good = mirror.good, False
            if first:
                self._warn(
                    f"the mirror {mirror.repository.name} is not used any more: {error.message}"
                )
            return None


class _Mirror:
    """A mirror, whether it is still used, and the blobs that it was asked for."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.good = True
        self.asked: set[Digest] = set()
