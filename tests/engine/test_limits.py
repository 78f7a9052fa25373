"""The limits, to the byte and to the manifest."""

from __future__ import annotations

import pytest

from engine.memory import stored
from regimport.engine.limits import check_limits, violations
from regimport.engine.walk import Graph, walk
from regimport.engine.workers import Workers
from regimport.errors import LimitExceeded
from regimport.events import Silent
from regimport.options import Limits
from support.images import OCI_CONFIG, Image, many_platforms


def graph_of(image: Image) -> Graph:
    source = stored(image)
    with Workers(2) as workers:
        graph, _ = walk(source, source.manifests[image.root].descriptor, workers, Silent())
        return graph


def with_layer_of(size: int) -> Image:
    image = Image()
    layer = image.blob(b"said to be large") | {"size": size}
    image.manifest(image.blob(b"{}", OCI_CONFIG), [layer])
    return image


@pytest.mark.parametrize(
    ("size", "limit", "says"),
    [
        (3 * 1024**3, 2 * 1024**3, "is 3.0 GiB; the limit is 2 GiB (`max_layer_size`)"),
        (2147483649, 2147483648, "is 2147483649 bytes; the limit is 2147483648 bytes"),
        (1536, 1100, "is 1.5 KiB; the limit is 1.1 KiB"),
        (700 * 1024**2, 500 * 1024**2, "is 700.0 MiB; the limit is 500 MiB"),
        (7, 0, "is 7 bytes; the limit is 0 bytes"),
    ],
)
def test_a_large_layer_and_the_limit_are_in_the_same_unit(size: int, limit: int, says: str) -> None:
    (line,) = violations(graph_of(with_layer_of(size)), Limits(max_layer_size=limit))
    assert says in line
    assert line.startswith("layer sha256:")


@pytest.mark.parametrize(("platforms", "passes"), [(1, True), (50, True), (51, False)])
def test_fifty_manifests_pass_and_fifty_one_do_not(platforms: int, passes: bool) -> None:
    found = list(violations(graph_of(many_platforms(platforms=platforms, size=1)), Limits()))
    assert (not found) is passes
    assert len(found) == (0 if passes else 1 + platforms)


def test_a_nested_index_and_what_it_names_count_each_digest_once() -> None:
    image = Image()
    config = image.blob(b"{}", OCI_CONFIG)
    leaves = [image.manifest(config, [], annotations={"n": str(n)}) for n in range(3)]
    inner = image.index(leaves)
    image.index([inner, leaves[0]])
    graph = graph_of(image)
    assert len(graph.named) == 4
    assert not list(violations(graph, Limits(max_manifests=4)))
    assert list(violations(graph, Limits(max_manifests=3)))


def test_a_single_manifest_counts_as_one() -> None:
    graph = graph_of(with_layer_of(1))
    assert not list(violations(graph, Limits(max_manifests=1)))
    assert list(violations(graph, Limits(max_manifests=0)))


def test_a_layer_of_exactly_2_gib_passes_and_a_byte_more_does_not() -> None:
    check_limits(graph_of(with_layer_of(2147483648)), Limits())
    with pytest.raises(LimitExceeded) as caught:
        check_limits(graph_of(with_layer_of(2147483649)), Limits())
    assert "2147483649 bytes" in caught.value.message


def test_a_lifted_limit_is_not_checked() -> None:
    graph = graph_of(many_platforms(platforms=60, size=1))
    check_limits(graph, Limits(max_manifests=None))
    check_limits(graph_of(with_layer_of(2**40)), Limits(max_layer_size=None))


def test_every_large_layer_of_every_platform_is_named() -> None:
    graph = graph_of(many_platforms(platforms=3, size=2000))
    lines = list(violations(graph, Limits(max_layer_size=1999)))
    layers = [line for line in lines if "layer sha256" in line]
    assert len(layers) == 6
    assert all(any(f"linux/arch{n}" in line for line in layers) for n in range(3))
