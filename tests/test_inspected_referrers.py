"""`inspect` with what belongs to an image: the same tree from each kind of end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, InvalidManifest, ReferrerNode
from regimport.cli.documents.inspection import InspectionDocument
from regimport.server.run import serving
from support.client import Client
from support.inprocess import Here
from support.publishers import (
    CYCLONEDX,
    NOTATION,
    PUBLISHERS,
    Extra,
    Published,
    cosign_tags,
    oras,
)
from support.registries import DockerRegistry

_ALL = CopyOptions(referrers=("all",))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("served") / "registry") as registry:
        yield registry.address


def _push(address: str, name: str, published: Published, *, listed: bool = False) -> str:
    published.push(Client(address), name, "v1", listed=listed)
    return f"{address}/{name}:v1"


def _shape(nodes: tuple[ReferrerNode, ...]) -> set[object]:
    return {
        (
            str(node.subject),
            str(node.descriptor.digest),
            node.artifact_type,
            node.tag,
            node.size,
            frozenset(_shape(node.referrers)),
        )
        for node in nodes
    }


def _expected(published: Published, subjects: set[str]) -> set[object]:
    """The tree as the publisher made it."""
    found: set[object] = set()
    for extra in published.extras:
        document = json.loads(extra.content.raw)
        tagged = None if extra.tag is None else extra.tag[:71].replace("-", ":", 1)
        subject = tagged or document["subject"]["digest"]
        if subject in subjects:
            below = frozenset(_expected(published, {extra.content.root}))
            kind = document.get("artifactType") or document["config"]["mediaType"]
            size = len(extra.content.raw) + sum(map(len, extra.content.blobs.values()))
            found.add((subject, extra.content.root, kind, extra.tag, size, below))
    return found


@pytest.mark.docker_registry
@pytest.mark.parametrize("publisher", ["cosign with tags", "cosign with referrers", "ORAS", "jib"])
@pytest.mark.parametrize("kind", ["serve", "docker-registry", "layout"])
def test_the_tree_has_all_that_its_publisher_attached(
    served: str,
    source: DockerRegistry,
    repository: str,
    tmp_path: Path,
    kind: str,
    publisher: str,
) -> None:
    published = PUBLISHERS[publisher]()
    without = kind == "docker-registry"
    address = source.address if without else served
    place = _push(address, repository, published, listed=without)
    if kind == "layout":
        layout = f"oci:{tmp_path / 'layout'}:v1"
        regimport.copy(place, layout, options=_ALL)
        place = layout
    plain = regimport.inspect(place)
    found = regimport.inspect(place, referrers=True)
    assert found.referrers is not None
    assert found.referrers.complete
    assert _shape(found.referrers.found) == _expected(published, set(published.image.manifests))
    assert (found.manifests, found.unique_bytes) == (plain.manifests, plain.unique_bytes)


@pytest.mark.docker_registry
def test_without_the_option_nothing_is_asked_about_it(
    source: DockerRegistry, repository: str
) -> None:
    published = cosign_tags()
    published.push(Client(source.address), repository, "v1", listed=True)
    source.clear()
    assert regimport.inspect(f"{source.address}/{repository}:v1").referrers is None
    paths = [asked.path for asked in source.requests()]
    assert paths
    assert not any("sha256-" in path or "/referrers/" in path or "tags" in path for path in paths)


def test_a_digest_tag_that_leads_back_to_the_image_ends_the_tree(
    served: str, repository: str
) -> None:
    """Where the image itself is under its own digest tag."""
    published = oras()
    own = f"{published.image.root.replace(':', '-')}.sig"
    published.extras.append(Extra(published.image, own))
    published.push(Client(served), repository, "v1")
    tree = regimport.inspect(f"{served}/{repository}:v1", referrers=True).referrers
    assert tree is not None
    assert {node.tag for node in tree.found} == {None, own}
    (back,) = [node for node in tree.found if node.tag == own]
    assert back.referrers == ()


def test_more_referrers_than_a_copy_takes_are_refused(
    served: str, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regimport.engine.referrers.MAX_REFERRERS", 1)
    oras().push(Client(served), repository, "v1")
    with pytest.raises(InvalidManifest, match="more than 1 "):
        regimport.inspect(f"{served}/{repository}:v1", referrers=True)


def test_the_command_prints_the_tree_and_the_document_has_it(
    served: str, repository: str, tmp_path: Path
) -> None:
    published = oras()
    place = _push(served, repository, published)
    ended = Here(tmp_path)("inspect", "--referrers", place)
    assert ended.code == 0, ended
    lines = ended.out.splitlines()
    start = lines.index("referrers:")
    sbom, signature = (extra.content.root for extra in published.extras)
    assert lines[start + 1] == f"  of {published.image.root}"
    assert lines[start + 2].startswith(f"    {sbom}  ")
    assert lines[start + 2].endswith(f"  {CYCLONEDX}")
    assert lines[start + 3].startswith(f"      {signature}  ")
    assert lines[start + 3].endswith(f"  {NOTATION}")
    ended = Here(tmp_path)("inspect", "--referrers", "-o", "json", place)
    document = InspectionDocument.model_validate_json(ended.out)
    assert document.referrers is not None
    (found,) = document.referrers.found
    assert (found.digest, found.referrers[0].digest) == (sbom, signature)
    plain = json.loads(Here(tmp_path)("inspect", "-o", "json", place).out)
    assert plain["referrers"] is None


def test_an_image_without_any_says_none(served: str, repository: str, tmp_path: Path) -> None:
    Published(oras().image).push(Client(served), repository, "v1")
    ended = Here(tmp_path)("inspect", "--referrers", f"{served}/{repository}:v1")
    assert "referrers: none" in ended.out.splitlines()
