"""A client that says exactly what a test wants said, over real sockets."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from layout.images import Image
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import ACCEPT_MANIFESTS


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        return self.headers["location"]

    @property
    def codes(self) -> list[str]:
        """The error codes, from a body that has the form the specification gives."""
        errors = self.json()["errors"]
        assert self.headers["content-type"].startswith("application/json")
        assert all(isinstance(error["message"], str) for error in errors)
        return [error["code"] for error in errors]

    def json(self) -> dict[str, Any]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


class Client:
    """One connection to a registry."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=30)

    def close(self) -> None:
        self.connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        **headers: str | None,
    ) -> Answer:
        """Make a request; a header `content_type` is Content-Type."""
        url = urlsplit(path)
        target = f"{url.path}?{url.query}" if url.query else url.path
        named = {name.replace("_", "-"): text for name, text in headers.items() if text}
        self.connection.request(method, target, body, named)
        response = self.connection.getresponse()
        names = {name.lower(): text for name, text in response.getheaders()}
        return Answer(response.status, names, response.read())

    def start(self, name: str, query: str = "") -> Answer:
        return self.ask("POST", f"/v2/{name}/blobs/uploads/{query}")

    def finish(
        self, location: str, digest: str, body: bytes | None = None, **headers: str
    ) -> Answer:
        separator = "&" if "?" in location else "?"
        path = f"{location}{separator}digest={quote(digest, safe='')}"
        return self.ask("PUT", path, body or b"", **headers)

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(content, algorithm)
        answer = self.finish(self.start(name).location, digest, content)
        assert answer.status == 201, answer
        return digest

    def put(self, name: str, manifest: Manifest, reference: str | None = None) -> Answer:
        path = f"/v2/{name}/manifests/{reference or manifest.digest}"
        return self.ask("PUT", path, manifest.raw, content_type=manifest.media_type)

    def push(self, name: str, image: Image, *tags: str) -> None:
        """Push an image: all that is below the root, then the root under each tag."""
        for digest, content in image.blobs.items():
            self.push_blob(name, content, digest.algorithm)
        for manifest in image.manifests[:-1]:
            assert self.put(name, manifest).status == 201
        for reference in tags or (None,):
            answer = self.put(name, image.root, reference)
            assert answer.status == 201, answer

    def get_manifest(self, name: str, reference: str) -> Answer:
        path = f"/v2/{name}/manifests/{reference}"
        return self.ask("GET", path, accept=ACCEPT_MANIFESTS)

    def get_blob(self, name: str, digest: str, **headers: str) -> Answer:
        return self.ask("GET", f"/v2/{name}/blobs/{digest}", None, **headers)

    def tags(self, name: str) -> object:
        return self.ask("GET", f"/v2/{name}/tags/list").json().get("tags")
