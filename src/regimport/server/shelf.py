"""index.json as the registry keeps it: every repository's tags and untagged manifests. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from regimport.layout.index import Entry, Index
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.server.names import owner, tagged, untagged

__all__ = ["Shelf"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The entries of index.json, each in its repository; `default` has those that say none.

    A repository lists a manifest once for each tag; without a tag it lists it only if no index that
    it lists names it. `named` tells what is named below some entries.
    """

    index: Index
    default: str
    named: Callable[[Iterable[Entry]], Collection[Digest]]

    def repositories(self) -> set[str]:
        """Give the repositories that list anything."""
        return {owner(entry, self.default)[0] for entry in self.index.entries}

    def tags(self, repository: str) -> dict[str, Descriptor]:
        """Give the tags of a repository, and what each one points to."""
        found = ((owner(entry, self.default), entry) for entry in self.index.entries)
        return {tag: entry.descriptor for (name, tag), entry in found if name == repository and tag}

    def put(self, repository: str, manifest: Manifest, tags: Collection[str]) -> Index:
        """List a manifest, under tags or untagged; what the tags pointed to stays, untagged."""
        children = {child.digest for child in manifest.manifests}
        displaced: list[Entry] = []

        def goes(entry: Entry) -> bool:
            name, tag = owner(entry, self.default)
            if name != repository:
                return False
            if tag is None:
                return entry.digest in children or (bool(tags) and entry.digest == manifest.digest)
            if tag in tags:
                displaced.append(entry)
            return tag in tags

        index = self.index.without(goes)
        for tag in tags:
            index = index.having(tagged(manifest, repository, tag))
        loose = [entry for entry in displaced if entry.digest != manifest.digest]
        return self._keeping(index, repository, loose if tags else [Entry.of(manifest, {})])

    def drop_tag(self, repository: str, tag: str) -> Index:
        """Take a tag away; its manifest stays, untagged."""
        dropped = [
            entry for entry in self.index.entries if owner(entry, self.default) == (repository, tag)
        ]
        return self._keeping(self.index.without(dropped.__contains__), repository, dropped)

    def drop_manifest(
        self, repository: str, manifest: Manifest, children: Iterable[Manifest]
    ) -> Index:
        """Take a manifest away with all its tags; those of its `children` given stay, untagged."""
        index = self.index.without(
            lambda entry: (
                entry.digest == manifest.digest and owner(entry, self.default)[0] == repository
            )
        )
        return self._keeping(index, repository, [Entry.of(child, {}) for child in children])

    def _keeping(self, index: Index, repository: str, loose: Iterable[Entry]) -> Index:
        """List entries untagged, except those of manifests that can be found without."""
        for entry in loose:
            mine = [known for known in index.entries if owner(known, self.default)[0] == repository]
            listed = any(known.digest == entry.digest for known in mine)
            if not listed and entry.digest not in self.named(mine):
                index = index.having(untagged(entry, repository))
        return index
