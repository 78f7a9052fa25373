"""One registry, as one side of a copy speaks with it.

Every request goes through the same steps, in this order: the gate, the authorization, the
exchange with its redirects; and around them the retries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import httpx

from regimport._version import __version__
from regimport.errors import AccessDenied, BrokenTransfer, RegimportError, RegistryError, Side
from regimport.events import Reporter, Retrying
from regimport.models.credential import Credential
from regimport.models.reference import is_loopback
from regimport.options import CopyOptions
from regimport.redact import safe_url
from regimport.registry.challenge import Challenge, parse_challenges
from regimport.registry.gate import Gate
from regimport.registry.locations import Origin, redirect_target
from regimport.registry.responses import Answer, error_of, read_answer, retry_after
from regimport.registry.retry import RETRYABLE, Transient, repeat, unreachable
from regimport.registry.tokens import Authorizer, Scopes
from regimport.registry.transport import Transport

__all__ = ["SMALL", "Request", "Session"]

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Docker Hub's references name a host that does not serve the API.
_ENDPOINTS = {"docker.io": "registry-1.docker.io"}
# The most that is read of an answer, in bytes, where the request does not say otherwise.
SMALL = 1024 * 1024
_TOKEN_BYTES = 256 * 1024
_USER_AGENT = f"regimport/{__version__}"
# What may be said to a host that a registry sends us to; never who the user is.
_HEADERS_FOR_ANYONE = frozenset({"accept", "range"})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a registry: `url` is a path under /v2/ or an absolute URL.

    `content` streams a body of `length` bytes; such a request is never repeated by itself.
    `limit` bounds the answer's body, in bytes.
    """

    method: str
    url: str
    scopes: Scopes = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Iterable[bytes] | None = None
    limit: int = SMALL


class Session:
    """Speaks with one registry for one side of a copy; its threads share it."""

    def __init__(
        self,
        registry: str,
        side: Side,
        options: CopyOptions,
        credential: Callable[[str], Credential | None],
        reporter: Reporter,
        stop: threading.Event,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.registry = registry
        self.side = side
        self._options = options
        self._credential = credential
        self._reporter = reporter
        self._transport = transport or Transport()
        self._gate = Gate(stop)
        plain = registry in options.plain_http or is_loopback(registry)
        # A registry on this machine may speak TLS all the same; its first answer tells.
        self._may_speak_tls = plain and registry not in options.plain_http
        self._speak("http" if plain else "https")

    def __repr__(self) -> str:
        return f"<Session {self._base} as {self.side}: {self._gate!r}, {self._authorizer!r}>"

    @property
    def refused(self) -> AccessDenied | None:
        """The error, if the registry has refused the credentials for good."""
        return self._authorizer.refused

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def ask(self, request: Request) -> Answer:
        """Make a small request, again if need be, and give the answer, whatever its status."""
        return self._repeat(lambda: self._read(request, self._open(request)), request)

    @contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Open a large answer; a refusal is raised, after the retries it deserves.

        What breaks while its pieces are read is raised as `BrokenTransfer`.
        """

        def attempt() -> httpx.Response:
            response = self._open(request)
            if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                raise error_of(self._read(request, response))
            return response

        response = self._repeat(attempt, request)
        try:
            head = Answer(request.method, _url(response), response.status_code, response.headers)
            yield head, self._pieces(response)
        finally:
            response.close()

    def send(self, request: Request) -> Answer:
        """Make a request with a streaming body, once, and give the answer, whatever its status.

        Raises `BrokenTransfer` where the connection breaks, and whatever the body raises.
        """
        try:
            response = self._open(request)
            with _closing(response):
                return read_answer(request.method, _url(response), response, request.limit)
        except httpx.TransportError as error:
            raise self._broken(error) from error
        except Transient as failure:
            raise self._broken(failure) from failure

    def _speak(self, scheme: str) -> None:
        endpoint = _ENDPOINTS.get(self.registry, self.registry)
        self._base = f"{scheme}://{endpoint}"
        self._origin = Origin.of(self._base)
        self._authorizer = Authorizer(self._origin, self._credential, self._fetch)

    def _url_of(self, request: Request) -> str:
        absolute = request.url.startswith(("http://", "https://"))
        return request.url if absolute else f"{self._base}/v2/{request.url}"

    def _read(self, request: Request, response: httpx.Response) -> Answer:
        """Read an answer whole; raises `Transient` where another try may go better."""
        try:
            with _closing(response):
                answer = read_answer(request.method, _url(response), response, request.limit)
        except httpx.TransportError as error:
            raise unreachable(error, self.registry) from error
        if answer.status in RETRYABLE:
            raise self._not_now(answer)
        return answer

    def _not_now(self, answer: Answer) -> Transient:
        wait = retry_after(answer.headers, time.time())
        if wait is not None and wait <= self._options.retry.max_wait:
            self._gate.hold(wait)
        return Transient(error_of(answer), wait)

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_raw()
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

    def _open(self, request: Request) -> httpx.Response:
        """Make one attempt, with the authorization that the registry turns out to want."""
        self._gate.wait()
        url = self._url_of(request)
        own = Origin.of(url) == self._origin
        sent = self._authorizer.header(request.scopes) if own else None
        response = self._follow(request, url, sent)
        if self._may_speak_tls and self._wants_tls(response):
            return self._open(request)
        challenges = self._challenges(response)
        if not challenges:
            return response
        fresh = self._authorizer.renew(challenges, request.scopes, sent)
        if fresh is None or fresh == sent:
            return response
        _drain(response)
        if request.content is not None:
            raise BrokenTransfer(f"{self.registry} asked for a new token in mid-transfer")
        return self._follow(request, url, fresh)

    def _wants_tls(self, response: httpx.Response) -> bool:
        """Tell whether plain http was answered with "speak TLS"; then it is spoken from now on."""
        if response.status_code != HTTPStatus.BAD_REQUEST or self._base.startswith("https:"):
            self._may_speak_tls = False
            return False
        answer = read_answer("GET", _url(response), response, SMALL)
        response.stream = httpx.ByteStream(answer.body)
        response.is_stream_consumed = False
        if b"HTTPS" not in answer.body:
            return False
        _drain(response)
        self._speak("https")
        return True

    def _challenges(self, response: httpx.Response) -> tuple[Challenge, ...]:
        """Give what the registry asks for; nothing where it is not the registry that asks."""
        status = response.status_code
        if status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return ()
        if Origin.of(_url(response)) != self._origin:
            return ()
        values = response.headers.get_list("www-authenticate")
        challenges = parse_challenges(", ".join(values))
        if status == HTTPStatus.FORBIDDEN:
            # A token that is good, but not for this: worth one with more scopes, once.
            return tuple(c for c in challenges if c.params.get("error") == "insufficient_scope")
        return challenges

    def _follow(self, request: Request, url: str, authorization: str | None) -> httpx.Response:
        """Send a request, and follow redirects of what has no body.

        Each hop is built anew; off the registry's origin it carries nothing of the user's.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            own = Origin.of(url) == self._origin
            built = self._build(request, url, authorization if own else None, own=own)
            try:
                response = self._transport.handle_request(built)
            except httpx.TransportError as error:
                raise unreachable(error, self.registry) from error
            response.request = built
            if response.status_code not in _REDIRECTS or request.method not in {"GET", "HEAD"}:
                return response
            location = response.headers.get("location", "")
            _drain(response)
            url = redirect_target(url, location)
        raise RegistryError(
            f"{request.method} {safe_url(self._url_of(request))} was redirected more than "
            f"{_MAX_REDIRECTS} times",
            method=request.method,
            url=safe_url(url),
        )

    def _build(
        self, request: Request, url: str, authorization: str | None, *, own: bool
    ) -> httpx.Request:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
        headers |= {
            name: value
            for name, value in request.headers.items()
            if own or name.lower() in _HEADERS_FOR_ANYONE
        }
        if authorization is not None:
            headers["Authorization"] = authorization
        clocks = self._options.timeouts
        answer = clocks.idle if request.content is None else clocks.answer
        return httpx.Request(
            request.method,
            url,
            headers=headers,
            content=request.body if request.content is None else request.content,
            extensions={
                "timeout": {
                    "connect": clocks.connect,
                    "read": answer,
                    "write": clocks.idle,
                    "pool": None,
                }
            },
        )

    def _fetch(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask a token service: no redirects, no authorization but what the caller gives."""
        request = Request(method, url, headers=headers, body=body, limit=_TOKEN_BYTES)

        def attempt() -> Answer:
            self._gate.wait()
            authorization = headers.get("Authorization")
            built = self._build(request, url, authorization, own=True)
            try:
                response = self._transport.handle_request(built)
            except httpx.TransportError as error:
                raise unreachable(error, Origin.of(url).host) from error
            response.request = built
            return self._read(request, response)

        return self._repeat(attempt, request)

    def _repeat(self, attempt: Callable[[], _T], request: Request) -> _T:
        what = f"{request.method} {safe_url(self._url_of(request))}"
        policy = self._options.retry

        def tell(failure: Transient, number: int, delay: float) -> None:
            self._reporter.tell(
                Retrying(self.side, what, str(failure), number, policy.attempts, delay)
            )

        return repeat(attempt, policy, self._gate.sleep, tell)


@contextmanager
def _closing(response: httpx.Response) -> Iterator[None]:
    try:
        yield
    finally:
        response.close()


def _url(response: httpx.Response) -> str:
    return str(response.request.url)


def _drain(response: httpx.Response) -> None:
    """Read the little that is left of an answer, so that its connection can serve again."""
    try:
        with _closing(response):
            read_answer("GET", _url(response), response, SMALL)
    except (httpx.TransportError, RegimportError):
        pass
