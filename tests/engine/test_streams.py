"""One stream sent to many, and a second thread for a stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from regimport.engine.streams import SecondThread, fan_out


def pieces(*parts: bytes, error: Exception | None = None) -> Iterator[bytes]:
    yield from parts
    if error is not None:
        raise error


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_receiver_gets_the_whole_stream(count: int) -> None:
    got: list[bytes] = [b""] * count

    def receive(number: int, content: Iterator[bytes]) -> None:
        got[number] = b"".join(bytes(piece) for piece in content)

    receivers = [partial(receive, number) for number in range(count)]
    parts = [bytes([n]) * 1000 for n in range(20)]
    assert fan_out(pieces(*parts), receivers) == [None] * count
    assert got == [b"".join(parts)] * count


def test_a_receiver_that_fails_does_not_end_the_others() -> None:
    got: list[bytes] = []

    def fails(content: Iterator[bytes]) -> None:
        next(content)
        raise OSError("full")

    def works(content: Iterator[bytes]) -> None:
        got.extend(bytes(piece) for piece in content)

    parts = [bytes([n]) for n in range(30)]
    errors = fan_out(pieces(*parts), [fails, works])
    assert [type(error) for error in errors] == [OSError, type(None)]
    assert got == parts


def test_an_error_of_the_stream_reaches_every_receiver() -> None:
    def drain(content: Iterator[bytes]) -> None:
        for _ in content:
            pass

    errors = fan_out(pieces(b"x", error=KeyError("lost")), [drain, drain])
    assert [type(error) for error in errors] == [KeyError, KeyError]


def test_a_second_thread_makes_calls_in_their_order_and_hands_errors_back() -> None:
    done: list[int] = []

    def fail() -> None:
        raise KeyError("lost")

    second = SecondThread()
    for number in range(3):
        second.submit(partial(done.append, number))
    second.wait()
    assert done == [0, 1, 2]
    second.submit(fail)
    second.submit(partial(done.append, 3))
    with pytest.raises(KeyError):
        second.wait()
    second.close()
    assert done == [0, 1, 2, 3]


def test_a_second_thread_is_waited_for_until_few_enough_calls_are_pending() -> None:
    going_on = threading.Event()
    second = SecondThread()
    second.submit(lambda: None)
    second.submit(partial(_wait, going_on))
    second.wait(pending=1)
    going_on.set()
    second.wait()
    second.close()


def _wait(event: threading.Event) -> None:
    event.wait(20)
