"""A copy that is stopped gives its upload sessions back, however stuck it is."""

from __future__ import annotations

import signal
import time

import pytest

from registry.shaky import Ways, shaky
from support.images import single
from support.program import Program

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
