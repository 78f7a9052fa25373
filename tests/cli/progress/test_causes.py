"""Why things are tried again: each cause is told once, with a count."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import SupportsIndex

import pytest

from regimport.cli.progress.causes import Causes, in_full
from regimport.errors import Side
from regimport.events import Retrying
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms
from support.program import Program
from support.shaky import Shaky, Ways, shaky

URL = "http://r.example/v2/a/blobs/uploads/1?digest=sha256:"
FULL = "answered 500 Internal Server Error: no space left on device"


def retry(number: int, attempt: int = 1, said: str = FULL) -> Retrying:
    what = f"PUT {URL}{number:064x}"
    return Retrying(Side.TARGET, what, f"{what} {said}", attempt, 5, 0.5)


def test_a_cause_is_one_line_with_a_count_and_without_urls() -> None:
    causes = Causes()
    for number in range(9):
        causes.add(retry(number), float(number))
    assert causes.latest == f"9 retries: target: {FULL}"
    assert causes.rest() == [f"target: {FULL} (tried again 9 times)"]


def test_a_cause_that_goes_on_is_told_while_it_does() -> None:
    causes = Causes()
    causes.add(retry(1), 0.0)
    assert causes.due(9.0) == []
    assert causes.due(10.0) == [f"target: {FULL} (tried again)"]
    assert causes.latest is None
    causes.add(retry(2), 11.0)
    assert causes.due(30.0) == []
    causes.add(retry(3), 31.0)
    assert causes.due(70.0) == [f"target: {FULL} (tried again 2 times)"]
    assert causes.rest() == []


def test_causes_that_differ_in_a_digest_or_a_position_are_the_same() -> None:
    causes = Causes()
    for number in range(3):
        cause = f"sha256:{number:064x} ended after {number} of 4000 bytes"
        causes.add(Retrying(Side.SOURCE, "blob", cause, 1, 5, 0.5), 0.0)
    causes.add(Retrying(Side.SOURCE, "blob", "it does not answer", 1, 5, 0.5), 0.0)
    assert causes.rest() == [
        "source: sha256:000000000000… ended after 0 of 4000 bytes (tried again 3 times)",
        "source: it does not answer (tried again)",
    ]


def test_in_full_it_has_its_url_once() -> None:
    line = in_full(retry(1, 2))
    assert line.count("http://") == 1
    assert line.endswith(f"failed ({FULL}); attempt 2 of 5, next in 0.5 s")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "source").mkdir()
    with serving(tmp_path / "source") as registry:
        Client(registry.address).push("app", many_platforms(size=20_000), "1")
        yield f"{registry.address}/app:1"


@pytest.fixture
def full() -> Iterator[Shaky]:
    """A registry that answers the end of every upload as one whose disk is full."""
    with shaky(Ways(puts=[500] * 500, patches=[500] * 500)) as registry:
        yield registry


def test_a_full_disk_at_the_target_is_one_warning(
    program: Program, source: str, full: Shaky
) -> None:
    ended = program("copy", source, f"{full.address}/app")
    assert ended.code == 6
    (warning,) = [line for line in ended.err.splitlines() if line.startswith("warning:")]
    assert "http" not in warning
    counted = re.search(r"answered 500 .*\(tried again (\d+) times\)$", warning)
    # Each of seven blobs is tried five times.
    assert counted is not None
    assert int(counted[1]) == 28


def test_with_v_each_retry_is_told_with_its_url_once(
    program: Program, source: str, full: Shaky
) -> None:
    ended = program("copy", "-v", source, f"{full.address}/app")
    warnings = [line for line in ended.err.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 28
    assert all(line.count("http://") == 1 for line in warnings)


class _Failures(list[int]):
    """Statuses to answer with; `used` is set once ten of them were."""

    used = threading.Event()

    def pop(self, index: SupportsIndex = -1) -> int:
        if len(self) < 490:
            self.used.set()
        return super().pop(index)


def test_whoever_interrupts_a_copy_is_told_nothing_of_the_network(
    program: Program, source: str
) -> None:
    failures = _Failures([500] * 500)
    with shaky(Ways(puts=failures, patches=failures)) as full:
        process = program.start("copy", source, f"{full.address}/app")
        assert failures.used.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "warning" not in err
