"""The tags and untagged manifests of every repository in one index.json. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from regimport.layout.index import Entry, Index
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.server.names import owner, tagged, untagged

__all__ = ["RegistryIndex"]


@dataclass(frozen=True, slots=True)
class RegistryIndex:
    """The entries of index.json by repository; entries that name none are in `default`.

    A manifest has an entry for each tag; without a tag it has one only if no listed index names
    it. `named` returns the digests that the indexes among some entries name.
    """

    index: Index
    default: str
    named: Callable[[Iterable[Entry]], Collection[Digest]]

    def repositories(self) -> set[str]:
        """Return the repositories that have entries."""
        return {owner(entry, self.default)[0] for entry in self.index.entries}

    def tags(self, repository: str) -> dict[str, Descriptor]:
        """Return the tags of a repository, and what each of them points to."""
        found = ((owner(entry, self.default), entry) for entry in self.index.entries)
        return {tag: entry.descriptor for (name, tag), entry in found if name == repository and tag}

    def put(self, repository: str, manifest: Manifest, tags: Collection[str]) -> Index:
        """Return the index with a manifest added, under `tags` or untagged.

        The manifests that the tags pointed to stay, untagged.
        """
        children = {child.digest for child in manifest.manifests}
        displaced: list[Entry] = []

        def is_replaced(entry: Entry) -> bool:
            name, tag = owner(entry, self.default)
            if name != repository:
                return False
            if tag is None:
                return entry.digest in children or (bool(tags) and entry.digest == manifest.digest)
            if tag in tags:
                displaced.append(entry)
            return tag in tags

        index = self.index.without(is_replaced)
        for tag in tags:
            index = index.having(tagged(manifest, repository, tag))
        loose = [entry for entry in displaced if entry.digest != manifest.digest]
        return self._keeping(index, repository, loose if tags else [Entry.of(manifest, {})])

    def without_tag(self, repository: str, tag: str) -> Index:
        """Return the index without a tag; its manifest stays, untagged."""
        dropped = [
            entry for entry in self.index.entries if owner(entry, self.default) == (repository, tag)
        ]
        return self._keeping(self.index.without(dropped.__contains__), repository, dropped)

    def without_manifest(
        self, repository: str, manifest: Manifest, children: Iterable[Manifest]
    ) -> Index:
        """Return the index without a manifest and its tags; `children` are listed untagged."""
        index = self.index.without(
            lambda entry: (
                entry.digest == manifest.digest and owner(entry, self.default)[0] == repository
            )
        )
        return self._keeping(index, repository, [Entry.of(child, {}) for child in children])

    def _keeping(self, index: Index, repository: str, loose: Iterable[Entry]) -> Index:
        """Return the index with untagged entries for `loose`, unless they can be reached."""
        for entry in loose:
            mine = [known for known in index.entries if owner(known, self.default)[0] == repository]
            listed = any(known.digest == entry.digest for known in mine)
            if not listed and entry.digest not in self.named(mine):
                index = index.having(untagged(entry, repository))
        return index
