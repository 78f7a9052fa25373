"""Texts that cannot be printed, numbers that cannot be read, and graphs that unfold without end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, Limits, RetryPolicy
from support.images import OCI_INDEX, OCI_MANIFEST, Image, digest_of, many_platforms, single
from support.miniature import Miniature
from support.program import Program
from support.scripted import Heard, Say, Scripted
from support.world import World

_HALF = "\ud83d"


def _with_surrogates() -> Image:
    """An image whose texts all hold half of a surrogate pair, written as an escape."""
    image = Image(single().blobs, {})
    config = {"mediaType": "x/y", "digest": next(iter(image.blobs)), "size": 13}
    child = image.put(
        OCI_MANIFEST,
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": f"a/{_HALF}",
                "config": config | {"annotations": {_HALF: _HALF}},
                "layers": [],
                "annotations": {_HALF: _HALF},
            }
        ).encode(),
    )
    child |= {
        "annotations": {_HALF: _HALF, "vnd.docker.reference.type": _HALF},
        "artifactType": f"b/{_HALF}",
        "platform": {"os": _HALF, "architecture": _HALF, "variant": _HALF, "os.version": _HALF},
    }
    image.put(
        OCI_INDEX,
        json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child, child]}
        ).encode(),
    )
    return image


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "SOURCE"),
        ("inspect", "-o", "json", "SOURCE"),
        ("inspect", "--layers", "SOURCE"),
        ("copy", "-o", "json", "--verify", "SOURCE", "TARGET"),
        ("copy", "SOURCE", "oci:layout:1"),
        ("inspect", "--platform", "linux/amd64", "SOURCE"),
    ],
)
def test_half_a_surrogate_pair_is_no_fault_of_the_program(
    program: Program, command: tuple[str, ...]
) -> None:
    registry = Miniature()
    registry.hold("app", _with_surrogates())
    with Scripted(registry) as server:
        places = {"SOURCE": f"{server.address}/app", "TARGET": f"{server.address}/b"}
        ended = program(*(places.get(word, word) for word in command))
    assert "bug in regimport" not in ended.err, ended.err
    assert ended.code == (5 if "--platform" in command else 0)


def test_a_layout_whose_texts_hold_half_a_pair_is_kept_as_it_is(
    program: Program, tmp_path: Path
) -> None:
    registry = Miniature()
    registry.hold("app", single())
    with Scripted(registry) as server:
        assert program("copy", f"{server.address}/app", "oci:layout:1").code == 0
        index = tmp_path / "layout" / "index.json"
        document = json.loads(index.read_text())
        document["manifests"][0]["annotations"]["x"] = _HALF
        index.write_text(json.dumps(document))
        ended = program("copy", f"{server.address}/app", "oci:layout:2")
        assert ended.code == 0, ended.err
    kept = json.loads(index.read_text())["manifests"]
    assert [entry["annotations"].get("x") for entry in kept] == [_HALF, None]


@pytest.mark.parametrize("field", ["Username", "Secret", "list"])
def test_a_helper_that_answers_with_half_a_pair_is_no_fault_of_the_program(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    with Scripted(Miniature(lambda _: Say(401, {"WWW-Authenticate": 'Basic realm="x"'}))) as server:
        answer = {"Username": "u", "Secret": "p", "ServerURL": "x"} | {field: "\ud800"}
        listed = {f"https://{server.address}/\ud800": "u"}
        helper = tmp_path / "docker-credential-odd"
        helper.write_text(
            "#!/bin/sh\n"
            f"if [ $1 = list ]; then printf '%s' '{json.dumps(listed)}'\n"
            f"else printf '%s' '{json.dumps(answer)}'; fi\n"
        )
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"credsStore": "odd", "auths": {server.address: {}}}))
        command = ["digest", f"{server.address}/a"]
        if field == "list":
            command = ["logout", server.address]
        ended = program(*command, "--authfile", str(config))
    assert "bug in regimport" not in ended.err, ended.err


def test_a_length_of_5000_digits_is_no_answer(program: Program) -> None:
    headers = {
        "Content-Length": "1" * 5000,
        "Content-Type": OCI_MANIFEST,
        "Docker-Content-Digest": digest_of(b"x"),
    }
    with Scripted(lambda _: Say(200, headers)) as server:
        options = CopyOptions(retry=RetryPolicy(attempts=1))
        with pytest.raises(regimport.Unreachable, match="Content-Length"):
            regimport.digest(f"{server.address}/app", options=options)


def test_a_page_of_nothing_but_titles_is_read_in_no_time() -> None:
    page = (b"<title" * 20_000)[: 64 * 1024]
    with Scripted(lambda _: Say(404, {"Content-Type": "text/html"}, page)) as server:
        before = time.process_time()
        with pytest.raises(regimport.NotFound):
            regimport.manifest(f"{server.address}/app")
        assert time.process_time() - before < 0.5


def _unfolding(levels: int, mentions: int) -> Image:
    """Indexes of which each names the next one many times."""
    image = single()
    child: dict[str, object] = {
        "mediaType": OCI_MANIFEST,
        "digest": image.root,
        "size": len(image.raw),
    }
    for _ in range(levels):
        child = image.index([child] * mentions)
    return image


def _seconds(image: Image) -> tuple[float, int, int]:
    registry = Miniature()
    registry.hold("app", image)
    with Scripted(registry) as server:
        started = time.process_time()
        found = regimport.inspect(
            f"{server.address}/app", options=CopyOptions(limits=Limits(max_manifests=None))
        )
        took = time.process_time() - started
    count, waiting = 0, [found.root]
    while waiting:
        node = waiting.pop()
        count += 1
        waiting.extend(node.children)
    return took, count, found.total_bytes


def test_inspect_shows_each_manifest_once_and_sums_as_if_it_did_not() -> None:
    _, nodes, total = _seconds(_unfolding(7, 12))
    assert nodes == 1 + 7 * 12
    assert total > 12**7
    small = _unfolding(2, 3)
    _, nodes, total = _seconds(small)
    sizes = [len(raw) for _, raw in small.manifests.values()]
    leaf = sizes[0] + sum(map(len, small.blobs.values()))
    assert nodes == 1 + 2 * 3
    assert total == sizes[2] + 3 * (sizes[1] + 3 * leaf)


def test_inspect_takes_time_in_proportion_to_the_bytes_of_the_graph() -> None:
    _seconds(_unfolding(1, 10))
    small, large = (_seconds(_unfolding(7, mentions))[0] for mentions in (100, 800))
    # Eight times the bytes; what grows with their square would take sixty times as long.
    assert large < 24 * small + 0.5


def test_inspect_of_many_manifests_takes_time_in_proportion_to_their_number() -> None:
    small, large = (_seconds(many_platforms(platforms=n, size=10))[0] for n in (50, 400))
    assert large < 24 * small + 0.5


def test_blobs_that_are_redirected_to_four_hundred_hosts_do_not_use_up_the_files(
    world: World,
) -> None:
    image = many_platforms(platforms=400, size=20)
    registry, blobs = Miniature(), image.blobs
    registry.hold("app", image)
    hosts: set[str] = set()
    most = [0]

    def stored(heard: Heard) -> Say:
        most[0] = max(most[0], len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names alone
        hosts.add(heard.headers["Host"])
        return Say(200, body=blobs[heard.path[1:]])

    def script(heard: Heard) -> Say:
        if heard.method == "GET" and "/blobs/" in heard.path:
            digest = heard.path.rpartition("/")[2]
            number = list(blobs).index(digest) % 400
            return Say(307, {"Location": f"http://h{number}.example/{digest}"})
        return registry(heard)

    storage = world.serve("h.example", stored)
    host, _, port = storage.address.partition(":")
    world.places |= {f"h{number}.example": (host, int(port)) for number in range(400)}
    with Scripted(script) as source, Scripted(Miniature()) as target:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone
        options = CopyOptions(limits=Limits(max_manifests=None))
        report = regimport.copy(f"{source.address}/app", f"{target.address}/app", options=options)
    assert report.exit_code == 0
    assert len(hosts) > 390
    # Both ends of a connection are open here: 128 that are idle, and those in use.
    assert most[0] - before < 2 * (128 + 64)
