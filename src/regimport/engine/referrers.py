"""Finds what belongs to an image at the source: referrers, and what digest tags point to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from regimport.engine.ends import Source
from regimport.engine.sizes import completed, sizes_of_blobs
from regimport.engine.target import TargetCopy
from regimport.engine.walk import MAX_DEPTH, Graph
from regimport.engine.workers import Workers
from regimport.errors import (
    Interrupted,
    InvalidManifest,
    NotFound,
    RegimportError,
    Side,
)
from regimport.events import ReadingManifests, ReferrersFound, Reporter, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.referrers import (
    Referrer,
    Referrers,
    artifact_type_of,
    digest_tags,
    fallback_tag,
    has_subject,
    is_referrers_index,
)
from regimport.options import ALL_REFERRERS
from regimport.values import dataclass

__all__ = ["MAX_REFERRERS", "MAX_REFERRER_DEPTH", "MAX_TAG_PAGES", "with_referrers"]

# More than any image has, few enough that a hostile registry comes to an end.
MAX_REFERRERS = 1000
# A signature of an attestation of an SBOM is three deep.
MAX_REFERRER_DEPTH = 8
# How much of a list of tags is read to find the digest tags in it.
MAX_TAG_PAGES = 500
# The names that a manifest may have.
_ALGORITHMS = ("sha256", "sha512")


def with_referrers(
    source: Source,
    graph: Graph,
    targets: Sequence[TargetCopy],
    workers: Workers,
    reporter: Reporter,
    types: Sequence[str],
    *,
    largest: int | None = None,
) -> tuple[Graph, list[TargetCopy]]:
    """Return an image's graph with what belongs to it, and the targets with what they hold of that.

    `types` are the artifact types that are wanted, or `ALL_REFERRERS`. Each manifest of the image,
    and of what is found, is asked about once, several at a time. Raise `InvalidManifest` for more
    or deeper referrers than `MAX_REFERRERS` and `MAX_REFERRER_DEPTH`, and the errors of a source
    that does not tell.
    """
    finder = _Finder(source, workers, reporter, types, graph.content())
    finder.find([graph.root.digest, *(child.digest for child in graph.named)])
    read = finder.manifests
    sizes = sizes_of_blobs(source, read, workers, largest)
    own = {manifest.digest for manifest in graph.manifests}
    new = [completed(manifest, read, sizes) for manifest in read.values()]
    new = [manifest for manifest in new if manifest.digest not in own]
    reporter.tell(ReferrersFound(len(finder.found)))
    known = own | {graph.root.digest} | {child.digest for child in graph.named}
    attached = tuple(m.descriptor for m in new if m.digest not in known)
    whole = replace(
        graph,
        manifests=(*graph.manifests, *new),
        referrers=Referrers(tuple(finder.found), finder.complete),
        attached=attached,
    )
    return whole, _with_existing(targets, attached, workers)


def _with_existing(
    targets: Sequence[TargetCopy], attached: Sequence[Descriptor], workers: Workers
) -> list[TargetCopy]:
    """Return the targets with those of the attached manifests that they hold already."""
    pairs = [(target, found.digest) for target in targets for found in attached]

    def holds(pair: tuple[TargetCopy, Digest]) -> bool:
        held = pair[0].end.head_manifest(pair[1])
        return held is not None and held.digest == pair[1]

    answers = zip(pairs, workers.map(holds, pairs), strict=True)
    present = [(target.name, digest) for (target, digest), held in answers if held]
    return [
        replace(
            target,
            existing=target.existing | {digest for name, digest in present if name == target.name},
        )
        for target in targets
    ]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What the source names as belonging to `subject`: a manifest, or what a tag points to."""

    subject: Digest
    listed: Descriptor | None
    tag: str | None = None


class _Finder:
    """Asks the source level by level: the image, what refers to it, what refers to that."""

    def __init__(
        self,
        source: Source,
        workers: Workers,
        reporter: Reporter,
        types: Sequence[str],
        image: Mapping[Digest, Manifest],
    ) -> None:
        self._source = source
        self._workers = workers
        self._reporter = reporter
        self._image = image
        self._types = None if ALL_REFERRERS in types else frozenset(types)
        # None until the root was asked about; whether the source has the API then.
        self._has_api = True
        # The tags of the source; None if it does not tell.
        self._tags: frozenset[str] | None = None
        self._digest_tags: dict[Digest, list[str]] = {}
        self.found: list[Referrer] = []
        self.manifests: dict[Digest, Manifest] = {}
        self.complete = True

    def find(self, image: Sequence[Digest]) -> None:
        """Find what belongs to the manifests of an image, and to what is found."""
        first, seen = True, set(image)
        level = list(seen)
        for _ in range(MAX_REFERRER_DEPTH + 1):
            candidates = self._candidates(image[0], level, first=first)
            first = False
            if len(candidates) + len(self.found) > MAX_REFERRERS:
                raise self._excessive(f"has more than {MAX_REFERRERS} referrers")
            level = [digest for digest in self._read(candidates) if digest not in seen]
            seen.update(level)
            if not level:
                return
        raise self._excessive(f"has referrers more than {MAX_REFERRER_DEPTH} deep")

    def _candidates(
        self, root: Digest, level: Sequence[Digest], *, first: bool
    ) -> list[_Candidate]:
        found: list[_Candidate] = []
        rest = list(level)
        if first:
            # Whether there is an API is asked once, at the same time as the tags.
            both: list[Callable[[], list[_Candidate]]] = [self._list_tags, partial(self._ask, root)]
            for listed in self._workers.map(lambda call: call(), both):
                found += listed
            rest.remove(root)
            if not self._has_api:
                found += self._by_fallback(root)
        for listed in self._workers.map(self._listed, rest):
            found += listed
        for subject in level:
            found += [_Candidate(subject, None, tag) for tag in self._digest_tags.get(subject, ())]
        return found

    def _list_tags(self) -> list[_Candidate]:
        """Read the source's tags, which name the digest tags and the fallback tags."""
        tags: list[str] = []
        try:
            pages = self._source.tag_pages()
            for page in islice(pages, MAX_TAG_PAGES):
                tags += page
            endless = next(pages, None) is not None
        except Interrupted:
            raise
        except NotFound:
            # The repository has no tags at all.
            endless = False
        except RegimportError as error:
            self._unknown(f"its list of tags cannot be read: {error.message}")
            return []
        if endless:
            self._unknown(f"its list of tags has more than {MAX_TAG_PAGES} pages")
            return []
        self._tags = frozenset(tags)
        self._digest_tags = digest_tags(tags)
        return []

    def _unknown(self, reason: str) -> None:
        self.complete = False
        self._reporter.tell(
            Warned(
                f"whether {self._source.name} has digest tags such as cosign's .sig is not known, "
                f"so they are left out: {reason}"
            )
        )

    def _listed(self, subject: Digest) -> list[_Candidate]:
        found = self._ask(subject) if self._has_api else []
        # A registry that has got the API since may have kept the tag.
        known = not (self._tags or frozenset()).isdisjoint(self._fallback_tags(subject))
        unknown = self._tags is None and not self._has_api
        return found + self._by_fallback(subject) if known or unknown else found

    def _ask(self, subject: Digest) -> list[_Candidate]:
        one = next(iter(self._types)) if self._types and len(self._types) == 1 else None
        listed = self._source.referrers(subject, one)
        if listed is None:
            self._has_api = False
            return []
        return [_Candidate(subject, entry) for entry in listed if self._may_be_wanted(entry)]

    def _by_fallback(self, subject: Digest) -> list[_Candidate]:
        tags = [fallback_tag(subject)]
        if self._tags is not None:
            tags = [tag for tag in self._fallback_tags(subject) if tag in self._tags]
        entries: list[Descriptor] = []
        for tag in tags:
            try:
                index = self._source.get_manifest(tag)
            except NotFound:
                continue
            if is_referrers_index(index, subject):
                entries += index.manifests
        return [_Candidate(subject, entry) for entry in entries if self._may_be_wanted(entry)]

    def _fallback_tags(self, subject: Digest) -> list[str]:
        """Return the tags that may list what refers to a manifest, by each of its names."""
        named = self._image.get(subject)
        names = [subject]
        if named is not None:
            names += [Digest.of(named.raw, algorithm) for algorithm in _ALGORITHMS]
        return list(dict.fromkeys(map(fallback_tag, names)))

    def _may_be_wanted(self, entry: Descriptor) -> bool:
        return self._types is None or not entry.artifact_type or entry.artifact_type in self._types

    def _read(self, candidates: Sequence[_Candidate]) -> list[Digest]:
        """Read the candidates and what is below them; return the manifests that come along."""
        unread = [
            c for c in candidates if c.listed is None or c.listed.digest not in self.manifests
        ]
        unread = list({c.tag or (c.listed and c.listed.digest): c for c in unread}.values())
        if unread:
            self._reporter.tell(ReadingManifests(len(unread)))
        read = dict(zip(unread, self._workers.map(self._get, unread), strict=True))
        by_digest = {m.digest: m for m in read.values() if m is not None}
        new: list[Manifest] = []
        for candidate in candidates:
            manifest = read.get(candidate)
            if candidate.listed is not None:
                digest = candidate.listed.digest
                manifest = self.manifests.get(digest) or by_digest.get(digest)
            if manifest is not None and self._accept(candidate, manifest):
                new.append(manifest)
        return [manifest.digest for manifest in self._with_children(new)]

    def _get(self, candidate: _Candidate) -> Manifest | None:
        """Return a candidate's manifest; None if it is gone, though it is still listed."""
        reference = candidate.tag or (candidate.listed.digest if candidate.listed else "")
        try:
            return self._source.get_manifest(reference)
        except NotFound:
            self._reporter.tell(
                Warned(f"{self._source.name} lists {reference} as a referrer, and does not have it")
            )
            return None

    def _accept(self, candidate: _Candidate, manifest: Manifest) -> bool:
        """Keep a manifest as a referrer, unless it is none, is known, or is of no wanted type."""
        subject, kind = candidate.subject, artifact_type_of(manifest)
        named = self._image.get(subject)
        content = None if named is None else named.raw
        if candidate.tag is None and not has_subject(manifest, subject, content):
            message = f"{manifest.digest} is listed as a referrer of {subject}, but does not say so"
            self._reporter.tell(Warned(f"{self._source.name}: {message}; it is left out"))
            return False
        kinds = {kind}
        if candidate.tag is not None:
            # What cosign makes looks like an image; its layers say what it is.
            kinds |= {layer.media_type for layer in manifest.layers}
        if self._types is not None and not kinds & self._types:
            return False
        entry = Referrer(subject, manifest.descriptor, kind, candidate.tag)
        if entry in self.found:
            return False
        self.found.append(entry)
        return True

    def _with_children(self, manifests: Sequence[Manifest]) -> Iterator[Manifest]:
        """Yield the manifests that are new, and those below them, which are read."""
        level = list(manifests)
        for _ in range(MAX_DEPTH):
            fresh = {m.digest: m for m in level if m.digest not in self.manifests}
            self.manifests.update(fresh)
            yield from fresh.values()
            children = {c.digest: c for m in fresh.values() for c in m.manifests}
            wanted = [digest for digest in children if digest not in self.manifests]
            if len(self.manifests) + len(wanted) > MAX_REFERRERS:
                raise self._excessive(f"has more than {MAX_REFERRERS} manifests in its referrers")
            if not wanted:
                return
            self._reporter.tell(ReadingManifests(len(wanted)))
            level = self._workers.map(self._source.get_manifest, wanted)
        raise self._excessive(f"nests the indexes of its referrers more than {MAX_DEPTH} deep")

    def _excessive(self, what: str) -> InvalidManifest:
        error = InvalidManifest(
            f"the image {what}",
            hint="leave `referrers` out, or have a copy take some artifact types",
        )
        error.located(Side.SOURCE, self._source.name)
        return error
