"""A small registry in memory, with a door that a test may choose: who gets in, and how.

It runs on a `Scripted` server, so that all that was asked of it is recorded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from support.images import OCI_INDEX, Image, digest_of
from support.scripted import Heard, Say

Door = Callable[[Heard], Say | None]

_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
_BLOB = re.compile(r"/v2/(.+)/blobs/([^/]+)")
_UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/[^/]*")
_REFERRERS = re.compile(r"/v2/(.+)/referrers/([^/]+)")
_TAGS = re.compile(r"/v2/(.+)/tags/list")


def complaint(status: int, code: str, message: str = "no", **headers: str) -> Say:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Say(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def as_json(document: object, status: int = 200) -> Say:
    return Say(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def entry_of(digest: str, media_type: str, raw: bytes) -> dict[str, object]:
    """The descriptor of a referrer, as an index lists it."""
    document = json.loads(raw)
    kind = document.get("artifactType") or document["config"]["mediaType"]
    entry = {"mediaType": media_type, "digest": digest, "size": len(raw), "artifactType": kind}
    annotations = document.get("annotations")
    return entry | ({"annotations": annotations} if annotations else {})


def everybody(_: Heard) -> Say | None:
    return None


def repository_of(heard: Heard) -> str:
    """The repository that a request is about, nothing for a ping."""
    path = urlsplit(heard.path).path
    match = _MANIFEST.fullmatch(path) or _UPLOAD.fullmatch(path) or _BLOB.fullmatch(path)
    match = match or _TAGS.fullmatch(path)
    return match[1] if match else ""


@dataclass
class BasicDoor:
    """Lets in who knows a name and a password."""

    users: Mapping[str, str]
    challenge: str = 'Basic realm="registry"'

    def __call__(self, heard: Heard) -> Say | None:
        known = {basic(name, password) for name, password in self.users.items()}
        if heard.authorization in known:
            return None
        return complaint(401, "UNAUTHORIZED", WWW_Authenticate=self.challenge)


@dataclass
class TokenDoor:
    """Lets in who has a token, and gives tokens out at /token; quirks are its fields."""

    users: Mapping[str, str]
    realm: str = ""
    path: str = "/token"
    service: str = "registry.test"
    scope: str | None = None  # what the challenge says; None: what the request needs
    anonymous: bool = False  # whether nobody in particular may pull
    most_scopes: int = 100
    reply: Mapping[str, object] = field(default_factory=lambda: {"expires_in": 300})
    name: str = "token"  # of the member that holds the token
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    tokens: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __call__(self, heard: Heard) -> Say | None:
        if urlsplit(heard.path).path == self.path:
            return self.give(heard)
        needed = self._needed(heard)
        token = (heard.authorization or "").removeprefix("Bearer ")
        if token in self.tokens and (not needed or self._allows(self.tokens[token], needed)):
            return None
        return complaint(401, "UNAUTHORIZED", WWW_Authenticate=self.challenge(heard, needed))

    def challenge(self, heard: Heard, needed: str) -> str:
        realm = self.realm or f"http://{heard.headers['Host']}{self.path}"
        parts = [f'Bearer realm="{realm}"', f'service="{self.service}"']
        scope = needed if self.scope is None else self.scope
        return ",".join([*parts, f'scope="{scope}"'] if scope else parts)

    def give(self, heard: Heard) -> Say:
        query = parse_qs(urlsplit(heard.path).query)
        self.asked.append(query)
        scopes = query.get("scope", [])
        if len(scopes) > self.most_scopes:
            return complaint(400, "DENIED", "too many scopes")
        known = {basic(name, password) for name, password in self.users.items()}
        if heard.authorization in known:
            return self.grant(tuple(scopes))
        if heard.authorization is None and self.anonymous:
            return self.grant(tuple(scope for scope in scopes if scope.endswith(":pull")))
        return complaint(401, "UNAUTHORIZED", "incorrect username or password")

    def grant(self, scopes: tuple[str, ...]) -> Say:
        token = secrets.token_hex(12)
        self.tokens[token] = scopes
        return as_json({self.name: token, **self.reply})

    def _needed(self, heard: Heard) -> str:
        repository = repository_of(heard)
        if not repository:
            return ""
        actions = "pull" if heard.method in {"GET", "HEAD"} else "pull,push"
        return f"repository:{repository}:{actions}"

    def _allows(self, granted: tuple[str, ...], needed: str) -> bool:
        name, _, actions = needed.rpartition(":")
        wanted = set(actions.split(","))
        return any(
            scope.rpartition(":")[0] == name and wanted <= set(scope.rpartition(":")[2].split(","))
            for scope in granted
        )


class Miniature:
    """The registry: what it keeps, and what it answers once the door has let a request in."""

    def __init__(self, door: Door = everybody) -> None:
        self.door = door
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.storage = ""  # where blobs are served from, if not from here
        self.must_exist: set[str] | None = None  # the repositories that there are, if that counts
        self.lists_referrers = False  # whether it has the API for them
        self.page = 1000  # how many of them it lists at once

    def hold(self, repository: str, image: Image, tag: str = "latest") -> None:
        self.blobs.setdefault(repository, {}).update(image.blobs)
        kept = self.manifests.setdefault(repository, {})
        kept.update(image.manifests)
        kept[tag] = (image.media_type, image.raw)

    def holds(self, repository: str, image: Image, tag: str = "latest") -> bool:
        blobs = {**self.blobs.get(repository, {})}
        kept = self.manifests.get(repository, {})
        return (
            all(blobs.get(digest) == content for digest, content in image.blobs.items())
            and all(kept.get(digest) == found for digest, found in image.manifests.items())
            and kept.get(tag) == (image.media_type, image.raw)
        )

    def __call__(self, heard: Heard) -> Say:
        return self.door(heard) or self.answer(heard)

    def answer(self, heard: Heard) -> Say:
        path, _, query = heard.path.partition("?")
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        if match := _UPLOAD.fullmatch(path):
            return self.upload(heard, match[1], fields)
        if match := _MANIFEST.fullmatch(path):
            return self.manifest(heard, match[1], match[2])
        if match := _BLOB.fullmatch(path):
            return self.blob(heard, match[1], match[2])
        if match := _TAGS.fullmatch(path):
            return self.tags(match[1])
        if (match := _REFERRERS.fullmatch(path)) and self.lists_referrers:
            return self.referrers(match[1], match[2], fields)
        return as_json({}) if path == "/v2/" else complaint(404, "NOT_FOUND")

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        if heard.method == "PUT":
            digest = digest_of(heard.body)
            kept = self.manifests.setdefault(repository, {})
            kept[reference] = kept[digest] = (heard.headers["Content-Type"], heard.body)
            headers = {"Location": heard.path, "Docker-Content-Digest": digest}
            subject = json.loads(heard.body).get("subject")
            if subject and self.lists_referrers:
                headers["OCI-Subject"] = subject["digest"]
            return Say(201, headers)
        found = self.manifests.get(repository, {}).get(reference)
        if found is None:
            return complaint(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": found[0], "Docker-Content-Digest": digest_of(found[1])}
        return Say(200, headers | {"Content-Length": str(len(found[1]))}, found[1])

    def blob(self, heard: Heard, repository: str, digest: str) -> Say:
        found = self.blobs.get(repository, {}).get(digest)
        if found is None:
            return complaint(404, "BLOB_UNKNOWN")
        if self.storage and heard.method == "GET":
            return Say(307, {"Location": f"{self.storage}/{digest}?signature=s3cret"})
        return Say(200, {"Docker-Content-Digest": digest, "Content-Length": str(len(found))}, found)

    def upload(self, heard: Heard, repository: str, query: Mapping[str, str]) -> Say:
        if self.must_exist is not None and repository not in self.must_exist:
            return complaint(404, "NAME_UNKNOWN", f"no repository named {repository}")
        if heard.method == "DELETE":
            return Say(204)
        if heard.method == "PUT":
            algorithm, _, wanted = query["digest"].partition(":")
            if hashlib.new(algorithm, heard.body).hexdigest() != wanted:
                return complaint(400, "DIGEST_INVALID")
            self.blobs.setdefault(repository, {})[query["digest"]] = heard.body
            return Say(201, {"Location": f"/v2/{repository}/blobs/{query['digest']}"})
        held = self.blobs.get(query.get("from", ""), {}).get(query.get("mount", ""))
        if held is not None:
            self.blobs.setdefault(repository, {})[query["mount"]] = held
            return Say(201, {"Location": f"/v2/{repository}/blobs/{query['mount']}"})
        return Say(202, {"Location": self.session(repository)})

    def session(self, repository: str) -> str:
        return f"/v2/{repository}/blobs/uploads/{secrets.token_hex(4)}?_state=x"

    def tags(self, repository: str) -> Say:
        kept = self.manifests.get(repository, {})
        return as_json({"name": repository, "tags": [tag for tag in kept if ":" not in tag]})

    def referrers(self, repository: str, subject: str, query: Mapping[str, str]) -> Say:
        kept = self.manifests.get(repository, {})
        found = [
            entry_of(digest, media_type, raw)
            for digest, (media_type, raw) in kept.items()
            if ":" in digest and (json.loads(raw).get("subject") or {}).get("digest") == subject
        ]
        headers = {"Content-Type": OCI_INDEX}
        if wanted := query.get("artifactType"):
            found = [entry for entry in found if entry["artifactType"] == wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        start = int(query.get("start", 0))
        if start + self.page < len(found):
            path = f"/v2/{repository}/referrers/{subject}?start={start + self.page}"
            headers["Link"] = f'<{path}>; rel="next"'
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
        body = json.dumps(index | {"manifests": found[start : start + self.page]}).encode()
        return Say(200, headers, body)

    def stored(self, heard: Heard) -> Say:
        """What the storage answers, which has its own signatures and takes nothing else."""
        if heard.authorization is not None:
            return Say(400, body=b"Only one auth mechanism allowed")
        digest = heard.path.removeprefix("/").partition("?")[0]
        return Say(200, body=next(blobs[digest] for blobs in self.blobs.values()))
