"""Answers without end: each is given up in bounded time and memory, by every kind of request."""

from __future__ import annotations

import gzip
import itertools
import resource
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

import regimport
from regimport import CopyOptions, RetryPolicy, Timeouts
from regimport.errors import DeadlineExceeded, RegimportError
from support.program import Program
from support.raw import sending
from support.scripted import Heard, Say, Scripted

Answer = Callable[[], Iterator[bytes]]

_OPTIONS = CopyOptions(
    retry=RetryPolicy(attempts=1, first_delay=0, longest_delay=0),
    timeouts=Timeouts(connect=2, idle=1, answer=2),
)
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _interim() -> Iterator[bytes]:
    return itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def _slow_interim() -> Iterator[bytes]:
    while True:
        yield b"HTTP/1.1 102 Processing\r\n\r\n"
        time.sleep(0.2)


def _head() -> Iterator[bytes]:
    yield _OK
    yield from (b"X-%d: %s\r\n" % (n, b"x" * 100) for n in itertools.count())


def _trailers() -> Iterator[bytes]:
    yield _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    yield from (b"X-%d: %s\r\n" % (n, b"x" * 100) for n in itertools.count())


def _slow_trailers() -> Iterator[bytes]:
    yield _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    while True:
        yield b"X: y\r\n"
        time.sleep(0.2)


def _extensions() -> Iterator[bytes]:
    yield _OK + b"Transfer-Encoding: chunked\r\n\r\n2;"
    yield from itertools.repeat(b"x" * 65536)


def _empty_blocks() -> Iterator[bytes]:
    yield _OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    yield gzip.compress(b"{}")[:10]
    yield from itertools.repeat(b"\x00\x00\x00\xff\xff" * 2000)


def _behind_the_end() -> Iterator[bytes]:
    yield _OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"{}")
    yield from itertools.repeat(b"\0" * 65536)


def _members() -> Iterator[bytes]:
    yield _OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    yield from itertools.repeat(gzip.compress(b"") * 1000)


def _bomb() -> Iterator[bytes]:
    yield _OK + b"Content-Encoding: deflate\r\nConnection: close\r\n\r\n"
    packer = zlib.compressobj(9)
    yield from (packer.compress(b" " * 1_000_000) for _ in itertools.count())


def _body() -> Iterator[bytes]:
    yield _OK + b"Connection: close\r\n\r\n"
    yield from itertools.repeat(b" " * 65536)


_ANSWERS = [
    _interim,
    _slow_interim,
    _head,
    _trailers,
    _slow_trailers,
    _extensions,
    _empty_blocks,
    _behind_the_end,
    _members,
    _bomb,
    _body,
]


def _ends_soon(run: Callable[[], object], seconds: float = 8) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(RegimportError):
        run()
    assert time.monotonic() - started < seconds
    # In KiB: a part of what the program may take altogether.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


@pytest.mark.parametrize("answer", _ANSWERS)
def test_an_endless_answer_to_the_first_request_of_a_command_ends_it(
    answer: Answer,
) -> None:
    def sender(method: str, path: str) -> Iterable[bytes]:
        del method, path
        return answer()

    with sending(sender) as there:
        _ends_soon(lambda: list(regimport.tags(f"{there}/app", options=_OPTIONS)))
        _ends_soon(lambda: regimport.manifest(f"{there}/app", options=_OPTIONS))


@pytest.mark.parametrize("answer", _ANSWERS)
def test_an_endless_answer_of_a_token_service_ends_the_command(
    answer: Answer,
) -> None:
    def sender(method: str, path: str) -> Iterable[bytes]:
        if path.startswith("/token"):
            return answer()
        challenge = f'Bearer realm="http://{there}/token",service="x"'
        return [
            f"HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n".encode()
        ]

    with sending(sender) as there:
        _ends_soon(lambda: regimport.digest(f"{there}/app", options=_OPTIONS))


def test_a_list_whose_pages_bring_nothing_ends_at_once() -> None:
    def script(heard: Heard) -> Say:
        number = int(heard.path.partition("last=")[2].partition("&")[0] or 0)
        link = f'</v2/app/tags/list?last={number + 1}&{"x" * 6000}>; rel="next"'
        return Say(200, {"Link": link}, b'{"name":"app","tags":[]}')

    with Scripted(script) as server:
        _ends_soon(lambda: list(regimport.tags(f"{server.address}/app", options=_OPTIONS)))
        assert len(server.heard) < 20


def test_a_link_of_60_kilobytes_is_refused() -> None:
    link = f'</v2/app/tags/list?{"x" * 60_000}>; rel="next"'
    with Scripted(lambda _: Say(200, {"Link": link}, b'{"tags":["a"]}')) as server:
        _ends_soon(lambda: list(regimport.tags(f"{server.address}/app", options=_OPTIONS)))
        assert len(server.heard) == 1


@pytest.mark.parametrize("command", ["tags", "digest", "inspect", "repositories"])
def test_a_registry_that_sends_a_byte_now_and_then_is_given_up_at_the_deadline(
    command: str,
) -> None:
    def sender(method: str, path: str) -> Iterator[bytes]:
        del method, path
        yield _OK + b"Connection: close\r\n\r\n"
        while True:
            yield b" "
            time.sleep(0.1)

    options = replace(_OPTIONS, deadline=1.5)
    with sending(sender) as there:
        runs: dict[str, Callable[[], object]] = {
            "tags": lambda: list(regimport.tags(f"{there}/app", options=options)),
            "repositories": lambda: list(regimport.repositories(there, options=options)),
            "digest": lambda: regimport.digest(f"{there}/app", options=options),
            "inspect": lambda: regimport.inspect(f"{there}/app", options=options),
        }
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            runs[command]()
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("command", ["tags", "digest", "inspect", "repositories"])
def test_the_commands_that_only_read_have_the_option(program: Program, command: str) -> None:
    name = "127.0.0.1:1" if command == "repositories" else "127.0.0.1:1/app"
    ended = program(command, "--deadline", "never", name)
    assert ended.code == 2
    assert "--deadline" in ended.err
