"""Which repositories have a blob, as far as a run has seen: what is there need not be sent."""

from __future__ import annotations

import threading

from regimport.models.digest import Digest

__all__ = ["KnownBlobs"]


class KnownBlobs:
    """The blobs that target repositories have, because the run found or sent them there.

    Repositories are named as `Target.name` names them. Shared by threads, and by all copies of a
    run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._repositories: dict[Digest, dict[str, None]] = {}
        self._mounting: set[str] = set()
        self._refusing: set[str] = set()

    def add(self, name: str, digest: Digest) -> None:
        """Note that a repository has a blob."""
        with self._lock:
            self._repositories.setdefault(digest, {})[name] = None

    def has(self, name: str, digest: Digest) -> bool:
        """Return whether a repository is known to have a blob."""
        with self._lock:
            return name in self._repositories.get(digest, ())

    def mountable(self, name: str, digest: Digest) -> str | None:
        """Return a repository of the same registry that has a blob; None if there is no use in it.

        That is the repository alone, without its registry.
        """
        registry = registry_of(name)
        with self._lock:
            if registry is None or registry in self._refusing:
                return None
            for known in self._repositories.get(digest, ()):
                if known != name and registry_of(known) == registry:
                    return known.removeprefix(f"{registry}/")
        return None

    def mounts(self, name: str) -> bool:
        """Return whether a mount into a repository may succeed, after those that were tried."""
        registry = registry_of(name)
        with self._lock:
            return registry is not None and registry not in self._refusing

    def untried(self, name: str) -> bool:
        """Return whether nobody knows yet if the registry of a repository mounts blobs."""
        registry = registry_of(name)
        with self._lock:
            return registry is not None and registry not in self._mounting | self._refusing

    def tried(self, name: str, *, mounted: bool) -> None:
        """Note what came of a mount; a registry that has refused one is not asked again."""
        registry = registry_of(name)
        if registry is not None:
            with self._lock:
                (self._mounting if mounted else self._refusing).add(registry)


def registry_of(name: str) -> str | None:
    """Return the registry of a repository; None for what is on disk."""
    on_disk = name.startswith(("oci:", "oci-archive:", "docker-archive:"))
    return None if on_disk else name.partition("/")[0]
