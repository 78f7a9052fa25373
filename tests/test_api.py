"""What the steps of a copy do together, where each alone says nothing of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import httpx
import pytest

from regimport import (
    AccessDenied,
    CopyOptions,
    DeadlineExceeded,
    NotFound,
    RegimportError,
    Status,
    api,
    comparison,
    deletion,
    listings,
    opening,
)
from regimport.engine.concurrency import MIN_JOBS
from regimport.registry.sessions import Sessions
from support.images import digest_of, many_platforms
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

# How long an answer takes on a long line, and how long is waited for what should happen at once.
_ROUND_TRIP = 0.03
_PATIENCE = 5.0
_WIDE = many_platforms(platforms=12)


def _far(answer: Callable[[Heard], Say]) -> Callable[[Heard], Say]:
    def late(heard: Heard) -> Say:
        time.sleep(_ROUND_TRIP)
        return answer(heard)

    return late


@pytest.fixture
def held() -> Miniature:
    registry = Miniature()
    registry.hold("app", _WIDE)
    return registry


def test_connections_are_opened_while_the_root_is_read_over_a_long_line(held: Miniature) -> None:
    opened: list[bool] = []

    def read(heard: Heard) -> Say:
        if heard.method == "GET" and heard.path.endswith(digest_of(_WIDE.raw)):
            opened.extend(end.wait_for(MIN_JOBS, _PATIENCE) for end in (source, target))
        return held(heard)

    with Scripted(_far(read)) as source, Scripted(_far(Miniature())) as target:
        api.copy(f"{source.address}/app", f"{target.address}/app")
    assert opened == [True, True]


def test_more_goes_on_at_once_over_a_long_line(held: Miniature) -> None:
    wanted = MIN_JOBS + 4
    together, lock, met = 0, threading.Lock(), threading.Event()
    waits: list[bool] = []

    def read(heard: Heard) -> Say:
        nonlocal together
        if "/blobs/" in heard.path:
            with lock:
                together += 1
                if together == wanted:
                    met.set()
            # All are held here, so that whoever comes comes at the same time.
            waits.append(met.wait(_PATIENCE))
        return held(heard)

    with Scripted(_far(read)) as source, Scripted(_far(Miniature())) as target:
        report = api.copy(f"{source.address}/app", f"{target.address}/app")
    assert all(waits)
    assert report.jobs >= wanted
    assert report.round_trip is not None
    assert report.round_trip >= _ROUND_TRIP


class _Public(Protocol):
    """A public function as these tests call it, with the options and keywords they all take."""

    def __call__(
        self, *, options: CopyOptions = ..., transport: httpx.BaseTransport | None = ...
    ) -> object: ...


def _functions(address: str) -> dict[str, _Public]:
    """Every public function, about an image at one address."""
    image = f"{address}/app:1"
    return {
        "copy": lambda **given: api.copy(image, f"{address}/copy", **given),
        "verify": lambda **given: api.verify(image, f"{address}/copy", **given),
        "inspect": lambda **given: api.inspect(image, **given),
        "manifest": lambda **given: api.manifest(image, **given),
        "digest": lambda **given: api.digest(image, **given),
        "tags": lambda **given: list(listings.tags(f"{address}/app", **given)),
        "diff": lambda **given: comparison.diff(image, f"{address}/other", **given),
        "diff_tags": lambda **given: comparison.diff_tags(f"{address}/a", f"{address}/b", **given),
        "find_use": lambda **given: deletion.find_use(image, **given),
        "delete": lambda **given: deletion.delete(image, **given),
        "repositories": lambda **given: list(listings.repositories(address, **given)),
    }


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a registry that lets everybody connect, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("name", _functions(""))
def test_a_registry_that_never_answers_is_left_at_the_deadline(name: str, silent: str) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        _functions(silent)[name](options=CopyOptions(deadline=0.2))
    # The timeouts would let it go on for a minute.
    assert time.monotonic() - started < 20


def test_the_tags_that_came_before_the_deadline_are_yielded() -> None:
    over = threading.Event()

    def answer(heard: Heard) -> Say:
        if "last=b" in heard.path:
            over.wait(60)
        link = {"Link": '</v2/app/tags/list?last=b>; rel="next"'}
        return Say(200, link, b'{"tags": ["a", "b"]}')

    with Scripted(answer) as registry:
        tags = listings.tags(f"{registry.address}/app", options=CopyOptions(deadline=1))
        try:
            assert [next(tags), next(tags)] == ["a", "b"]
            with pytest.raises(DeadlineExceeded):
                next(tags)
        finally:
            over.set()


@pytest.mark.parametrize("name", _functions(""))
def test_the_transport_that_a_caller_gives_is_handed_to_the_sessions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What carries the requests then is tested where the sessions are."""
    given: list[object] = []

    def sessions(*args: object, transport: httpx.BaseTransport | None) -> Sessions:
        given.append(transport)
        raise AccessDenied("seen")

    monkeypatch.setattr(opening, "Sessions", sessions)
    transport = httpx.MockTransport(lambda _: httpx.Response(404))
    with pytest.raises(AccessDenied, match="seen"):
        _functions("registry.example")[name](transport=transport)
    assert given == [transport]


def _refusing(heard: Heard) -> Say:
    return Say(403)


def test_the_error_of_the_only_target_is_raised(held: Miniature) -> None:
    with Scripted(held) as source, Scripted(_refusing) as target:
        with pytest.raises(AccessDenied):
            api.copy(f"{source.address}/app", f"{target.address}/app")


def test_the_error_of_the_only_target_is_in_the_report_if_it_is_not_checked(
    held: Miniature,
) -> None:
    with Scripted(held) as source, Scripted(_refusing) as target:
        report = api.copy(f"{source.address}/app", f"{target.address}/app", check=False)
    assert [type(error) for error in report.failures] == [AccessDenied]
    assert report.exit_code == AccessDenied.exit_code


@pytest.mark.parametrize("check", [True, False])
def test_of_several_targets_the_report_tells_which_failed(held: Miniature, check: bool) -> None:
    good = Miniature()
    with Scripted(held) as source, Scripted(_refusing) as bad, Scripted(good) as target:
        ends = (f"{bad.address}/app", f"{target.address}/app")
        report = api.copy(f"{source.address}/app", *ends, check=check)
    assert [one.status for one in report.targets] == [Status.FAILED, Status.COPIED]
    assert good.holds("app", _WIDE, "latest")


@pytest.mark.parametrize("check", [True, False])
def test_an_error_of_the_source_is_always_raised(check: bool) -> None:
    with Scripted(Miniature()) as source, Scripted(Miniature()) as target:
        with pytest.raises(NotFound) as caught:
            api.copy(f"{source.address}/app", *[f"{target.address}/app"] * 2, check=check)
    assert isinstance(caught.value, RegimportError)
    assert caught.value.side == "source"


def test_several_tags_of_a_repository_are_one_copy(held: Miniature) -> None:
    kept = Miniature()
    with Scripted(held) as source, Scripted(kept) as target:
        ends = [f"{target.address}/app:{tag}" for tag in ("1", "2", "1")]
        report = api.copy(f"{source.address}/app", *ends)
        reads = [heard.path for heard in source.heard if "/blobs/" in heard.path]
    assert [one.tag for one in report.targets] == ["1", "2", "1"]
    assert {one.status for one in report.targets} == {Status.COPIED}
    assert all(kept.holds("app", _WIDE, tag) for tag in ("1", "2"))
    assert len(reads) == len(set(reads))
