"""The public functions that delete from a repository, and say what that would affect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from regimport.engine import deletion as engine
from regimport.engine.deletion import Deletion, ManifestUse
from regimport.engine.ends import Deletable
from regimport.engine.workers import Workers
from regimport.errors import InvalidReference
from regimport.events import Reporter, Silent
from regimport.models.credential import Credential
from regimport.models.reference import Reference, parse_end
from regimport.opening import running
from regimport.options import CopyOptions

if TYPE_CHECKING:
    import httpx

__all__ = ["delete", "find_use"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()
_T = TypeVar("_T")


def find_use(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> ManifestUse:
    """Return which tags point to the manifest of a tag or digest, and which images contain it.

    That takes a HEAD for each tag of the repository, and for a digest a GET for each index. Raise
    `InvalidReference` for a reference without a tag or digest, and of a folder; `NotFound`, and
    what `copy` raises for its target. `transport` and `stop` are those of `copy`.
    """
    place = _parse(reference)

    def find(end: Deletable, workers: Workers) -> ManifestUse:
        return engine.find_use(end, place.tag, place.digest, workers)

    return _run(find, place, options, credential, reporter, transport, stop)


def delete(
    reference: str,
    *,
    with_tags: bool = False,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Deletion:
    """Delete a tag, or a manifest by digest, and return what was deleted.

    Where a registry deletes manifests by digest alone, a tag is deleted that way if nothing else
    points to its manifest. `with_tags` deletes the manifest and all tags that point to it. Room is
    freed by the registry's own garbage collection.

    Raise `TagExists` if other tags would go along or another image would lose a part; nothing was
    deleted then. Raise what `find_use` raises, and `RegistryError` if the registry deletes nothing,
    or something else. `transport` and `stop` are those of `copy`.
    """
    place = _parse(reference)

    def find_and_delete(end: Deletable, workers: Workers) -> Deletion:
        use = engine.find_use(end, place.tag, place.digest, workers)
        return engine.delete(end, use, workers, with_tags=with_tags)

    return _run(find_and_delete, place, options, credential, reporter, transport, stop)


def _parse(reference: str) -> Reference:
    place = parse_end(reference)
    if not isinstance(place, Reference):
        raise InvalidReference(
            f"{reference!r} is on disk; tags are deleted at registries",
        )
    if place.tag is None and place.digest is None:
        raise InvalidReference(
            f"{reference!r} names a repository; name the tag or the digest to delete",
            hint=f"`regimport tags {place.name}` lists the tags",
        )
    return place


def _run(
    work: Callable[[Deletable, Workers], _T],
    place: Reference,
    options: CopyOptions,
    credential: Credential | None,
    reporter: Reporter,
    transport: httpx.BaseTransport | None,
    stop: threading.Event | None,
) -> _T:
    with running(
        options, reporter, [place], target=credential, transport=transport, stop=stop
    ) as run:
        return work(run.deletable(place), run.workers)
