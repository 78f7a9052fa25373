"""A small registry on loopback that keeps its upload sessions, and breaks where it is told to."""

from __future__ import annotations

import hashlib
import json
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote

from support.images import Image, digest_of

Ranges = Literal["kept", "ignored", "shifted", "unsatisfiable", "encoded", "unnamed"]
Sessions = Literal["kept", "lost"]


@dataclass
class Ways:
    """How it behaves; every list is used up from its start, one entry a request."""

    # After so many bytes of a blob's body the connection ends.
    cut_downloads: list[int] = field(default_factory=list)
    # After so many bytes of any body nothing moves any more, in either direction.
    stall_downloads: int | None = None
    stall_uploads: int | None = None
    # The same once a session would have more than so many bytes.
    stall_at: int | None = None
    # It never answers the end of a session.
    deaf: bool = False
    # How it answers a request for a part of a blob.
    ranges: Ranges = "kept"
    # After so many bytes of an upload's body the connection ends.
    cut_uploads: list[int] = field(default_factory=list)
    # Whether a session that was cut is still there, with what came.
    sessions: Sessions = "kept"
    # Statuses to answer PATCH and PUT of sessions with, in the place of doing it; 0: do it.
    patches: list[int] = field(default_factory=list)
    puts: list[int] = field(default_factory=list)
    # The largest body that it takes: more is answered with 413.
    largest: int | None = None
    refuses_chunks: bool = False
    least_chunk: int | None = None
    # It says of every blob that it is there.
    lies: bool = False
    # So many manifests are refused, though all is there that they name; and whether what a
    # refusal misses is named, and with which status.
    lagging: int = 0
    names_missing: bool = True
    unknown_status: int = 400
    # What HEAD says of the manifests that were put: a status, or another digest.
    shown: list[int | str] = field(default_factory=list)
    # What PATCH answers, and whether its Range stands still.
    patched: int = 202
    frozen_range: bool = False


class Shaky:
    """The registry: one repository, `app`."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.stalled = threading.Event()
        self.deleting = threading.Event()
        self.sessions: dict[str, bytearray] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.served = 0
        self.taken = 0
        self.lock = threading.Lock()
        self._server = _Server(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self, "ways": ways})
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def count(self, method: str) -> int:
        """How many requests about blobs came with this method."""
        return sum(one.startswith(method) and "/blobs/" in one for one in self.asked)

    def keep(self, image: Image, *tags: str) -> None:
        self.blobs.update(image.blobs)
        self.manifests.update(image.manifests)
        self.manifests.update(dict.fromkeys(tags, image.manifests[image.root]))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def shaky(ways: Ways | None = None) -> Iterator[Shaky]:
    registry = Shaky(ways or Ways())
    try:
        yield registry
    finally:
        registry.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """What breaks off is meant to."""


class _Handler(BaseHTTPRequestHandler):
    registry: Shaky
    ways: Ways
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _note(self) -> None:
        self.registry.asked.append(f"{self.command} {self.path.partition('?')[0]}")

    def _say(self, status: int, **headers: str) -> None:
        self.send_response_only(status)
        headers.setdefault("Content_Length", "0")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _end(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _session(self) -> tuple[str, bytearray | None]:
        name = self.path.partition("?")[0].rpartition("/")[2]
        return name, self.registry.sessions.get(name)

    def _where(self, name: str, size: int) -> dict[str, str]:
        location = f"/v2/app/blobs/uploads/{name}?_state=secret{size}"
        return {"Location": location, "Range": f"0-{max(0, size - 1)}"}

    def do_HEAD(self) -> None:
        self._note()
        if "/manifests/" in self.path:
            self._manifest()
            return
        content = self.registry.blobs.get(self.path.rpartition("/")[2])
        if content is None and self.ways.lies:
            self.send_response_only(200)
            self.end_headers()
        elif content is None:
            self._say(404)
        else:
            self._say(200, Content_Length=str(len(content)))

    def do_GET(self) -> None:
        self._note()
        if "/manifests/" in self.path:
            self._manifest()
            return
        if "/uploads/" in self.path:
            name, held = self._session()
            if held is None:
                self._say(404)
            else:
                self._say(204, **self._where(name, len(held)))
            return
        content = self.registry.blobs[self.path.rpartition("/")[2]]
        asked = self.headers.get("Range")
        if asked is None:
            self._serve(200, content)
        else:
            self.registry.ranges.append(asked)
            self._serve_part(content, int(asked.removeprefix("bytes=").removesuffix("-")))

    def _manifest(self) -> None:
        media_type, raw = self.registry.manifests.get(self.path.rpartition("/")[2], ("", b""))
        if not raw:
            self._say(404)
            return
        digest = digest_of(raw)
        length = str(len(raw))
        if self.command == "HEAD" and self.ways.shown:
            shown = self.ways.shown.pop(0)
            if isinstance(shown, int):
                self._say(shown)
                return
            digest = shown
        self._say(200, Content_Type=media_type, Content_Length=length, Docker_Content_Digest=digest)
        if self.command == "GET":
            self.wfile.write(raw)

    def _put_manifest(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        missing = [one for one in _named(raw) if not self._has(one)]
        if missing or self.ways.lagging:
            self.ways.lagging = max(0, self.ways.lagging - 1)
            errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": missing or None}]
            if not self.ways.names_missing:
                del errors[0]["detail"]
            body = json.dumps({"errors": errors}).encode()
            self._say(self.ways.unknown_status, Content_Length=str(len(body)))
            self.wfile.write(body)
            return
        for reference in (self.path.rpartition("/")[2], digest_of(raw)):
            self.registry.manifests[reference] = (self.headers["Content-Type"], raw)
        self._say(201)

    def _has(self, digest: str) -> bool:
        return digest in self.registry.blobs or digest in self.registry.manifests

    def _stall(self) -> None:
        """Say and take nothing more until the client has gone."""
        self.registry.stalled.set()
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        poll.poll(20_000)
        self._end()

    def _serve_part(self, content: bytes, start: int) -> None:
        total, part = len(content), content[start:]
        named = {"Content_Range": f"bytes {start}-{total - 1}/{total}"}
        if self.ways.ranges == "kept":
            self._serve(206, part, **named)
        elif self.ways.ranges == "ignored":
            self._serve(200, content)
        elif self.ways.ranges == "shifted":
            shifted = f"bytes {start - 1}-{total - 1}/{total}"
            self._serve(206, content[start - 1 :], Content_Range=shifted)
        elif self.ways.ranges == "unsatisfiable":
            # As docker-registry 2.8.2: it promises a body that never comes.
            self._say(416, Content_Length=str(total))
            self.wfile.write(b"no")
            self._end()
        elif self.ways.ranges == "encoded":
            self._serve(206, part, **named, Content_Encoding="gzip")
        else:
            self._serve(206, part)

    def _serve(self, status: int, content: bytes, **headers: str) -> None:
        self._say(status, Content_Length=str(len(content)), **headers)
        if self.ways.stall_downloads is not None and len(content) > self.ways.stall_downloads:
            self.wfile.write(content[: self.ways.stall_downloads])
            self._stall()
            return
        most = self.ways.cut_downloads.pop(0) if self.ways.cut_downloads else len(content)
        self.wfile.write(content[:most])
        self.registry.served += min(most, len(content))
        if most < len(content):
            self._end()

    def do_POST(self) -> None:
        self._note()
        if self.ways.lies and "mount=" in self.path:
            self._say(201)
            return
        name = f"s{len(self.registry.asked)}"
        self.registry.sessions[name] = bytearray()
        extra = {}
        if self.ways.least_chunk is not None:
            extra["OCI-Chunk-Min-Length"] = str(self.ways.least_chunk)
        self._say(202, **self._where(name, 0), **extra)

    def _refuse(self, status: int) -> None:
        self._say(status, Connection="close", Content_Length="2")
        self.wfile.write(b"{}")
        # What still comes is read, or the answer might be lost with the connection.
        self.connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while self.connection.recv(65536):
                pass
        self.close_connection = True

    def _body(self, held: bytearray | None) -> bool:
        """Take the body in; False where the connection ended."""
        length = int(self.headers["Content-Length"])
        if self.ways.stall_uploads is not None and length > self.ways.stall_uploads:
            self.rfile.read(self.ways.stall_uploads)
            self._stall()
            return False
        if held is not None and self.ways.stall_at is not None:
            room = self.ways.stall_at - len(held)
            if length > room:
                held += self.rfile.read(room)
                self._stall()
                return False
        most = self.ways.cut_uploads.pop(0) if length and self.ways.cut_uploads else length
        body = self.rfile.read(min(most, length))
        self.registry.taken += len(body)
        if held is not None:
            held += body
        if most < length:
            if self.ways.sessions == "lost":
                self.registry.sessions.clear()
            self._end()
            return False
        return True

    def do_PATCH(self) -> None:
        self._note()
        name, held = self._session()
        length = int(self.headers["Content-Length"])
        start = int(self.headers["Content-Range"].partition("-")[0])
        told = self.ways.patches.pop(0) if self.ways.patches else 0
        if self.ways.refuses_chunks:
            told = 405
        elif self.ways.largest is not None and length > self.ways.largest:
            told = 413
        elif held is None:
            told = 404
        elif start != len(held):
            told = 416
        if told:
            self._refuse(told)
            return
        assert held is not None
        if self._body(held):
            where = self._where(name, len(held))
            if self.ways.frozen_range:
                where["Range"] = "0-9"
            self._say(self.ways.patched, **where)

    def do_PUT(self) -> None:
        self._note()
        if "/manifests/" in self.path:
            self._put_manifest()
            return
        name, held = self._session()
        told = self.ways.puts.pop(0) if self.ways.puts else 0
        if (
            self.ways.largest is not None
            and int(self.headers["Content-Length"]) > self.ways.largest
        ):
            told = 413
        elif held is None:
            told = 404
        if told:
            self._refuse(told)
            return
        assert held is not None
        if not self._body(held):
            return
        digest = unquote(re.search(r"digest=([^&]*)", self.path)[1])  # type: ignore[index]
        del self.registry.sessions[name]
        if hashlib.new(digest.partition(":")[0], held).hexdigest() != digest.partition(":")[2]:
            body = b'{"errors":[{"code":"DIGEST_INVALID"}]}'
            self._say(400, Content_Length=str(len(body)))
            self.wfile.write(body)
            return
        self.registry.blobs[digest] = bytes(held)
        self._say(201)

    def do_DELETE(self) -> None:
        self._note()
        self.registry.deleting.set()
        if self.ways.deaf:
            self._stall()
            return
        name, _ = self._session()
        self._say(204 if self.registry.sessions.pop(name, None) is not None else 404)


def _named(raw: bytes) -> list[str]:
    """The digests that a manifest names."""
    document = json.loads(raw)
    named = [*document.get("manifests", []), *document.get("layers", [])]
    return [one["digest"] for one in [*named, document.get("config")] if one]
