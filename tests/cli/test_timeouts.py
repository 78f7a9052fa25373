"""The timeouts of a connection, of a transfer, of an answer, and the deadline of a run.

A trickle of bytes is progress; a stall is not.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.actions import STALL, Cut, Late, NoAnswer, Status, StopReading, Trickle
from faults.proxy import ALWAYS, Exchange, Fault, FaultyRegistry
from regimport import (
    CopyOptions,
    InvalidOptions,
    RetryPolicy,
    Timeouts,
    Unreachable,
    copy,
)
from regimport.server.run import serving
from support.client import Client
from support.images import Image, single
from support.program import Program

SIZE = 400_000
IMAGE = single("timeouts", size=SIZE)
# More than the buffers between two sockets of one machine hold.
BIG = single("big", size=16_000_000)


def layer_of(image: Image) -> str:
    return max(image.blobs, key=lambda digest: len(image.blobs[digest]))


@dataclass
class Stage:
    source: str
    target: str

    def push(self, image: Image, repository: str = "app", tag: str = "1") -> None:
        Client(self.source).push(repository, image, tag)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with serving(tmp_path / "source") as source, serving(tmp_path / "target") as target:
        found = Stage(source.address, target.address)
        found.push(IMAGE)
        yield found


@dataclass(frozen=True)
class Sips:
    """The body of the request is read in sips, with a pause after each."""

    size: int
    pause: float

    def play(self, exchange: Exchange) -> None:
        while exchange.asked.received < exchange.asked.length:
            exchange.read(exchange.asked.received + self.size)
            time.sleep(self.pause)
        exchange.say(exchange.perform())


def test_a_source_that_stalls_is_asked_again_after_the_idle_timeout(
    program: Program, stage: Stage
) -> None:
    fault = Fault("GET blob", Cut(100_000, STALL), path=layer_of(IMAGE))
    with FaultyRegistry(stage.source, [fault]) as source:
        ended = program(
            "copy", "--idle-timeout", "400ms", f"{source.address}/app:1", f"{stage.target}/app"
        )
        ranges = [asked.headers.get("range") for asked in source.asked("GET blob")]
    assert ended.code == 0, ended
    assert ended.err.count("(tried again)") == 1
    assert "bytes=100000-" in ranges
    assert Client(stage.target).read_all("app", "1") == IMAGE.content()


def test_a_source_that_trickles_for_longer_than_the_idle_timeout_is_left_to_it(
    program: Program, stage: Stage
) -> None:
    fault = Fault("GET blob", Trickle(30, 0.05), ALWAYS, layer_of(IMAGE))
    with FaultyRegistry(stage.source, [fault]) as source:
        ended = program(
            "copy", "--idle-timeout", "800ms", f"{source.address}/app:1", f"{stage.target}/app"
        )
        assert source.count("GET blob") == len(IMAGE.blobs)
    assert ended.code == 0, ended
    assert "tried again" not in ended.err


def test_a_target_that_stops_reading_is_tried_again_after_the_idle_timeout(
    program: Program, stage: Stage
) -> None:
    stage.push(BIG)
    fault = Fault("PUT upload", StopReading(100_000), path=layer_of(BIG).replace(":", "%3A"))
    with FaultyRegistry(stage.target, [fault]) as target:
        ended = program(
            "copy", "--idle-timeout", "400ms", f"{stage.source}/app:1", f"{target.address}/app"
        )
    assert ended.code == 0, ended
    assert ended.err.count("(tried again)") == 1
    assert Client(stage.target).read_all("app", "1") == BIG.content()


def test_a_target_that_reads_slowly_for_longer_than_the_idle_timeout_is_left_to_it(
    program: Program, stage: Stage
) -> None:
    stage.push(BIG)
    fault = Fault("PUT upload", Sips(500_000, 0.05), ALWAYS)
    with FaultyRegistry(stage.target, [fault]) as target:
        ended = program(
            "copy", "--idle-timeout", "1s", f"{stage.source}/app:1", f"{target.address}/app"
        )
        assert target.count("PUT upload") == len(BIG.blobs)
    assert ended.code == 0, ended
    assert "tried again" not in ended.err


def test_the_answer_to_a_blob_may_take_longer_than_the_idle_timeout(
    program: Program, stage: Stage
) -> None:
    with FaultyRegistry(stage.target, [Fault("PUT upload", Late(1.2), ALWAYS)]) as target:
        ended = program(
            "copy", "--idle-timeout", "800ms", f"{stage.source}/app:1", f"{target.address}/app"
        )
        assert target.count("PUT upload") == len(IMAGE.blobs)
        assert target.count("HEAD blob") == 0, "it was given up and looked for"
    assert ended.code == 0, ended
    assert "tried again" not in ended.err


def test_an_answer_to_a_blob_that_does_not_come_is_not_waited_for_any_longer(
    program: Program, stage: Stage
) -> None:
    with FaultyRegistry(stage.target, [Fault("PUT upload", NoAnswer())]) as target:
        ended = program(
            "copy", "--answer-timeout", "0.5", f"{stage.source}/app:1", f"{target.address}/app"
        )
    assert ended.code == 0, ended
    assert ended.err.count("(tried again)") == 1


def test_a_connection_that_does_not_come_about_is_given_up_after_its_timeout(
    stage: Stage,
) -> None:
    """A listener whose queue is full answers no new connection."""
    options = CopyOptions(
        timeouts=Timeouts(connect=0.1), retry=RetryPolicy(attempts=2, first_delay=0)
    )
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listener:
        with closing(socket.create_connection(listener.getsockname())):
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(Unreachable, match="could not be reached"):
                copy(f"{address}/app:1", f"{stage.target}/app", options=options)


def test_at_the_deadline_the_copy_ends_and_what_is_finished_stays(
    program: Program, stage: Stage
) -> None:
    old = single("old", size=100)
    Client(stage.target).push("app", old, "1")
    fault = Fault("GET blob", Cut(100_000, STALL), path=layer_of(IMAGE))
    with FaultyRegistry(stage.source, [fault]) as source:
        names = (f"{source.address}/app:1", f"{stage.target}/app")
        ended = program("copy", "-o", "json", "--deadline", "2s", *names)
        document = json.loads(ended.out)
        assert (ended.code, document["exit_code"]) == (1, 1)
        assert document["error"]["kind"] == "DeadlineExceeded"
        assert "the deadline of 2 seconds has passed" in ended.err
        assert "deadline" in document["error"]["hint"]
        assert Client(stage.target).head("app", "1") == old.root
        before = source.count("GET blob")
        assert program("copy", "--deadline", "1h", *names).code == 0
        assert source.count("GET blob") == before + 1, "what was finished was read again"
    assert Client(stage.target).read_all("app", "1") == IMAGE.content()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--limit-rate", "1K"), id="between pieces"),
        pytest.param((), id="while the registry wants to be left alone"),
    ],
)
def test_no_wait_outlasts_the_deadline(
    program: Program, stage: Stage, options: tuple[str, ...]
) -> None:
    faults = [] if options else [Fault("GET blob", Status(429, {"Retry-After": "200"}), ALWAYS)]
    with FaultyRegistry(stage.source, faults) as source:
        names = (f"{source.address}/app:1", f"{stage.target}/app")
        ended = program("copy", "--deadline", "1500ms", *options, *names)
    assert ended.code == 1, ended
    assert "the deadline of 1.5 seconds has passed" in ended.err


def test_a_verification_has_a_deadline_too(program: Program, stage: Stage) -> None:
    Client(stage.target).push("app", IMAGE, "1")
    with FaultyRegistry(stage.target, [Fault("GET blob", NoAnswer(), ALWAYS)]) as target:
        names = (f"{stage.source}/app:1", f"{target.address}/app")
        ended = program("verify", "--deadline", "1s", *names)
    assert ended.code == 1, ended
    assert "deadline" in ended.err


@pytest.mark.parametrize(
    "option", ["--deadline", "--connect-timeout", "--idle-timeout", "--answer-timeout"]
)
def test_a_timeout_that_is_no_duration_is_wrong_usage(program: Program, option: str) -> None:
    ended = program("copy", option, "soon", "a", "b")
    assert ended.code == 2
    assert f"invalid {option} 'soon'" in ended.err


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e12])
def test_times_out_of_range_are_refused(seconds: float) -> None:
    with pytest.raises(InvalidOptions):
        Timeouts(idle=seconds)
    with pytest.raises(InvalidOptions):
        CopyOptions(deadline=seconds)
