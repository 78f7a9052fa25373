"""Moves an image and checks nothing: `python -IS bare.py http|https SOURCE TARGET`.

Eight loops between two sockets each. It neither hashes nor asks what is there, and only knows an
index of manifests in a new repository: what it takes, the registries, the kernel and Python take,
and a tool that does its duty takes more.
"""

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

_THREADS = 8
_PIECE = 1 << 20
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class _Own(threading.local):
    """What each thread has of its own."""

    def __init__(self) -> None:
        self.connections: dict[_End, http.client.HTTPConnection] = {}


class _End:
    """A repository; a connection to it for each thread."""

    def __init__(self, scheme: str, reference: str) -> None:
        self._https = scheme == "https"
        name, _, self.tag = reference.rpartition(":")
        self._host, _, repository = name.partition("/")
        self._path = f"/v2/{repository}"

    @property
    def connection(self) -> http.client.HTTPConnection:
        """This thread's own."""
        mine = _own.connections
        if self not in mine:
            kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            mine[self] = kind(self._host)
        return mine[self]

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> http.client.HTTPResponse:
        """One request."""
        self.connection.request(method, self._path + path, body, headers)
        answer = self.connection.getresponse()
        assert answer.status < 300, (method, path, answer.status)
        return answer

    def manifest(self, reference: str, media_type: str) -> bytes:
        """Its bytes."""
        return self.ask("GET", f"/manifests/{reference}", {"Accept": media_type}).read()

    def put(self, reference: str, media_type: str, raw: bytes) -> None:
        """Put a manifest."""
        self.ask("PUT", f"/manifests/{reference}", {"Content-Type": media_type}, raw).read()


_own = _Own()


def _move(source: _End, target: _End, digest: str) -> None:
    opened = target.ask("POST", "/blobs/uploads/", {"Content-Length": "0"})
    opened.read()
    blob = source.ask("GET", f"/blobs/{digest}", {})
    size = int(blob.headers["Content-Length"])
    writing = target.connection
    writing.putrequest("PUT", f"{opened.headers['Location']}&digest={digest}")
    writing.putheader("Content-Length", str(size))
    writing.putheader("Content-Type", "application/octet-stream")
    writing.endheaders()
    piece = memoryview(bytearray(min(_PIECE, size)))
    while size:
        read = blob.readinto(piece[:size])
        writing.send(piece[:read])
        size -= read
    blob.read()
    answer = writing.getresponse()
    answer.read()
    assert answer.status == 201, (digest, answer.status)


def main() -> None:
    """Copy."""
    scheme, *references = sys.argv[1:]
    source, target = (_End(scheme, reference) for reference in references)
    with ThreadPoolExecutor(_THREADS) as pool:
        index = source.manifest(source.tag, _INDEX)
        children = [child["digest"] for child in json.loads(index)["manifests"]]
        manifests = list(pool.map(lambda child: source.manifest(child, _MANIFEST), children))
        documents = [json.loads(raw) for raw in manifests]
        blobs = {
            blob["digest"]: blob["size"]
            for document in documents
            for blob in (document["config"], *document["layers"])
        }
        longest_first = sorted(blobs, key=lambda digest: -blobs[digest])
        list(pool.map(lambda digest: _move(source, target, digest), longest_first))
        named = zip(children, manifests, strict=True)
        list(pool.map(lambda one: target.put(one[0], _MANIFEST, one[1]), named))
        target.put(target.tag, _INDEX, index)


if __name__ == "__main__":
    main()
