"""Copies to a registry that redirects writes within its origin (jib#264)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from regimport import api
from regimport.errors import BrokenTransfer
from regimport.events import Retrying
from regimport.models.credential import Credential
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.network import Network, RegistrySettings, Tls
from regimport.options import CopyOptions
from regimport.registry.chunks import Chunking
from regimport.registry.upload_session import BlobUpload
from registry.conftest import IMPATIENT, Sessions
from support.images import many_platforms
from support.miniature import BasicDoor, Miniature
from support.peers import Asked, Reply, web
from support.scripted import Heard, Say, Script, Scripted

_MOVED = "/moved"
_CONTENT = b"a layer of some bytes"
_BLOB = Descriptor("application/octet-stream", Digest.of(_CONTENT), len(_CONTENT))
_OPTIONS = CopyOptions(retry=IMPATIENT, jobs=2)


def _redirecting(registry: Miniature, methods: set[str], status: int) -> Script:
    """A registry that serves these methods at another path only."""

    def script(heard: Heard) -> Say:
        if heard.path.startswith(_MOVED):
            path = heard.path.removeprefix(_MOVED)
            return registry(Heard(heard.method, path, heard.headers, heard.body))
        if heard.method in methods:
            return Say(status, {"Location": f"{_MOVED}{heard.path}"})
        return registry(heard)

    return script


class _Told:
    def __init__(self) -> None:
        self.causes: list[str] = []

    def tell(self, event: object) -> None:
        if isinstance(event, Retrying):
            self.causes.append(event.cause)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("methods", [{"POST"}, {"PUT"}, {"POST", "PUT"}])
@pytest.mark.parametrize("tls", [True, False])
def test_an_image_arrives_where_writes_are_redirected(
    methods: set[str], status: int, tls: bool, authority: trustme.CA, ca_file: Path
) -> None:
    image = many_platforms()
    held, kept = Miniature(), Miniature(BasicDoor({"alice": "wonderland"}))
    held.hold("app", image)
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    told = _Told()
    with (
        Scripted(held) as source,
        Scripted(_redirecting(kept, methods, status), context) as target,
    ):
        scheme = "https" if tls else "http"
        settings = RegistrySettings(
            endpoint=f"{scheme}://{target.address}", tls=Tls(ca_file=str(ca_file))
        )
        network = Network(registries={target.address: settings})
        api.copy(
            f"{source.address}/app",
            f"{target.address}/app",
            options=CopyOptions(retry=IMPATIENT, jobs=2, network=network),
            target_credential=Credential("alice", "wonderland"),
            reporter=told,
        )
    assert kept.holds("app", image)
    assert all("it is sent there now" in cause for cause in told.causes)
    assert bool(told.causes) is ("PUT" in methods)


def test_a_chunk_that_is_redirected_goes_on_at_the_new_place(sessions: Sessions) -> None:
    there = "/v2/app/blobs/uploads/2"

    def answer(asked: Asked) -> Reply:
        if asked.url == "/v2/app/blobs/uploads/1":
            return Reply(307, {"Location": f"{there}?state=x"})
        return Reply(201 if asked.method == "PUT" else 202)

    with web(answer) as server:
        chunking = Chunking(server.address)
        chunking._limit = 8
        location = f"{server.url}/v2/app/blobs/uploads/1"
        upload = BlobUpload(sessions.access(server.address), _BLOB, chunking, location)
        with pytest.raises(BrokenTransfer, match="it is sent there now") as raised:
            upload.send(iter([_CONTENT]))
        assert raised.value.adapted
        assert upload.recover()
        assert upload.offset == 0
        upload.send(iter([_CONTENT]))
        chunks = [asked for asked in server.asked if asked.url == f"{there}?state=x"]
        assert b"".join(asked.body for asked in chunks) == _CONTENT
        assert server.asked[-1].method == "PUT"


def test_a_closing_request_keeps_the_digest_that_its_redirect_has(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.url.startswith("/v2/app/blobs/uploads/1"):
            return Reply(307, {"Location": f"/b?{asked.url.partition('?')[2]}&signed=a%2Fb"})
        return Reply(201)

    with web(answer) as server:
        location = f"{server.url}/v2/app/blobs/uploads/1"
        upload = BlobUpload(
            sessions.access(server.address), _BLOB, Chunking(server.address), location
        )
        with pytest.raises(BrokenTransfer):
            upload.send(iter([_CONTENT]))
        assert upload.recover()
        upload.send(iter([_CONTENT]))
        digest = _BLOB.digest.replace(":", "%3A")
        assert server.asked[-1].url == f"/b?digest={digest}&signed=a%2Fb"
        assert server.asked[-1].body == _CONTENT


def test_an_upload_that_is_redirected_for_ever_ends(sessions: Sessions) -> None:
    held, kept = Miniature(), Miniature()
    held.hold("app", many_platforms())

    def script(heard: Heard) -> Say:
        again = Say(307, {"Location": heard.path})
        return again if heard.method == "PUT" else kept(heard)

    with Scripted(held) as source, Scripted(script) as target:
        with pytest.raises(BrokenTransfer, match="a redirect to"):
            api.copy(f"{source.address}/app", f"{target.address}/app", options=_OPTIONS)
        assert len(target.heard) < 400
