"""A copy that is stopped gives its upload sessions back, however stuck it is."""

from __future__ import annotations

import signal
import time

import pytest

from support.images import single
from support.program import Program
from support.shaky import Ways, shaky

SIZE = 3_000_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_stuck_copy_that_is_stopped_gives_its_upload_back(
    program: Program, number: signal.Signals, side: str
) -> None:
    with (
        shaky(Ways(stall_downloads=SIZE // 2 if side == "source" else None)) as source,
        shaky(Ways(stall_uploads=SIZE // 2 if side == "target" else None)) as target,
    ):
        source.keep(single(size=SIZE), "1")
        process = program.start("copy", f"{source.address}/app:1", f"{target.address}/app")
        assert (source if side == "source" else target).stalled.wait(20)
        started = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - started
        assert (process.returncode, out) == (128 + number, ""), err
        assert took < 2
        assert target.sessions == {}
        assert target.count("DELETE") > 0
        assert "1" not in target.manifests


def test_a_registry_that_does_not_take_its_upload_back_holds_nobody_up(program: Program) -> None:
    with shaky() as source, shaky(Ways(stall_uploads=SIZE // 2, deaf=True)) as target:
        source.keep(single(size=SIZE), "1")
        process = program.start("copy", f"{source.address}/app:1", f"{target.address}/app")
        assert target.stalled.wait(20)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert time.monotonic() - started < 2
        assert process.returncode == 130
        assert target.deleting.is_set()


def test_a_second_signal_of_either_kind_ends_the_program_at_once(program: Program) -> None:
    with shaky() as source, shaky(Ways(stall_uploads=SIZE // 2, deaf=True)) as target:
        source.keep(single(size=SIZE), "1")
        process = program.start("copy", f"{source.address}/app:1", f"{target.address}/app")
        assert target.stalled.wait(20)
        process.send_signal(signal.SIGINT)
        assert target.deleting.wait(20)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
