"""Answers of a registry: read within bounds, and turned into errors that say what to do."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from regimport.errors import (
    AccessDenied,
    InvalidManifest,
    NotFound,
    RateLimited,
    RegimportError,
    RegistryError,
    Unreachable,
)
from regimport.large import LARGE_BYTES, begin_large, one_large
from regimport.redact import safe_text, safe_url
from regimport.transport.heads import coding_of
from regimport.values import dataclass

__all__ = [
    "REDIRECTS_OF_WRITES",
    "Answer",
    "body_of",
    "error_of",
    "read_answer",
    "refusal_of",
    "retry_after",
]

# The redirects that keep method and body (RFC 9110, sections 15.4.8 and 15.4.9).
REDIRECTS_OF_WRITES = frozenset({307, 308})

_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
# A page's title. Its tag is taken to be short: without a bound, a page of nothing but such tags,
# none of them closed, would be read once for each of them.
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{0,300})", re.IGNORECASE)
# What is kept of an error's body: enough for any message, too little to hurt.
_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `url` is the one that answered, after redirects.

    `asked` is the URL that led there from another origin, empty if none did.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    asked: str = ""

    def __repr__(self) -> str:
        """Return what was asked and its status, without what may be secret."""
        return f"<Answer {self.status} to {self.method} {safe_url(self.url)}>"

    @property
    def ok(self) -> bool:
        """Whether the status says that the request was fulfilled."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def body_of(response: httpx.Response) -> Iterator[bytes]:
    """Return the pieces of a body as they come, each good until the next; nothing is decoded.

    Unlike `Response.iter_raw` it takes answers that a test or a cache has made whole, too.
    """
    stream = response.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise httpx.LocalProtocolError("the transport is not a synchronous one")
    return iter(stream)


def read_answer(method: str, url: str, response: httpx.Response, limit: int) -> Answer:
    """Read a response whole, without its content coding.

    What is too long of an error is cut off. Raise `InvalidManifest` if a good answer is longer
    than `limit` bytes, `RegistryError` if its coding is not known, and `httpx.TransportError`.
    """
    ok = response.status_code < HTTPStatus.BAD_REQUEST
    most = limit if ok else _ERROR_BYTES
    body = b"" if method == "HEAD" else _read(method, url, response, most)
    if len(body) > most and ok:
        raise InvalidManifest(
            f"the answer to {method} {safe_url(url)} is longer than {limit} bytes",
            hint="no registry serves that; a proxy may have answered in its place",
        )
    asked: str = response.extensions.get("asked", "")
    return Answer(method, url, response.status_code, response.headers, body[:most], asked)


def _read(method: str, url: str, response: httpx.Response, most: int) -> bytes:
    """Return a body, decoded; of one that is longer than `most` bytes, more than these."""
    body = bytearray()
    with one_large():
        for piece in _decoded(method, url, response):
            body += piece
            if len(body) > LARGE_BYTES:
                begin_large()
            if len(body) > most:
                break
        return bytes(body)


def _decoded(method: str, url: str, response: httpx.Response) -> Iterator[bytes]:
    """Yield a body without its content coding; of an error, as much as can be decoded."""
    coding = coding_of(response.headers)
    if not coding:
        yield from body_of(response)
        return
    # Imported where it is met: no registry should send it.
    from regimport.transport.codings import UnknownCoding, decode  # noqa: PLC0415

    what = f"the answer to {method} {safe_url(url)}"
    try:
        yield from decode(coding, body_of(response))
    except UnknownCoding as error:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            raise RegistryError(
                f"{what} has the Content-Encoding {safe_text(coding, 40)}, which was not asked for",
                method=method,
                url=safe_url(url),
                status=response.status_code,
                hint="a proxy compresses the answers; exempt the registry from that",
            ) from error
    except zlib.error as error:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            words = f"{what} is not valid {safe_text(coding, 40)}: {error}"
            raise httpx.RemoteProtocolError(words) from error


def error_of(answer: Answer) -> RegimportError:
    """Turn an answer that refuses into the error to raise."""
    codes, text = _complaint(answer)
    path = safe_url(answer.url)
    said = f"{answer.method} {path} answered {answer.status}{_phrase(answer.status)}"
    if answer.asked:
        said = f"the storage that {safe_url(answer.asked)} leads to refuses: {said}"
    location = answer.headers.get("location", "")
    if location and not answer.ok and answer.status < HTTPStatus.BAD_REQUEST:
        said += f", a redirect to {safe_url(location)}"
    message = f"{said}: {text}" if text else said
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        later = "the registry is failing; try again later"
        if "no space left on device" in text:
            later = "the registry's disk is full; ask who runs it to make room"
        return Unreachable(message, status=answer.status, hint=later)
    kind, hint = _KINDS.get(answer.status, (RegistryError, None))
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED and answer.method in _WRITES:
        message = f"the registry does not accept writes: {message}"
        hint = "it may be a mirror, or read-only for now: ask who runs it, or name another target"
    if answer.asked and answer.status in _OF_STORAGE:
        # It was told nothing of an account: only the URL that the registry has signed.
        hint = "the registry has signed that URL: try again later, or ask who runs the registry"
    if "NAME_UNKNOWN" in codes and answer.method not in {"GET", "HEAD"}:
        hint = "create the repository (or project) at the target first; ECR and Harbor need that"
    return kind(
        message,
        method=answer.method,
        url=path,
        status=answer.status,
        codes=codes,
        digests=_DIGEST.findall(answer.body.decode("utf-8", "replace")) if codes else (),
        hint=hint,
    )


def refusal_of(answer: Answer) -> str:
    """Return status and words of an answer that refuses: `401 Unauthorized: no such user`."""
    text = _complaint(answer)[1]
    return f"{answer.status}{_phrase(answer.status)}" + (text and f": {text}")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, section 10.2.3), as seconds from `now`."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


_WRITES = frozenset({"PATCH", "POST", "PUT"})
_OF_STORAGE = frozenset({400, 401, 403, 404})
_KINDS: Mapping[int, tuple[type[RegistryError], str | None]] = {
    401: (
        AccessDenied,
        "check the credentials and their rights; `regimport auth explain` tells whose they are",
    ),
    403: (AccessDenied, "this account may not do that here; ask for the right to pull or push"),
    404: (NotFound, "check the spelling of the repository, and the tag or digest"),
    413: (
        RegistryError,
        "a proxy in front of the registry limits the size of a request; raise its limit",
    ),
    429: (
        RateLimited,
        "the registry limits how much it serves: `regimport ratelimit` shows it; log in, or wait",
    ),
}


def _complaint(answer: Answer) -> tuple[tuple[str, ...], str]:
    """Return the registry's error codes, and its message, safe to show."""
    try:
        document = json.loads(answer.body)
        errors = [error for error in document["errors"] if isinstance(error, dict)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return (), _words(answer.body)
    codes = tuple(
        safe_text(error["code"], 64) for error in errors if isinstance(error.get("code"), str)
    )
    texts = (
        ": ".join(
            part for part in (error.get("code"), error.get("message")) if isinstance(part, str)
        )
        for error in errors
    )
    return codes, safe_text("; ".join(dict.fromkeys(text for text in texts if text)))


def _words(body: bytes) -> str:
    """Return what a body that is not JSON says: a page's title, or its text."""
    text = body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    if title:
        return safe_text(title[1].strip())
    if "<html" in text[:512].lower():
        return "a web page"
    return safe_text(" ".join(text.split()))


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
