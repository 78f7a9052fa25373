"""One registry, as one side of a copy speaks with it.

Every attempt at a request goes through the gate, then through the authenticated client; around the
attempts stand the retries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

import httpx

from regimport.auth.lookup import CredentialLookup
from regimport.errors import AccessDenied, BrokenTransfer, RegimportError, Side
from regimport.events import Reporter, Retrying, Warned
from regimport.models.digest import Digest
from regimport.options import CopyOptions
from regimport.redact import safe_url
from regimport.registry.client import AuthenticatedClient
from regimport.registry.gate import Gate
from regimport.registry.notices import Notices
from regimport.registry.quota import Quota
from regimport.registry.rate import RequestRate
from regimport.registry.request import Request, url_of
from regimport.registry.retry import RETRYABLE, Transient, final_error, repeat, unreachable
from regimport.transport.answers import Answer, body_of, error_of, read_answer, retry_after
from regimport.transport.pool import PooledTransport

__all__ = ["Session"]

# How long to wait for an answer that is ignored, in seconds: while the copy is being stopped, and
# at other times.
_STOPPING_SECONDS = 0.7
_DISMISS_SECONDS = 2.0
_TOKEN_BYTES = 256 * 1024

_T = TypeVar("_T")


class Session:
    """Speaks with one registry for one side of a copy; its threads share it.

    `round_trip` is the shortest time in which it answered so far, in seconds, without handshakes
    and tokens. `quota` is what was spent of the pulls that it allows. `labelled_gzip` are blobs
    that are gzip files, which the registry labels as if that were a content coding. `notices` are
    those of the run that were shown. A `transport` that is not `owned` is never closed.
    """

    def __init__(
        self,
        registry: str,
        side: Side,
        options: CopyOptions,
        lookup: CredentialLookup,
        reporter: Reporter,
        stop: threading.Event,
        transport: httpx.BaseTransport | None = None,
        rate: RequestRate | None = None,
        *,
        owned: bool = True,
        notices: Notices | None = None,
    ) -> None:
        self.registry = registry
        self.side = side
        self._policy = options.retry
        self._reporter = reporter
        self._notices = notices or Notices()
        self.round_trip: float | None = None
        self.quota = Quota()
        self.labelled_gzip: set[Digest] = set()
        self._lookup = lookup
        self._gate = Gate(stop, rate)
        self._transport = PooledTransport() if transport is None else transport
        self._owned = owned
        self._client = AuthenticatedClient(registry, options, lookup, self._fetch, self._transport)

    def __repr__(self) -> str:
        return f"<Session as {self.side}: {self._gate!r}, {self._client!r}>"

    @property
    def refused(self) -> AccessDenied | None:
        """The error, if the registry has refused the credentials for good."""
        return self._client.refused

    def remark(self, repository: str) -> str | None:
        """Say what stood in the way of a credential for a repository, None if nothing did."""
        return self._lookup.remark(repository)

    def warn(self, message: str) -> None:
        """Report a warning."""
        self._reporter.tell(Warned(message))

    def warm(self) -> None:
        """Open a connection ahead of need."""
        self._client.warm()

    def pause(self) -> None:
        """Wait as long as before a first repetition; raise `Interrupted` if stopped meanwhile."""
        self._gate.sleep(self._policy.delay(1))

    def place_of(self, url: str) -> str | None:
        """Return what of an absolute URL stands below `/v2/` of this registry; None elsewhere."""
        base = self.url_of("")
        return url.removeprefix(base) if url.startswith(base) else None

    def url_of(self, path: str) -> str:
        """Return the absolute URL of a path below `/v2/`."""
        return self._client.url_of(Request("GET", path))

    def close(self) -> None:
        """Close the connections, unless they belong to somebody else."""
        if self._owned:
            self._transport.close()

    def abort(self) -> None:
        """Break off the large bodies that are on their way; `dismiss` goes on working."""
        if self._owned and isinstance(self._transport, PooledTransport):
            self._transport.abort()

    def dismiss(self, request: Request) -> None:
        """Make a request whose answer is ignored, also when the copy is being stopped.

        It is not made while the registry wants to be left alone, and nobody waits long for it.
        """
        if self._gate.held:
            return
        timeout = _STOPPING_SECONDS if self._gate.stopped else _DISMISS_SECONDS
        for _ in range(2):  # once more, should its connection just have been broken off
            try:
                self._client.open(replace(request, timeout=timeout)).close()
            except (RegimportError, httpx.TransportError, Transient):
                continue
            return

    def peek(self, request: Request) -> Answer | None:
        """Make a small request once, of which nothing depends; None if it fails.

        It slows no other request down, and is not made while the registry wants to be left alone.
        """
        if self._gate.held or self._gate.stopped:
            return None
        try:
            with closing(
                self._client.open_as_is(replace(request, timeout=_DISMISS_SECONDS))
            ) as response:
                return read_answer(request.method, url_of(response), response, request.limit)
        except (RegimportError, httpx.TransportError, Transient):
            return None

    def ask(self, request: Request) -> Answer:
        """Make a small request, again if need be, and return the answer, whatever its status."""

        def attempt() -> Answer:
            with self._gate.passage() as mark:
                return self._read(request, self._open(request), mark)

        return self._repeat(attempt, request)

    @contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Open a large answer; a refusal is raised, after the retries it deserves.

        What breaks while its pieces are read is raised as `BrokenTransfer`.
        """

        def attempt() -> tuple[httpx.Response, ExitStack]:
            with ExitStack() as stack:
                mark = stack.enter_context(self._gate.passage())
                response = self._open(request)
                self._check_large(request, response, mark)
                stack.callback(response.close)
                return response, stack.pop_all()

        response, stack = self._repeat(attempt, request)
        with stack:
            url = url_of(response)
            head = Answer(request.method, url, response.status_code, response.headers)
            yield head, self._pieces(response)

    def send(self, request: Request) -> Answer:
        """Make a request with a streaming body, once, and return the answer, whatever its status.

        Raise `BrokenTransfer` where the connection breaks, the answer's error where it asks to
        wait for longer than is allowed, and whatever the body raises.
        """
        with self._gate.passage(room=False) as mark:
            try:
                response = self._open(request)
                with closing(response):
                    url = url_of(response)
                    answer = read_answer(request.method, url, response, request.limit)
            except (httpx.TransportError, Transient) as error:
                raise self._broken(error) from error
            if answer.status in RETRYABLE:
                self._honor_retry_after(answer, mark)
            return answer

    def _open(self, request: Request) -> httpx.Response:
        response = self._client.open(request)
        self.quota.note(request.method, request.url, response)
        if "asked" not in response.extensions:
            for text in self._notices.new(self.registry, response.headers):
                self.warn(f"{self.registry} says: {text}")
        if request.content is None:
            took: float = response.extensions["round_trip"]
            self.round_trip = took if self.round_trip is None else min(self.round_trip, took)
        return response

    def _check_large(self, request: Request, response: httpx.Response, mark: int) -> None:
        """Raise the error of an answer that is not what was asked for."""
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Not read: some say that its body is as long as the blob, and it is not.
            response.close()
            url = url_of(response)
            raise error_of(Answer(request.method, url, response.status_code, response.headers))
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise error_of(self._read(request, response, mark))
        self._gate.good()

    def _read(self, request: Request, response: httpx.Response, mark: int | None = None) -> Answer:
        """Read an answer whole; raise `Transient` where another try may go better."""
        try:
            with closing(response):
                url = url_of(response)
                answer = read_answer(request.method, url, response, request.limit)
        except httpx.TransportError as error:
            raise unreachable(error, self.registry) from error
        if answer.status in RETRYABLE:
            raise self._transient(answer, mark)
        self._gate.good()
        return answer

    def _transient(self, answer: Answer, mark: int | None) -> Transient:
        wait = retry_after(answer.headers, time.time())
        if wait is not None and wait <= self._policy.max_wait:
            self._gate.hold(wait)
        if mark is not None and (wait or answer.status == HTTPStatus.TOO_MANY_REQUESTS):
            self._gate.crowded(mark)
        return Transient(error_of(answer), wait)

    def _honor_retry_after(self, answer: Answer, mark: int) -> None:
        """Hold later requests back for `Retry-After`; raise if that is longer than `max_wait`."""
        failure = self._transient(answer, mark)
        if failure.retry_after is not None and failure.retry_after > self._policy.max_wait:
            raise final_error(failure, attempts=1)

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            yield from body_of(response)
        except httpx.TransportError as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> BrokenTransfer:
        reason = str(error) or type(error).__name__
        return BrokenTransfer(
            f"the transfer with {self.registry} broke: {reason}",
            hint="check the network; what is finished stays, and a rerun goes on from there",
            side=self.side,
            registry=self.registry,
        )

    def _fetch(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask a token service, once and with what the caller gives: redirects are the caller's."""
        request = Request(method, url, headers=headers, body=body, limit=_TOKEN_BYTES)

        def attempt() -> Answer:
            self._gate.wait()
            return self._read(request, self._client.send_elsewhere(request, url))

        return self._repeat(attempt, request)

    def _repeat(self, attempt: Callable[[], _T], request: Request) -> _T:
        policy = self._policy

        def tell(failure: Transient, number: int, delay: float) -> None:
            what = f"{request.method} {safe_url(self._client.url_of(request))}"
            self._reporter.tell(
                Retrying(self.side, what, str(failure), number, policy.attempts, delay)
            )

        return repeat(attempt, policy, self._gate.sleep, tell)
