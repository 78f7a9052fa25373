"""What a copy costs in requests, connections, bytes and modules, on a machine of any speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.images import IMAGES, MIB, TAG, Image, Layer, push
from benchmarks.line import Line
from benchmarks.proxy import Carried, through
from support.program import Program
from support.registries import Asked, DockerRegistry

pytestmark = pytest.mark.docker_registry

JOBS = 4
# As in the benchmark, but smaller: neither takes more requests for being larger.
BIG = Image("big", ((Layer("big", 16 * MIB),),))
APP = Image(
    "app",
    tuple(
        tuple(Layer(layer.seed, layer.size // 64) for layer in layers)
        for layers in IMAGES["app"]().platforms
    ),
)


@dataclass
class Counts:
    """What was asked at each side, by method and kind; and what went over the line."""

    source: Counter[str]
    target: Counter[str]
    line: Sequence[Carried]


class Copying:
    """Copies through a line that only counts."""

    def __init__(self, program: Program, source: DockerRegistry, target: DockerRegistry) -> None:
        self.program, self.source, self.target = program, source, target

    def __call__(self, name: str, to: str, *options: str) -> Counts:
        self.source.clear()
        self.target.clear()
        ends = [self.source.address, self.target.address]
        with through(Line(delay=0, rate=None), list(dict.fromkeys(ends))) as line:
            source, target = line.addresses[0], line.addresses[-1]
            names = (f"{source}/{name}:{TAG}", f"{target}/{to}:{TAG}")
            # A look at what is left behind has a test of its own, below.
            options = options or ("--referrers", "none")
            ended = self.program("copy", *names, "--jobs", str(JOBS), *options)
            assert ended.code == 0, ended
            carried = line.close()
        return Counts(_kinds(self.source.requests()), _kinds(self.target.requests()), carried)


def _kinds(asked: Sequence[Asked]) -> Counter[str]:
    """Count requests by method and by what they are about."""
    kinds = {
        "/referrers/": "referrers",
        "/manifests/": "manifest",
        "/blobs/uploads/": "upload",
        "/blobs/": "blob",
    }
    return Counter(
        f"{one.method} {next(kind for part, kind in kinds.items() if part in one.path)}"
        for one in asked
    )


@pytest.fixture
def copying(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> Copying:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return Copying(program, source, target)


@contextmanager
def _pushed(copying: Copying, image: Image, repository: str) -> Iterator[tuple[int, int]]:
    """Put the image in; gives the numbers of its manifests and blobs."""
    push(copying.source, image, repository)
    children = len(image.platforms)
    yield children + 1, children + len(image.layers)


@pytest.mark.parametrize(
    "image", [IMAGES["hello"](), IMAGES["many"](), APP, BIG], ids=lambda i: i.name
)
def test_a_new_image_costs_what_its_manifests_and_blobs_cost_and_no_more(
    copying: Copying, repository: str, image: Image
) -> None:
    with _pushed(copying, image, repository) as (manifests, blobs):
        counts = copying(repository, repository)
    assert counts.source == {"HEAD manifest": 1, "GET manifest": manifests, "GET blob": blobs}
    assert counts.target == {
        # Its tag, before and after, and each manifest by its digest.
        "HEAD manifest": 2 + manifests,
        "POST upload": blobs,
        "PUT upload": blobs,
        "PUT manifest": manifests,
    }
    assert all(carried.connections <= JOBS for carried in counts.line)
    down, up = (carried.received for carried in counts.line[:1]), counts.line[1].sent
    assert image.size < sum(down) < image.size * 1.01 + 2000 * (manifests + blobs)
    assert image.size < up < image.size * 1.01 + 2000 * (manifests + 2 * blobs)


def test_a_look_at_what_is_left_behind_costs_five_requests_and_no_pull(
    copying: Copying, repository: str
) -> None:
    with _pushed(copying, IMAGES["hello"](), repository) as (manifests, blobs):
        counts = copying(repository, repository, "-v")
    # The fallback tag, and three of cosign's, as this registry has no API for referrers.
    assert counts.source == {
        "GET referrers": 1,
        "HEAD manifest": 1 + 4,
        "GET manifest": manifests,
        "GET blob": blobs,
    }


def test_the_same_image_again_costs_one_head_a_side_on_one_connection_each(
    copying: Copying, repository: str
) -> None:
    with _pushed(copying, IMAGES["hello"](), repository):
        copying(repository, repository)
        counts = copying(repository, repository)
    assert counts.source == counts.target == {"HEAD manifest": 1}
    assert [carried.connections for carried in counts.line] == [1, 1]


def test_in_one_registry_a_new_tag_costs_one_mount_a_blob_and_no_bytes(
    copying: Copying, source: DockerRegistry, repository: str
) -> None:
    copying.target = source
    with _pushed(copying, IMAGES["many"](), repository) as (manifests, blobs):
        counts = copying(repository, f"{repository}/new")
    assert counts.source == {
        "HEAD manifest": 3 + manifests,
        "GET manifest": manifests,
        "POST upload": blobs,
        "PUT manifest": manifests,
    }
    assert sum(carried.sent for carried in counts.line) < 1000 * (2 * manifests + blobs) + 100_000


def test_a_tag_that_moved_costs_one_question_a_blob_and_only_the_new_bytes(
    copying: Copying, repository: str
) -> None:
    base = Layer("traffic-base", 4 * MIB)
    old = Image("old", ((base, Layer("traffic-1", 1000)), (base, Layer("traffic-2", 1000))))
    new = Image("new", ((base, Layer("traffic-3", 1000)), (base, Layer("traffic-4", 1000))))
    with _pushed(copying, old, repository):
        copying(repository, repository)
    with _pushed(copying, new, repository):
        counts = copying(repository, repository)
    assert counts.source == {"HEAD manifest": 1, "GET manifest": 3, "GET blob": 4}
    assert counts.target["HEAD blob"] == 5
    assert counts.target["POST upload"] == counts.target["PUT upload"] == 4
    assert sum(carried.sent for carried in counts.line) < 100_000


def test_a_copy_loads_nothing_that_it_does_not_use(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    """Each of these takes longer to load than a registry next door takes to answer."""
    push(source, IMAGES["hello"](), repository)
    names = (f"{source.address}/{repository}:{TAG}", f"{target.address}/{repository}")
    ended = program("copy", *names, PYTHONPROFILEIMPORTTIME="1")
    assert ended.code == 0, ended
    loaded = {line.rpartition("|")[2].strip() for line in ended.err.splitlines() if "|" in line}
    assert "regimport.engine.transfer" in loaded
    assert not loaded & {
        "asyncio",
        "encodings.idna",
        "httpcore",
        "pydantic",
        "regimport.clouds.names",
        "regimport.engine.differences",
        "regimport.engine.examine",
        "regimport.engine.verify",
        "regimport.server",
        "regimport.state.uploads",
        "rich",
        "tomllib",
    }


def test_a_copy_that_finds_nothing_to_do_loads_nothing_that_sends(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    push(source, IMAGES["hello"](), repository)
    names = (f"{source.address}/{repository}:{TAG}", f"{target.address}/{repository}")
    assert program("copy", *names).code == 0
    ended = program("copy", *names, PYTHONPROFILEIMPORTTIME="1")
    assert ended.code == 0, ended
    loaded = {line.rpartition("|")[2].strip() for line in ended.err.splitlines() if "|" in line}
    assert not loaded & {
        "regimport.engine.blob",
        "regimport.engine.plan",
        "regimport.engine.platforms",
        "regimport.engine.publish",
        "regimport.engine.transfer",
        "regimport.engine.walk",
        "regimport.transport.by_origin",
        "regimport.transport.nested",
        "regimport.transport.socks",
    }
    assert len([name for name in loaded if name.startswith("regimport")]) <= 128
    assert len(loaded) <= 420
