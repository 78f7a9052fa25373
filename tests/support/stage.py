"""Two registries in memory, a source and a target, and what each was asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from support.images import Image
from support.miniature import Miniature, complaint
from support.scripted import Heard, Say, Scripted

_KINDS = (("/manifests/", "manifest"), ("/blobs/uploads/", "upload"), ("/blobs/", "blob"))


class Strict(Miniature):
    """A registry that takes a manifest only if everything that it names is there."""

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        if heard.method == "PUT":
            there = self.manifests.get(repository, {}).keys() | self.blobs.get(repository, {})
            named = set(re.findall(rb'"digest":\s*"([^"]+)"', heard.body))
            if any(digest.decode() not in there for digest in named):
                return complaint(400, "MANIFEST_BLOB_UNKNOWN")
        return super().manifest(heard, repository, reference)


class End:
    """One of the registries."""

    def __init__(self, server: Scripted, registry: Miniature) -> None:
        self.server = server
        self.registry = registry
        self.name = f"{server.address}/app"

    def asked(self) -> Counter[str]:
        """Count what was asked, by method and kind, and forget it."""
        heard, self.server.heard[:] = list(self.server.heard), []
        return Counter(
            f"{one.method} {next((kind for part, kind in _KINDS if part in one.path), 'other')}"
            for one in heard
        )


class Stage:
    """The source and the target, both strict."""

    def __init__(self, source: End, target: End) -> None:
        self.source = source
        self.target = target

    def hold(self, image: Image, tag: str = "1") -> str:
        """Put an image into the source; return its reference."""
        self.source.registry.hold("app", image, tag)
        return f"{self.source.name}:{tag}"

    def forget(self) -> None:
        """Forget what was asked."""
        self.source.asked()
        self.target.asked()


@contextmanager
def on_stage() -> Iterator[Stage]:
    registries = Strict(), Strict()
    with Scripted(registries[0]) as source, Scripted(registries[1]) as target:
        yield Stage(End(source, registries[0]), End(target, registries[1]))
