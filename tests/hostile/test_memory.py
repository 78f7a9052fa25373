"""Documents that are made to fill memory: no command takes more than 400 MiB, whatever is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.images import OCI_INDEX, OCI_MANIFEST, digest_of, single
from support.measured import Measured, measured
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

# The bound of the promise, and what the program takes for nothing at all is some 45 of it.
_MOST = 400
_MIB = 1024 * 1024
_LAYER = {"mediaType": "x/y", "digest": digest_of(b"x"), "size": 1}


def _fill(shape: str, size: int) -> str:
    """JSON of some size, whose values are of the kind that takes most memory for its bytes."""
    piece = {
        "objects": "{},",
        "nested": '{"a":{}},',
        "lists": "[[]],",
        "numbers": "1,",
        "texts": '"\U0001f600aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",',
        "wide": '"' + "\U0001f600" + "a" * 1_000_000 + '",',
    }[shape]
    count = size // len(piece.encode())
    return "[" + (piece * count).rstrip(",") + "]"


def _manifest(number: int, shape: str, size: int) -> bytes:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": _LAYER, "layers": []}
    return f'{json.dumps(document)[:-1]}, "n": {number}, "x": {_fill(shape, size)}}}'.encode()


def _annotated(number: int, size: int) -> bytes:
    """A manifest whose layer has as many annotations as fit."""
    pairs = ",".join(f'"{number}-{n:x}":"\U0001f600"' for n in range(size // 20))
    layer = f'{json.dumps(_LAYER)[:-1]}, "annotations": {{{pairs}}}}}'
    return (
        f'{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{json.dumps(_LAYER)},'
        f'"layers":[{layer}]}}'
    ).encode()


def _within_bounds(found: Measured, *codes: int) -> None:
    assert found.mebibytes < _MOST, found
    assert found.seconds < 60, found
    assert "bug in regimport" not in found.err
    assert "Traceback" not in found.err
    assert not codes or found.code in codes, found


def _serve_index(children: list[bytes], *, sized: bool = True) -> Miniature:
    registry = Miniature()
    listed = []
    kept = registry.manifests.setdefault("app", {})
    for raw in children:
        kept[digest_of(raw)] = (OCI_MANIFEST, raw)
        listed.append({"mediaType": OCI_MANIFEST, "digest": digest_of(raw)})
        if sized:
            listed[-1]["size"] = len(raw)  # type: ignore[assignment]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).encode()
    kept["latest"] = kept[digest_of(index)] = (OCI_INDEX, index)
    return registry


@pytest.mark.parametrize("shape", ["objects", "texts"])
def test_a_page_of_tags_of_31_mebibytes(tmp_path: Path, shape: str) -> None:
    page = f'{{"name":"app","tags":{_fill(shape, 31 * _MIB)}}}'.encode()
    with Scripted(lambda _: Say(200, body=page)) as server:
        _within_bounds(measured(tmp_path, "tags", f"{server.address}/app"), 1)


def test_pages_of_long_tags_without_end(tmp_path: Path) -> None:
    def script(heard: Heard) -> Say:
        number = int(heard.path.partition("last=")[2] or 0)
        tags = [f"{number:06}{n:06}{'x' * 110}" for n in range(40_000)]
        link = f'</v2/app/tags/list?last={number + 1}>; rel="next"'
        return Say(200, {"Link": link}, json.dumps({"name": "app", "tags": tags}).encode())

    with Scripted(script) as server:
        _within_bounds(measured(tmp_path, "tags", f"{server.address}/app"), 1)


def test_pages_of_odd_entries_and_long_links_without_end(tmp_path: Path) -> None:
    def script(heard: Heard) -> Say:
        number = int(heard.path.partition("last=")[2].partition("&")[0] or 0)
        tags = [f"t{number}", "\U0001f600" * 2_000_000 + str(number)]
        link = f'</v2/app/tags/list?last={number + 1}&{"x" * 8000}>; rel="next"'
        body = json.dumps({"name": "app", "tags": tags}, ensure_ascii=False).encode()
        return Say(200, {"Link": link}, body)

    with Scripted(script) as server:
        command = ("tags", "--deadline", "8s", f"{server.address}/app")
        _within_bounds(measured(tmp_path, *command), 1)


@pytest.mark.parametrize("command", ["copy", "inspect"])
@pytest.mark.parametrize("sized", [True, False])
def test_a_hundred_manifests_of_15_mebibytes(tmp_path: Path, command: str, sized: bool) -> None:
    # One in memory serves for all: what differs is its first bytes, which are cut out of it.
    raw = _manifest(0, "wide", 15 * _MIB)
    registry = _serve_index([_manifest(n, "numbers", 100) for n in range(100)], sized=sized)
    asked: list[str] = []

    def script(heard: Heard) -> Say:
        say = registry(heard)
        if heard.method == "GET" and "/manifests/sha256:" in heard.path:
            asked.append(heard.path)
            return Say(200, {"Content-Type": OCI_MANIFEST}, raw) if len(asked) > 1 else say
        return say

    with Scripted(script) as server:
        targets = [f"{server.address}/b"] if command == "copy" else []
        found = measured(tmp_path, command, f"{server.address}/app", *targets)
    _within_bounds(found, 3, 7)
    if command == "copy":
        assert found.code == 3
        assert len(asked) <= 1, "an entry was read before they were counted"


@pytest.mark.parametrize("shape", ["wide", "texts", "numbers"])
def test_many_large_manifests_that_are_what_their_index_says(tmp_path: Path, shape: str) -> None:
    registry = _serve_index([_manifest(n, shape, 4 * _MIB) for n in range(16)])
    with Scripted(registry) as server:
        found = measured(tmp_path, "copy", f"{server.address}/app", f"{server.address}/b", "-j32")
    _within_bounds(found, 1)
    assert "bytes" in found.err or "values" in found.err


@pytest.mark.parametrize("make", [_annotated, lambda n, size: _manifest(n, "objects", size)])
def test_manifests_of_small_objects_in_parallel(
    tmp_path: Path, make: Callable[[int, int], bytes]
) -> None:
    registry = _serve_index([make(n, 600_000) for n in range(50)])
    with Scripted(registry) as server:
        found = measured(tmp_path, "inspect", f"{server.address}/app")
    _within_bounds(found)


def test_configurations_of_small_objects_in_parallel(tmp_path: Path) -> None:
    registry = Miniature()
    image = single()
    children = []
    for number in range(60):
        raw = f'{{"n":{number},"os":"linux","x":{_fill("objects", 1_000_000)}}}'.encode()
        config = image.blob(raw, "application/vnd.oci.image.config.v1+json")
        children.append(image.manifest(config, []))
    image.index(children)
    registry.hold("app", image)
    with Scripted(registry) as server:
        _within_bounds(measured(tmp_path, "inspect", f"{server.address}/app"), 0)


@pytest.mark.parametrize("size", [15, 64])
@pytest.mark.parametrize("shape", ["objects", "wide", "entries"])
def test_an_index_json_of_many_mebibytes(tmp_path: Path, size: int, shape: str) -> None:
    folder = tmp_path / "layout"
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    if shape == "entries":
        entry = json.dumps(_LAYER | {"annotations": {"a": "b"}})
        listed = "[" + ",".join([entry] * (size * _MIB // len(entry))) + "]"
    else:
        listed = _fill(shape, size * _MIB)
    (folder / "index.json").write_text(f'{{"schemaVersion":2,"manifests":{listed}}}')
    _within_bounds(measured(tmp_path, "tags", f"oci:{folder}"))
    with Scripted(Miniature()) as server:
        server.script = registry = Miniature()
        registry.hold("app", single())
        _within_bounds(measured(tmp_path, "copy", f"{server.address}/app", f"oci:{folder}:1"))
