"""Copies with what belongs to an image, among all kinds of ends, and what is told without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, RetryPolicy
from regimport.engine.report import Report
from regimport.events import Event, Warned
from regimport.layout.reader import LayoutReader
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.server.run import serving
from support.client import Client
from support.images import OCI_INDEX, Image
from support.publishers import PUBLISHERS, Published, cosign_tags, fallback, oras
from support.registries import DockerRegistry

_ALL = CopyOptions(referrers=("all",), retry=RetryPolicy(first_delay=0, longest_delay=0))
# It refuses layers with URLs unless it is configured for them.
_NOT_FOR_DOCKER = {"Windows"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded registry, which has the API for referrers."""
    with serving(tmp_path_factory.mktemp("served") / "registry") as registry:
        yield registry.address


class Told:
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def tell(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warnings.append(event.message)


class Ends:
    """Places for images: each kind of end, by its name."""

    def __init__(self, docker: DockerRegistry, served: str, folder: Path) -> None:
        self._addresses = {"docker-registry": docker.address, "serve": served}
        self._folder = folder

    def reference(self, kind: str, repository: str, tag: str = "v1") -> str:
        if kind == "layout":
            return f"oci:{self._folder / repository.replace('/', '-')}:{tag}"
        return f"{self._addresses[kind]}/{repository}:{tag}"

    def publish(self, kind: str, repository: str, published: Published) -> str:
        """Bring an image and what belongs to it into a new repository of an end."""
        if kind == "layout":
            via = self.publish("serve", f"{repository}-via", published)
            regimport.copy(via, self.reference(kind, repository), options=_ALL)
        else:
            client = Client(self._addresses[kind])
            published.push(client, repository, "v1", listed=kind == "docker-registry")
        return self.reference(kind, repository)

    def check(self, kind: str, repository: str, published: Published) -> None:
        """Check that all of it is there byte for byte, and can be found."""
        for image in published.everything():
            self._check_content(kind, repository, image)
        for tag, digest in published.tags().items():
            assert regimport.digest(self.reference(kind, repository, tag)) == digest
        for subject, found in published.by_subject().items():
            wanted = {image.root for image in found}
            assert wanted == self.listed(kind, repository, subject)

    def listed(self, kind: str, repository: str, subject: str) -> set[str]:
        """What an end lists as referrers, as it does."""
        if kind == "layout":
            folder = self._folder / repository.replace("/", "-")
            found = LayoutReader(folder).referrers(Digest(subject))
            return {str(entry.digest) for entry in found}
        client = Client(self._addresses[kind])
        path = f"referrers/{subject}" if kind == "serve" else f"manifests/{fallback(subject)}"
        status, _, body = client.ask("GET", f"/v2/{repository}/{path}", Accept=OCI_INDEX)
        assert status == 200, body
        return {entry["digest"] for entry in json.loads(body)["manifests"]}

    def _check_content(self, kind: str, repository: str, image: Image) -> None:
        if kind == "layout":
            reader = LayoutReader(self._folder / repository.replace("/", "-"))
            for digest, (_, raw) in image.manifests.items():
                assert reader.get_manifest(digest).raw == raw
            for digest, content in image.blobs.items():
                blob = Descriptor("", Digest(digest), len(content))
                with reader.read_blob(blob) as pieces:
                    assert b"".join(map(bytes, pieces)) == content
            return
        client = Client(self._addresses[kind])
        for digest, (_, raw) in image.manifests.items():
            assert client.read_manifest(repository, digest) == raw
        for digest, content in image.blobs.items():
            assert client.ask("GET", f"/v2/{repository}/blobs/{digest}")[2] == content


@pytest.fixture
def ends(source: DockerRegistry, served: str, tmp_path: Path) -> Ends:
    return Ends(source, served, tmp_path)


_KINDS = ("docker-registry", "serve", "layout")
_WAYS = [(one, other) for one in _KINDS for other in _KINDS]


@pytest.mark.docker_registry
@pytest.mark.parametrize("publisher", PUBLISHERS)
@pytest.mark.parametrize(("origin", "goal"), _WAYS)
def test_all_that_belongs_to_an_image_arrives_and_is_found(
    ends: Ends, repository: str, publisher: str, origin: str, goal: str
) -> None:
    if publisher in _NOT_FOR_DOCKER and "docker-registry" in {origin, goal}:
        pytest.skip("docker-registry takes no layers with URLs")
    published = PUBLISHERS[publisher]()
    place = ends.publish(origin, f"{repository}-a", published)
    report = regimport.copy(place, ends.reference(goal, f"{repository}-b"), options=_ALL)
    ends.check(goal, f"{repository}-b", published)
    assert report.referrers is not None
    assert report.referrers.complete
    assert len(report.referrers.found) == len(published.extras)
