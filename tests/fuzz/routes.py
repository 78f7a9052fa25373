"""The routes of `regimport serve`, with a state machine that knows what must be stored."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from regimport.server.run import serving
from support.client import Client
from support.images import OCI_MANIFEST, digest_of

__all__ = ["run_routes"]

_NAMES = st.sampled_from(["a", "a/b", "x" * 200])
_TAGS = st.sampled_from(["1", "latest", "v1.0"])
_CONTENT = st.binary(max_size=200)
# Paths and queries that are no part of the specification, or only nearly.
_PIECES = ["/v2/", "a", "/blobs/", "/uploads/", "/manifests/", "sha256:", "..", "%2e%2e", "%00"]
_MORE = ["/tags/list", "?n=", "-1", "last=", "&", "digest=", "mount=", "/_catalog", "//", "%ff"]
_PATHS = st.lists(st.sampled_from(_PIECES + _MORE), max_size=8).map(
    lambda some: "/" + "".join(some)
)
_METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"])


class Routes(RuleBasedStateMachine):
    """A served folder, and what was put into it."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(TemporaryDirectory()))
        server = self._stack.enter_context(serving(folder / "store"))
        self._client = Client(server.address)
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._tags: dict[tuple[str, str], bytes] = {}

    def teardown(self) -> None:
        self._stack.close()

    @rule(name=_NAMES, content=_CONTENT)
    def push_blob(self, name: str, content: bytes) -> None:
        digest = digest_of(content)
        self._client.push_blob(name, digest, content)
        self._blobs[name, digest] = content

    @rule(name=_NAMES, content=_CONTENT)
    def push_a_blob_under_a_wrong_digest(self, name: str, content: bytes) -> None:
        digest = digest_of(content + b"x")
        _, headers, _ = self._client.ask("POST", f"/v2/{name}/blobs/uploads/")
        there = headers["Location"]
        joint = "&" if "?" in there else "?"
        status, _, _ = self._client.ask("PUT", f"{there}{joint}digest={digest}", content)
        assert status == 400, status

    @precondition(lambda self: self._blobs)
    @rule(tag=_TAGS, data=st.data())
    def push_manifest(self, tag: str, data: st.DataObject) -> None:
        name, digest = data.draw(st.sampled_from(sorted(self._blobs)))
        blob = {"mediaType": "x/y", "digest": digest, "size": len(self._blobs[name, digest])}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob, "layers": [blob]}
        raw = json.dumps(document).encode()
        self._client.put_manifest(name, tag, OCI_MANIFEST, raw)
        self._tags[name, tag] = raw

    @rule(method=_METHODS, path=_PATHS, body=_CONTENT)
    def ask_for_anything(self, method: str, path: str, body: bytes) -> None:
        # What deletes or overwrites on purpose is left to the rules that know of it.
        if method in {"DELETE", "PUT"} and "sha256" in path:
            return
        status, _, _ = self._client.ask(method, path, body)
        assert status < 500, (method, path, status)

    @rule()
    def everything_is_there(self) -> None:
        for (name, digest), content in self._blobs.items():
            status, _, got = self._client.ask("GET", f"/v2/{name}/blobs/{digest}")
            assert (status, got) == (200, content)
        for (name, tag), raw in self._tags.items():
            status, _, got = self._client.ask("GET", f"/v2/{name}/manifests/{tag}")
            assert (status, got) == (200, raw)


def run_routes(settings: hypothesis.settings) -> None:
    """Run the machine; it raises what it finds."""
    few = hypothesis.settings(settings, max_examples=20, stateful_step_count=30)
    run_state_machine_as_test(Routes, settings=few)
