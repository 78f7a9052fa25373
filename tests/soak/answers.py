"""What a hostile registry answers: mostly what a good one would, and now and then an attack."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator

from support.images import OCI_INDEX, OCI_MANIFEST, Image, many_platforms, nested, single

_JSON = "application/json"
_SURROGATE = '"\\ud83d"'
# Documents that look like those of the specification, or like none.
_DOCUMENTS = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"<html><title>x</title>",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"tags":[' + b"{}," * 3_000_000 + b"{}]}",
    b'{"schemaVersion":2,"layers":[],"manifests":[]}',
    b'{"schemaVersion":2,"layers":[],"LAYERS":[]}',
    b'{"schemaVersion":1,"fsLayers":[]}',
    b'{"schemaVersion":2,"config":5,"layers":[7]}',
    b'{"schemaVersion":2,"layers":[{"digest":"sha256:../..","size":1e999}]}',
    b'{"schemaVersion":2,"layers":[],"x":[' + b"{}," * 2_000_000 + b"{}]}",
    b'{"schemaVersion":2,"manifests":[' + b"1," * 20_000 + b"1]}",
    f'{{"errors":[{{"code":{_SURROGATE},"message":{_SURROGATE},"detail":[]}}]}}'.encode(),
    f'{{"name":{_SURROGATE},"tags":[{_SURROGATE},null,"ok"]}}'.encode(),
    f'{{"token":{_SURROGATE},"expires_in":1e308}}'.encode(),
    b'{"token":"","access_token":7,"expires_in":"x"}',
    b'{"token":"' + b"x" * 2_000_000 + b'"}',
    b'{"tags":["' + b"x" * 9_000_000 + b'"]}',
    b'{"repositories":["..","/","a//b","ok"]}',
)
_HEADERS = (
    "Content-Length: 99999999999999999999999999",
    "Content-Length: -1",
    "Content-Length: 5\r\nContent-Length: 6",
    "Transfer-Encoding: gzip, chunked",
    "Content-Encoding: gzip",
    "Content-Encoding: br, gzip, deflate",
    "Docker-Content-Digest: sha256:xyz",
    "Docker-Content-Digest: sha512:" + "0" * 128,
    "Content-Type: " + "x" * 5000,
    "Content-Type: application/vnd.docker.distribution.manifest.v1+json",
    "Location: //[::1/x",
    "Location: http://169.254.169.254/x",
    "Location: /v2/\r\nLocation: /v3/",
    "Range: 5-1",
    "Retry-After: 99999999999999",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
    'WWW-Authenticate: Bearer realm="http://[",,,=',
    'WWW-Authenticate: Basic realm="' + "x" * 9000 + '"',
    "Warning: 299 - " + "x" * 9000,
    "RateLimit-Limit: x;w=-5",
    "OCI-Chunk-Min-Length: 99999999999999999999",
    'Link: </v2/app/tags/list?last=1>; rel="next"',
    "Link: <" + "x" * 60_000 + ">; rel=next",
    "Date: x\r\nX-Folded: a\r\n b",
    "\x00: x",
)
_STATUSES = (100, 101, 200, 201, 202, 204, 206, 301, 304, 307, 400, 401, 403, 404, 405, 409, 416)
_FAILURES = (418, 429, 500, 502, 503, 504, 599, 600, 999)
# No attack goes on for longer by itself, in seconds; the other side has to end it before.
_LONGEST = 20.0


def head(status: int, *lines: str) -> bytes:
    """The head of an answer behind which the connection ends."""
    fields = "".join(f"{line}\r\n" for line in (*lines, "Connection: close"))
    return f"HTTP/1.1 {status} x\r\n{fields}\r\n".encode("latin-1")


class Answers:
    """The answers of one registry; `chance` is how many are attacks. Shared by threads."""

    def __init__(self, seed: str, chance: float) -> None:
        self.address = ""
        self._lot = random.Random(seed)
        self._chance = chance
        image = self._lot.choice((single, many_platforms, nested))()
        if self._lot.random() < 0.2:
            image = _unfolding(self._lot.randrange(1, 9), self._lot.randrange(1, 30))
        self._blobs = dict(image.blobs)
        self._manifests = dict(image.manifests)
        self._manifests["latest"] = (image.media_type, image.raw)
        self._token = self._lot.random() < 0.3

    def answer(self, method: str, path: str) -> Iterator[bytes]:
        """Yield the pieces of an answer."""
        if self._lot.random() < self._chance:
            return self._lot.choice(_ATTACKS)(self, method, path)
        return self.honest(method, path)

    def honest(self, method: str, path: str) -> Iterator[bytes]:
        """Answer as a registry does, that takes everything and stores nothing."""
        path, _, _ = path.partition("?")
        name = path.rpartition("/")[2]
        if path.startswith("/token"):
            yield _whole(200, b'{"token":"t"}', _JSON, method)
        elif method in {"POST", "PATCH"}:
            yield head(
                202, f"Location: /v2/app/blobs/uploads/{self._lot.random()}", "Content-Length: 0"
            )
        elif method in {"PUT", "DELETE"}:
            yield head(201, f"Location: {path}", "Content-Length: 0")
        elif name in {"list", "_catalog"}:
            names = b'{"name":"app","tags":["1","2"],"repositories":["app"]}'
            yield _whole(200, names, _JSON, method)
        elif "/manifests/" in path:
            kind, raw = self._manifests.get(name, ("", b""))
            yield _whole(200 if raw else 404, raw, kind, method)
        elif "/blobs/" in path:
            raw = self._blobs.get(name, b"")
            yield _whole(200 if name in self._blobs else 404, raw, "x/y", method)
        elif self._token:
            challenge = f'Bearer realm="http://{self.address}/token",service="s"'
            yield head(401, f"WWW-Authenticate: {challenge}", "Content-Length: 0")
        else:
            yield _whole(200, b"{}", _JSON, method)

    def _document(self, method: str, path: str) -> Iterator[bytes]:
        del path
        kind = self._lot.choice((OCI_INDEX, OCI_MANIFEST, _JSON, ""))
        status = self._lot.choice((200, 200, *_STATUSES, *_FAILURES))
        yield _whole(status, self._lot.choice(_DOCUMENTS), kind, method)

    def _fields(self, method: str, path: str) -> Iterator[bytes]:
        lines = self._lot.sample(_HEADERS, self._lot.randrange(1, 4))
        yield head(self._lot.choice((*_STATUSES, *_FAILURES)), *lines)
        yield b"".join(self.honest(method, path)).partition(b"\r\n\r\n")[2]

    def _changed(self, method: str, path: str) -> Iterator[bytes]:
        raw = bytearray(b"".join(self.honest(method, path)))
        for _ in range(self._lot.randrange(1, 5)):
            raw[self._lot.randrange(len(raw))] = self._lot.randrange(256)
        yield bytes(raw[: self._lot.choice((None, self._lot.randrange(len(raw))))])

    def _redirect(self, method: str, path: str) -> Iterator[bytes]:
        del method
        there = self._lot.choice((path, f"http://{self.address}{path}", "/v2/", "ftp://x/", "//"))
        yield head(self._lot.choice((301, 302, 303, 307, 308)), f"Location: {there}")

    def _endless(self, method: str, path: str) -> Iterator[bytes]:
        del method, path
        until = time.monotonic() + _LONGEST
        start, piece = self._lot.choice(_ENDLESS)
        yield start
        pause = self._lot.choice((0.0, 0.0, 0.2))
        while time.monotonic() < until:
            yield piece
            if pause:
                time.sleep(pause)

    def _silence(self, method: str, path: str) -> Iterator[bytes]:
        raw = b"".join(self.honest(method, path))
        yield raw[: self._lot.randrange(len(raw))]
        time.sleep(_LONGEST / 4)

    def _pages(self, method: str, path: str) -> Iterator[bytes]:
        del method, path
        number = self._lot.randrange(10**9)
        tags = [f"t{number}-{n}" for n in range(self._lot.choice((0, 1, 50_000)))]
        link = f'Link: </v2/app/tags/list?last={number}{"x" * 4000}>; rel="next"'
        yield head(200, link)
        yield json.dumps({"name": "app", "tags": tags, "repositories": tags}).encode()

    def _large(self, method: str, path: str) -> Iterator[bytes]:
        """A manifest of many MiB, which hashes to what it is asked for by nobody."""
        del method, path
        pieces = (b"{},", b'"\xf0\x9f\x98\x80",', b'{"a":{}},', b"1,")
        filler = self._lot.choice(pieces)
        yield head(200, f"Content-Type: {OCI_MANIFEST}")
        yield b'{"schemaVersion":2,"layers":[],"x":['
        yield from itertools.repeat(filler * 20_000, self._lot.randrange(1, 300))
        yield b"1]}"


_ATTACKS: tuple[Callable[[Answers, str, str], Iterator[bytes]], ...] = (
    Answers._document,
    Answers._document,
    Answers._fields,
    Answers._fields,
    Answers._changed,
    Answers._redirect,
    Answers._endless,
    Answers._silence,
    Answers._pages,
    Answers._large,
)
_GZIP = head(200, "Content-Encoding: gzip")
_CHUNKED = head(200, "Transfer-Encoding: chunked")
_ENDLESS = (
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 500),
    (_CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 500),
    (_CHUNKED + b"2;", b"x" * 10_000),
    (_CHUNKED, b"1\r\n \r\n" * 500),
    (_GZIP + gzip.compress(b"{}")[:10], b"\0\0\0\xff\xff" * 2000),
    (_GZIP + gzip.compress(b"{}"), b"\0" * 10_000),
    (_GZIP, gzip.compress(b"") * 500),
    (_GZIP, gzip.compress(b" " * 10_000_000)),
    (head(200), b" " * 60_000),
)


def _whole(status: int, body: bytes, kind: str, method: str) -> bytes:
    digest = f"Docker-Content-Digest: sha256:{hashlib.sha256(body).hexdigest()}"
    start = head(status, f"Content-Length: {len(body)}", f"Content-Type: {kind}", digest)
    return start if method == "HEAD" else start + body


def _unfolding(levels: int, mentions: int) -> Image:
    """Indexes of which each names the next one many times."""
    image = single()
    child: dict[str, object] = {
        "mediaType": OCI_MANIFEST,
        "digest": image.root,
        "size": len(image.raw),
    }
    for _ in range(levels):
        child = image.index([child] * mentions)
    return image
