"""The program is killed at every request: the tag is the old image or the new one, whole."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from faults.actions import NoAnswer
from faults.locks import Open
from faults.message import Asked
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from faults.table import OLD, OPTIONS, Stage, run_copy
from support.images import Image, many_platforms, single
from support.program import Program

SMALL = single("killed", size=20_000)
INDEX = many_platforms("killed", platforms=2)
# How many requests a copy makes with one job, in the order in which they are made.
SMALL_REQUESTS, INDEX_REQUESTS = 14, 34

KILL, STOP, INTERRUPT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
CASES = [
    *((KILL, SMALL, number) for number in range(1, SMALL_REQUESTS + 1)),
    *((KILL, INDEX, number) for number in range(3, INDEX_REQUESTS + 1, 9)),
    *((INTERRUPT, SMALL, number) for number in range(2, SMALL_REQUESTS + 1, 5)),
    *((STOP, SMALL, number) for number in range(4, SMALL_REQUESTS + 1, 5)),
]


def case_name(case: tuple[signal.Signals, Image, int]) -> str:
    number, image, request = case
    return f"{number.name} at request {request} of {'an image' if image is SMALL else 'an index'}"


class Gun:
    """Sends a signal when the two registries have been asked `request` times in all."""

    def __init__(self, number: signal.Signals, request: int) -> None:
        self._number = number
        self._left = request
        self._mutex = threading.Lock()
        self._aimed = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def aim(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._aimed.set()

    def seen(self, _: Asked) -> None:
        with self._mutex:
            self._left -= 1
            due = self._left == 0
        if due:
            assert self._aimed.wait(20)
            assert self._process is not None
            self._process.send_signal(self._number)
            if self._number is KILL:
                self._process.wait(20)  # what it asked for last is done all the same


def missing(stage: Stage, repository: str, image: Image) -> list[str]:
    """The blobs that are not at the target."""
    return [digest for digest in image.blobs if not stage.target.has_blob(repository, digest)]


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_copy_that_is_ended_leaves_the_tag_whole_and_its_rerun_moves_only_the_rest(
    stage: Stage,
    repository: str,
    program: Program,
    case: tuple[signal.Signals, Image, int],
) -> None:
    number, image, request = case
    stage.set_up(repository, image, OLD)
    open_before = stage.sessions()
    gun = Gun(number, request)
    with stage.between(locks=(Open(), Open())) as (source, target):
        source.seen = target.seen = gun.seen
        process = program.start(
            "copy", "-j1", "--referrers", "none", *ends(source, target, repository)
        )
        gun.aim(process)
        out, err = process.communicate(timeout=30)
        source.seen = target.seen = lambda _: None
        if process.returncode == 0:
            assert stage.state(repository) == image.content()
        else:
            assert process.returncode == (-KILL if number is KILL else 128 + number), err
            assert out == ""
            assert "Traceback" not in err
        assert stage.state(repository) in (OLD.content(), image.content())
        if number is not KILL:
            assert stage.sessions() == open_before, "an upload session was left open"
        lacking = missing(stage, repository, image)
        source.log.clear()
        target.log.clear()
        again = run_copy(source, target, repository)
        assert again.error is None
        assert source.count("GET blob") == len(lacking)
        assert target.count("PUT upload") == len(lacking)
    assert stage.state(repository) == image.content()


def test_a_second_signal_ends_it_at_once(stage: Stage, repository: str, program: Program) -> None:
    stage.set_up(repository, SMALL, OLD)
    stuck = [Fault("PUT upload", NoAnswer(), ALWAYS), Fault("DELETE upload", NoAnswer(), ALWAYS)]
    tidying = threading.Event()
    with stage.between(target=stuck, locks=(Open(), Open())) as (source, target):
        process = program.start(
            "copy", "-j1", "--referrers", "none", *ends(source, target, repository)
        )

        def seen(asked: Asked) -> None:
            if asked.kind == "PUT upload":
                process.send_signal(INTERRUPT)
            elif asked.kind == "DELETE upload":
                tidying.set()

        target.seen = seen
        assert tidying.wait(30), "the session is given back after the first signal"
        started = time.monotonic()
        process.send_signal(INTERRUPT)
        process.communicate(timeout=20)
        assert time.monotonic() - started < 1
    assert process.returncode == 130
    assert stage.state(repository) == OLD.content()


def test_a_first_signal_ends_it_soon_even_if_nothing_answers(
    stage: Stage, repository: str, program: Program
) -> None:
    stage.set_up(repository, SMALL, OLD)
    stuck = [Fault("PUT upload", NoAnswer(), ALWAYS), Fault("DELETE upload", NoAnswer(), ALWAYS)]
    asked = threading.Event()
    with stage.between(target=stuck, locks=(Open(), Open())) as (source, target):
        target.seen = lambda request: asked.set() if request.kind == "PUT upload" else None
        process = program.start(
            "copy", "-j1", "--referrers", "none", *ends(source, target, repository)
        )
        assert asked.wait(30)
        started = time.monotonic()
        process.send_signal(STOP)
        process.communicate(timeout=20)
        assert time.monotonic() - started < 2
    assert process.returncode == 143
    assert stage.state(repository) == OLD.content()


def test_the_number_of_requests_that_the_cases_end_at_is_right(
    stage: Stage, repository: str
) -> None:
    for image, wanted in ((SMALL, SMALL_REQUESTS), (INDEX, INDEX_REQUESTS)):
        stage.set_up(repository, image, OLD)
        with stage.between(locks=(Open(), Open())) as (source, target):
            assert (
                run_copy(source, target, repository, replace(OPTIONS, referrers=())).error is None
            )
            asked = [*source.log, *target.log]
            assert abs(len(asked) - wanted) <= 4, [str(one) for one in asked]


def ends(source: FaultyRegistry, target: FaultyRegistry, repository: str) -> tuple[str, str]:
    return f"{source.address}/{repository}:1", f"{target.address}/{repository}"
