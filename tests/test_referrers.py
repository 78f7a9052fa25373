"""Copies with what belongs to an image, among all kinds of ends, and what is told without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, RetryPolicy
from regimport.events import Event, Warned
from regimport.layout.reader import LayoutReader
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.server.run import serving
from support.client import Client
from support.images import OCI_INDEX, Image
from support.publishers import PUBLISHERS, Published, cosign_tags, fallback, oras, windows
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
        if kind == "archive":
            return f"oci-archive:{self._folder / repository.replace('/', '-')}.tar:{tag}"
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

    def client(self, kind: str) -> Client:
        return Client(self._addresses[kind])

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


# Each kind of end is a source and a target; those without the API for referrers first.
_WAYS = [("docker-registry", "serve"), ("serve", "docker-registry"), ("layout", "layout")]


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


@pytest.mark.parametrize("publisher", ["cosign with tags", "ORAS"])
def test_an_archive_takes_it_and_gives_it_back(ends: Ends, repository: str, publisher: str) -> None:
    published = PUBLISHERS[publisher]()
    place = ends.publish("serve", f"{repository}-a", published)
    archive = ends.reference("archive", repository)
    regimport.copy(place, archive, options=_ALL)
    regimport.copy(archive, ends.reference("serve", f"{repository}-b"), options=_ALL)
    ends.check("serve", f"{repository}-b", published)
    assert str(regimport.copy(place, archive, options=_ALL).targets[0].status) == "present"


@pytest.mark.docker_registry
def test_a_list_without_the_api_keeps_what_others_put_there(ends: Ends, repository: str) -> None:
    """Referrers that the target has already, and a list that names something else, too."""
    published, other = oras(), cosign_tags().extras[0].content
    place = ends.publish("serve", f"{repository}-a", published)
    goal = ends.reference("docker-registry", f"{repository}-b")
    regimport.copy(place, goal, options=_ALL)
    client, subject = ends.client("docker-registry"), published.image.root
    client.push(f"{repository}-b", other)
    entry = {"mediaType": other.media_type, "digest": other.root, "size": len(other.raw)}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry], "x": 1}
    tag, raw = fallback(subject), json.dumps(index).encode()
    client.put_manifest(f"{repository}-b", tag, OCI_INDEX, raw)
    regimport.copy(place, goal, options=_ALL)
    kept = json.loads(client.read_manifest(f"{repository}-b", tag))
    assert kept["x"] == 1
    assert kept["manifests"][0] == entry
    (added,) = kept["manifests"][1:]
    assert added["artifactType"] == "application/vnd.cyclonedx+json"
    assert added["annotations"]["text"] == "sbom"


@pytest.mark.docker_registry
def test_what_has_come_to_belong_to_an_image_follows_without_touching_its_tag(
    ends: Ends, source: DockerRegistry, repository: str
) -> None:
    published = oras()
    place = ends.publish("serve", f"{repository}-a", Published(published.image))
    goal = ends.reference("docker-registry", f"{repository}-b")
    regimport.copy(place, goal, options=_ALL)
    published.push(ends.client("serve"), f"{repository}-a", "v1")
    source.clear()
    report = regimport.copy(place, goal, options=_ALL)
    ends.check("docker-registry", f"{repository}-b", published)
    assert str(report.targets[0].status) == "present"
    assert report.targets[0].tally.manifests_copied == 2
    puts = [asked.path for asked in source.requests() if asked.method == "PUT"]
    assert not any(path.endswith("/v1") for path in puts)


@pytest.mark.docker_registry
def test_the_types_that_are_named_come_along_and_no_others(ends: Ends, repository: str) -> None:
    published = cosign_tags()
    place = ends.publish("docker-registry", f"{repository}-a", published)
    only = CopyOptions(referrers=("text/spdx+json",))
    report = regimport.copy(place, ends.reference("serve", f"{repository}-b"), options=only)
    assert report.referrers is not None
    assert [found.tag for found in report.referrers.found] == [
        f"{fallback(published.image.root)}.sbom"
    ]
    tags = regimport.tags(ends.reference("serve", f"{repository}-b").rpartition(":")[0])
    assert set(tags) == {"v1", f"{fallback(published.image.root)}.sbom"}


def test_a_dry_run_plans_what_belongs_to_the_image_and_writes_nothing(
    served: str, tmp_path: Path, repository: str
) -> None:
    published = oras()
    published.push(Client(served), repository, "v1")
    options = CopyOptions(referrers=("all",), dry_run=True)
    goal = f"oci:{tmp_path / 'layout'}"
    report = regimport.copy(f"{served}/{repository}:v1", goal, options=options)
    assert report.targets[0].plan is not None
    planned = [str(step.descriptor.digest) for step in report.targets[0].plan.manifests]
    assert set(planned) == {image.root for image in published.everything()}
    assert not (tmp_path / "layout").exists()


@pytest.mark.parametrize("given", ["spdx", "all,text/x", "", "a/b/c", "none,all"])
def test_what_cannot_be_an_artifact_type_is_refused(given: str) -> None:
    with pytest.raises(regimport.InvalidOptions, match="referrers"):
        CopyOptions(referrers=tuple(given.split(",")))


@pytest.mark.parametrize("publisher", ["cosign with tags", "cosign with referrers", "ORAS"])
@pytest.mark.docker_registry
@pytest.mark.parametrize("origin", ["docker-registry", "serve", "layout"])
def test_without_it_one_line_says_what_is_left_behind(
    ends: Ends, repository: str, publisher: str, origin: str
) -> None:
    published = PUBLISHERS[publisher]()
    place = ends.publish(origin, f"{repository}-a", published)
    told = Told()
    regimport.copy(place, ends.reference("serve", f"{repository}-b"), reporter=told)
    (line,) = told.warnings
    assert published.image.root in line
    assert "`referrers=all`" in line
    # What is there already is asked no more about.
    told = Told()
    regimport.copy(place, ends.reference("serve", f"{repository}-b"), reporter=told)
    assert told.warnings == []


def test_layers_of_windows_come_along_where_the_source_serves_them(
    served: str, repository: str
) -> None:
    """Also within one registry, where they could be mounted."""
    client = Client(served)
    for number, is_served in enumerate((True, False)):
        name, published = f"{repository}-{number}", windows(served=is_served)
        published.push(client, name, "v1")
        report = regimport.copy(f"{served}/{name}:v1", f"{served}/{name}-copy")
        assert report.tally.blobs_skipped == (not is_served)
        (base,) = {str(blob) for blob in windows(served=True).image.blobs} - {
            str(blob) for blob in windows().image.blobs
        }
        assert client.has_blob(f"{name}-copy", base) == is_served
