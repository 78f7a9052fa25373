"""What is found to belong to an image, and where looking for it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.memory import Memory, Told, root_of, stored
from regimport.engine import referrers
from regimport.engine.referrers import with_referrers
from regimport.engine.walk import Graph, walk
from regimport.engine.workers import Workers
from regimport.errors import AccessDenied, InvalidManifest, RegistryError
from regimport.events import ReferrersFound, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import OCI_INDEX
from regimport.models.referrers import fallback_tag, merged_index
from support.images import Image, many_platforms, single
from support.publishers import (
    BUNDLE,
    Published,
    cosign_referrers,
    cosign_tags,
    oras,
    referrer,
    tagged,
)


def _store(published: Published, *, api: bool = True) -> Memory:
    """Put an image and what belongs to it into memory, with the lists that it needs."""
    source = stored(published.image)
    for extra in published.extras:
        _add(source, extra.content, extra.tag)
    source.has_api = api
    if not api:
        for subject, found in published.by_subject().items():
            entries = [source.manifests[one.root] for one in found]
            index = merged_index(None, entries)
            assert index is not None
            source.put_manifest(index, fallback_tag(Digest(subject)))
    return source


def _add(source: Memory, content: Image, tag: str | None = None) -> None:
    source.blobs.update(content.blobs)
    for digest, (media_type, raw) in content.manifests.items():
        source.put_manifest(Manifest.parse(raw, media_type), digest)
    if tag is not None:
        source.by_tag[tag] = Digest(content.root)


def _find(source: Memory, image: Image, *types: str, told: Told | None = None) -> Graph:
    told = told or Told()
    with Workers(2) as workers:
        graph, _ = walk(source, root_of(image), workers, told)
        source.asked.clear()
        kinds = types or ("all",)
        return with_referrers(source, graph, [], workers, told, kinds)[0]


def _roots(graph: Graph) -> set[str]:
    assert graph.referrers is not None
    return {str(found.manifest.digest) for found in graph.referrers.found}


@pytest.mark.parametrize("api", [True, False])
@pytest.mark.parametrize("make", [oras, cosign_referrers, cosign_tags])
def test_referrers_of_all_manifests_and_of_referrers_are_found(make: Any, api: bool) -> None:
    published, told = make(), Told()
    graph = _find(_store(published, api=api), published.image, told=told)
    assert _roots(graph) == {extra.content.root for extra in published.extras}
    assert ReferrersFound(len(published.extras)) in told.events
    assert not any(isinstance(event, Warned) for event in told.events)


@pytest.mark.parametrize("api", [True, False])
def test_an_image_without_any_costs_a_request_a_manifest_and_the_list_of_tags(api: bool) -> None:
    image = many_platforms(platforms=5)
    source = stored(image)
    source.has_api = api
    _find(source, image)
    assert source.asked.total() == (6 if api else 1) + 1
    assert source.asked["TAGS"] == 1


@pytest.mark.parametrize("api", [True, False])
def test_artifact_types_choose(api: bool) -> None:
    published = cosign_tags()
    published.extras.append(referrer(published.image, BUNDLE))
    source = _store(published, api=api)
    assert _roots(_find(source, published.image, BUNDLE)) == {published.extras[-1].content.root}
    assert _roots(_find(source, published.image, "text/spdx+json", "a/b")) == {
        published.extras[2].content.root
    }


def test_an_unknown_list_of_tags_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback tag is asked for then, the digest tags are not."""
    published = oras()
    source, told = _store(published, api=False), Told()

    def refuse() -> Iterator[list[str]]:
        raise AccessDenied("no listing here")

    monkeypatch.setattr(source, "tag_pages", refuse)
    graph = _find(source, published.image, told=told)
    assert graph.referrers is not None
    assert not graph.referrers.complete
    assert len(graph.referrers.found) == 2
    (warning,) = [event for event in told.events if isinstance(event, Warned)]
    assert "is not known" in warning.message


def test_a_list_of_tags_that_does_not_end_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    image = single()
    source = stored(image)
    pages = ([f"t{number}"] for number in range(100))
    monkeypatch.setattr(source, "tag_pages", lambda: pages)
    monkeypatch.setattr(referrers, "MAX_TAG_PAGES", 3)
    graph = _find(source, image)
    assert graph.referrers is not None
    assert not graph.referrers.complete
    assert next(pages) == ["t4"]


def test_a_source_that_refuses_its_referrers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RegistryError("the server is on fire", status=500)

    source = stored(single())
    monkeypatch.setattr(source, "referrers", refuse)
    with pytest.raises(RegistryError, match="on fire"):
        _find(source, single())


def test_what_is_listed_and_gone_is_left_out_with_a_warning() -> None:
    published, told = cosign_referrers(), Told()
    source = _store(published, api=False)
    del source.manifests[Digest(published.extras[0].content.root)]
    graph = _find(source, published.image, told=told)
    assert _roots(graph) == {extra.content.root for extra in published.extras[1:]}
    (warning,) = [event for event in told.events if isinstance(event, Warned)]
    assert "does not have it" in warning.message


def test_what_is_listed_but_does_not_name_its_subject_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some registries list an index's platforms, which are no referrers."""
    image, told = many_platforms(), Told()
    source = stored(image)
    children = source.manifests[Digest(image.root)].manifests
    monkeypatch.setattr(source, "referrers", lambda *_: children)
    assert _roots(_find(source, image, told=told)) == set()
    assert any(isinstance(event, Warned) for event in told.events)


def test_a_fallback_tag_that_leads_to_the_image_itself_is_no_list() -> None:
    image = many_platforms()
    source, told = stored(image), Told()
    source.has_api = False
    source.by_tag[fallback_tag(Digest(image.root))] = Digest(image.root)
    assert _roots(_find(source, image, told=told)) == set()
    assert not any(isinstance(event, Warned) for event in told.events)


@pytest.mark.parametrize(
    ("name", "bound", "count"), [("MAX_REFERRERS", 3, 4), ("MAX_REFERRER_DEPTH", 2, 4)]
)
def test_looking_ends_where_it_would_be_endless(
    name: str, bound: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature of a signature of a signature, or very many of them."""
    image = single()
    source, subject = stored(image), image
    for number in range(count):
        signature = referrer(subject, BUNDLE, str(number)).content
        _add(source, signature)
        subject = signature if name == "MAX_REFERRER_DEPTH" else image
    monkeypatch.setattr(referrers, name, bound)
    with pytest.raises(InvalidManifest, match="referrers"):
        _find(source, image)


def test_a_source_that_lists_what_is_never_there_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of its answers names more than the bound: nothing of it is read."""
    image = single()
    source = stored(image)
    many = tuple(
        Descriptor(OCI_INDEX, Digest.of(str(number).encode()), 3)
        for number in range(referrers.MAX_REFERRERS + 1)
    )
    monkeypatch.setattr(source, "referrers", lambda *_: many)
    with pytest.raises(InvalidManifest, match="more than 1000 referrers"):
        _find(source, image)
    assert not any(asked.startswith("GET") for asked in source.asked)


def test_digest_tags_that_lead_in_a_circle_come_to_an_end() -> None:
    """The signature of an image is said to be the image itself, and the other way round."""
    image = many_platforms(platforms=2)
    child = next(iter(image.manifests))
    source = stored(image)
    source.by_tag[f"{fallback_tag(Digest(image.root))}.sig"] = Digest(child)
    source.by_tag[f"{fallback_tag(Digest(child))}.sig"] = Digest(image.root)
    graph = _find(source, image)
    assert graph.referrers is not None
    assert len(graph.referrers.found) == 2
    assert graph.attached == ()


def test_what_belongs_to_a_digest_tag_belongs_to_the_image() -> None:
    image = single()
    signature = tagged(image, ".sig", "text/plain")
    seal = referrer(signature.content, BUNDLE)
    source = _store(Published(image, [signature, seal]))
    assert _roots(_find(source, image)) == {signature.content.root, seal.content.root}
