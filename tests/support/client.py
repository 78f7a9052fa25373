"""A client of registries that shares no code with regimport: it puts in, and reads all back."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Image, digest_of

_ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, "*/*"))


class Client:
    """Speaks with one registry a connection for each request."""

    def __init__(
        self,
        address: str,
        *,
        ca: Path | None = None,
        user: tuple[str, str] | None = None,
    ) -> None:
        self._address = address
        self._context = None if ca is None else ssl.create_default_context(cafile=str(ca))
        self._user = user
        self._authorization = ""

    def ask(
        self, method: str, url: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        for _ in range(2):
            if self._authorization:
                fields["Authorization"] = self._authorization
            answer = self._exchange(method, url, body, fields)
            if answer[0] != 401:
                break
            self._log_in(answer[1]["WWW-Authenticate"], url)
        return answer

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = (
            http.client.HTTPConnection(self._address, timeout=60)
            if self._context is None
            else http.client.HTTPSConnection(self._address, timeout=60, context=self._context)
        )
        with closing(connection):
            connection.request(method, url, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def push(self, repository: str, image: Image, *tags: str) -> None:
        for digest, content in image.blobs.items():
            self.push_blob(repository, digest, content)
        for digest, (media_type, raw) in image.manifests.items():
            self.put_manifest(repository, digest, media_type, raw)
        for tag in tags:
            self.put_manifest(repository, tag, image.media_type, image.raw)

    def push_blob(self, repository: str, digest: str, content: bytes) -> None:
        status, headers, said = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, said
        parts = urlsplit(headers["Location"])
        query = f"{parts.query}&digest={digest}" if parts.query else f"digest={digest}"
        status, _, said = self.ask(
            "PUT", f"{parts.path}?{query}", content, Content_Type="application/octet-stream"
        )
        assert status == 201, said

    def put_manifest(self, repository: str, reference: str, media_type: str, raw: bytes) -> None:
        url = f"/v2/{repository}/manifests/{reference}"
        status, _, said = self.ask("PUT", url, raw, Content_Type=media_type)
        assert status == 201, said

    def head(self, repository: str, reference: str) -> str | None:
        """The digest that a tag or digest has now."""
        url = f"/v2/{repository}/manifests/{reference}"
        status, headers, _ = self.ask("HEAD", url, Accept=_ACCEPT)
        return headers["Docker-Content-Digest"] if status == 200 else None

    def read_manifest(self, repository: str, reference: str) -> bytes:
        status, _, raw = self.ask("GET", f"/v2/{repository}/manifests/{reference}", Accept=_ACCEPT)
        assert status == 200, (reference, raw)
        return raw

    def read_all(self, repository: str, reference: str) -> dict[str, bytes]:
        """Everything under a reference, by digest, each hashed again."""
        found: dict[str, bytes] = {}
        self._walk(repository, reference, found)
        return found

    def has_blob(self, repository: str, digest: str) -> bool:
        return self.ask("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200

    def _walk(self, repository: str, reference: str, found: dict[str, bytes]) -> None:
        raw = self.read_manifest(repository, reference)
        digest = digest_of(raw)
        assert ":" not in reference or digest == reference
        found[digest] = raw
        document = json.loads(raw)
        for child in document.get("manifests") or ():
            self._walk(repository, child["digest"], found)
        config = [document["config"]] if document.get("config") else []
        for blob in config + (document.get("layers") or []):
            wanted = blob["digest"]
            status, _, content = self.ask("GET", f"/v2/{repository}/blobs/{wanted}")
            assert status == 200, wanted
            assert digest_of(content, wanted.partition(":")[0]) == wanted
            # A size that Go has not set is missing, 0 or -1.
            assert blob.get("size") in {None, 0, -1, len(content)}
            found[wanted] = content

    def _log_in(self, challenge: str, url: str) -> None:
        assert self._user is not None, challenge
        pair = base64.b64encode(":".join(self._user).encode()).decode()
        if challenge.lower().startswith("basic"):
            self._authorization = f"Basic {pair}"
            return
        fields = dict(part.split("=", 1) for part in challenge.partition(" ")[2].split('",'))
        realm = urlsplit(fields["realm"].strip('"'))
        repository = url.removeprefix("/v2/").split("/blobs/")[0].split("/manifests/")[0]
        query = urlencode(
            {"service": fields["service"].strip('"'), "scope": f"repository:{repository}:pull,push"}
        )
        connection = http.client.HTTPConnection(realm.netloc, timeout=60)
        connection.request(
            "GET", f"{realm.path}?{query}", headers={"Authorization": f"Basic {pair}"}
        )
        self._authorization = "Bearer " + json.loads(connection.getresponse().read())["token"]
        connection.close()
