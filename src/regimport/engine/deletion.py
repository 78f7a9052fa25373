"""Deleting from a repository: what points to a manifest, and what may go without harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from regimport.engine.ends import Deletable
from regimport.engine.workers import Workers
from regimport.errors import NotFound, RegimportError, RegistryError, Side, TagExists
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.mediatype import INDEX_TYPES
from regimport.values import dataclass

__all__ = ["Deletion", "ManifestUse", "delete", "find_use"]

# How registries answer that delete manifests by digest alone (docker-registry 2.8: 400
# DIGEST_INVALID; GHCR and others: 405).
_NOT_BY_TAG = frozenset({400, 404, 405, 415, 422, 501})
_NOT_ALLOWED = frozenset({405, 501})


@dataclass(frozen=True, slots=True)
class ManifestUse:
    """What points to a manifest in its repository, `name`.

    `tag` is the tag that was named, None for a digest; `tags` are all tags that point to the
    manifest, and `indexes` the tags of the images that contain it.
    """

    name: str
    tag: str | None
    digest: Digest
    tags: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()

    @property
    def other_tags(self) -> tuple[str, ...]:
        """The tags that were not named."""
        return tuple(tag for tag in self.tags if tag != self.tag)

    @property
    def pinned(self) -> str:
        """The reference with its digest: a tag that has moved since is another image."""
        return f"{self.name}{f':{self.tag}' if self.tag else ''}@{self.digest}"

    def __str__(self) -> str:
        """Return the reference as it was named."""
        return self.pinned if self.tag is None else f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted: these tags, and the manifest itself if it went with them."""

    name: str
    digest: Digest
    tags: tuple[str, ...]
    manifest: bool


def find_use(
    end: Deletable, tag: str | None, digest: Digest | None, workers: Workers
) -> ManifestUse:
    """Return what points to a tag's manifest, or to one by digest.

    Every tag is asked about, and every index read; what is not answered is an error. Raise
    `NotFound`, also for a tag that points to another digest than `digest`.
    """
    named = tag if tag is not None else str(digest)
    found = workers.call(partial(end.find_manifest, named))
    if found is None or digest not in {None, found.digest}:
        there = "" if found is None else f", which is {found.digest} now"
        text = f"{end.name}:{tag}" if tag is not None else f"{end.name}@{digest}"
        raise NotFound(
            f"there is no {text}{f'@{digest}' if there else ''}{there}",
            hint="nothing was deleted; `regimport tags REPOSITORY` lists what there is",
            status=404,
        ).located(Side.TARGET, end.name)
    roots = _roots(end, workers)
    if tag is not None:
        roots[tag] = found
    same = tuple(name for name, root in roots.items() if root.digest == found.digest)
    use = ManifestUse(end.name, tag, found.digest, same)
    return use if tag is not None else replace(use, indexes=_indexes(end, use, roots, workers))


def _roots(end: Deletable, workers: Workers) -> dict[str, Descriptor]:
    """Return what each tag of a repository points to."""
    tags = [name for page in workers.iterate(end.tag_pages()) for name in page]
    found = zip(tags, workers.map(end.find_manifest, tags), strict=True)
    return {tag: root for tag, root in found if root is not None}


def _indexes(
    end: Deletable, use: ManifestUse, roots: Mapping[str, Descriptor], workers: Workers
) -> tuple[str, ...]:
    """Return the tags of the images that contain a manifest, at any depth of their indexes."""
    members: dict[Digest, frozenset[Digest]] = {}
    wanted = {root.digest for root in roots.values() if root.media_type in INDEX_TYPES}
    while wanted:
        read = workers.map(partial(_children, end), wanted)
        for parent, children in zip(list(wanted), read, strict=True):
            members[parent] = frozenset(child.digest for child in children)
        nested = {c.digest for children in read for c in children if c.media_type in INDEX_TYPES}
        wanted = nested - members.keys()
    return tuple(tag for tag, root in roots.items() if _holds(root.digest, use.digest, members))


def _children(end: Deletable, digest: Digest) -> tuple[Descriptor, ...]:
    try:
        return end.get_manifest(digest).manifests
    except NotFound:
        return ()  # missing, though something lists it: it holds nothing back


def _holds(root: Digest, digest: Digest, members: dict[Digest, frozenset[Digest]]) -> bool:
    seen, stack = {root}, [root]
    while stack:
        children = members.get(stack.pop(), frozenset())
        if digest in children:
            return True
        stack += children - seen
        seen |= children
    return False


def delete(end: Deletable, use: ManifestUse, workers: Workers, *, with_tags: bool) -> Deletion:
    """Delete a tag, or a manifest with its tags, and return what was deleted once it is gone.

    A registry that deletes manifests by digest alone is given the digest where nothing else needs
    the manifest. Raise `TagExists` if other tags would go along, unless `with_tags`, or an index
    would lose a part; then nothing was deleted.
    """
    by_digest = use.tag is None or (with_tags and bool(use.other_tags))
    if not by_digest and use.tag is not None:
        try:
            workers.call(partial(end.delete_manifest, use.tag))
        except RegistryError as error:
            if error.status not in _NOT_BY_TAG:
                raise
            by_digest = True
    if by_digest:
        use = replace(use, indexes=_indexes(end, use, _roots(end, workers), workers))
        check_unused(use, with_tags=with_tags)
        _delete_by_digest(end, use, workers)
    gone = use.tags if by_digest else (use.tag,) if use.tag is not None else ()
    _confirm(end, use, gone, workers)
    return Deletion(use.name, use.digest, gone, by_digest)


def check_unused(use: ManifestUse, *, with_tags: bool) -> None:
    """Raise `TagExists` if a manifest cannot be deleted without harm to what was not named."""
    if use.indexes:
        raise TagExists(
            f"{use.digest} is part of {_listed(use.indexes)}, which would be incomplete",
            hint="nothing was deleted; delete that image first",
        ).located(Side.TARGET, use.name)
    if use.other_tags and not with_tags:
        raise TagExists(
            f"{_listed(use.other_tags)} would be deleted along with {use.tag or use.digest}, "
            f"as the same manifest, {use.digest}",
            hint="nothing was deleted; `with_tags` deletes all of these tags",
        ).located(Side.TARGET, use.name)


def _delete_by_digest(end: Deletable, use: ManifestUse, workers: Workers) -> None:
    try:
        workers.call(partial(end.delete_manifest, str(use.digest)))
    except RegistryError as error:
        if error.status in _NOT_ALLOWED:
            error.because(
                "this registry does not allow deleting; its settings may allow it "
                "(docker-registry: storage.delete.enabled)"
            )
        raise


def _confirm(end: Deletable, use: ManifestUse, gone: Iterable[str], workers: Workers) -> None:
    """Raise `RegistryError` if what was deleted is still there, or anything else is gone."""
    left = workers.map(end.find_manifest, use.tags)
    now = {tag: root is not None for tag, root in zip(use.tags, left, strict=True)}
    still = [tag for tag in gone if now.get(tag)]
    lost = [tag for tag in use.tags if tag not in set(gone) and not now[tag]]
    error: RegimportError | None = None
    if lost:
        error = RegistryError(f"the registry deleted {_listed(lost)} along with {use.tag}")
    elif still:
        error = RegistryError(
            f"the registry accepted the deletion, but {_listed(still)} is still there",
            hint="some registries take a while; look again later",
        )
    if error is not None:
        raise error.located(Side.TARGET, use.name)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
