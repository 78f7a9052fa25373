"""Registries behind proxies that compress what they answer, and storage that labels gzip files."""

from __future__ import annotations

import gzip
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

import regimport
from regimport import CopyOptions, Credential
from registry.conftest import IMPATIENT
from support.images import Image, digest_of, many_platforms, single
from support.miniature import Miniature, TokenDoor
from support.scripted import Heard, Say, Script, Scripted

_USER = Credential("alice", "secret")
_OPTIONS = CopyOptions(retry=IMPATIENT)
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


def _compressing(script: Script, coding: str) -> Script:
    """Answer as the script does, every body with a content coding."""

    def answer(heard: Heard) -> Say:
        say = script(heard)
        if not say.body or heard.method == "HEAD":
            return say
        body = _PACK[coding](say.body)
        headers = {**say.headers, "Content-Encoding": coding, "Content-Length": str(len(body))}
        return Say(say.status, headers, body)

    return answer


@pytest.fixture(params=["plain", "TLS"])
def serve(
    request: pytest.FixtureRequest,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Script], Scripted]]:
    context = None
    if request.param == "TLS":
        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(Scripted(script, context))


@pytest.mark.parametrize("coding", sorted(_PACK))
def test_an_image_is_copied_between_registries_that_compress_all_they_say(
    coding: str, serve: Callable[[Script], Scripted]
) -> None:
    image = many_platforms()
    source = Miniature(TokenDoor({"alice": "secret"}))
    target = Miniature(TokenDoor({"alice": "secret"}))
    source.hold("app", image)
    there = serve(_compressing(source, coding))
    here = serve(_compressing(target, coding))
    for registry, server in ((source, there), (target, here)):
        scheme = "https" if server.encrypted else "http"
        registry.door.realm = f"{scheme}://{server.address}/token"  # type: ignore[attr-defined]
    regimport.copy(
        f"{there.address}/app",
        f"{here.address}/app",
        options=_OPTIONS,
        source_credential=_USER,
        target_credential=_USER,
    )
    assert target.holds("app", image)
    tags = regimport.tags(f"{here.address}/app", options=_OPTIONS, credential=_USER)
    assert "latest" in list(tags)


@pytest.mark.parametrize("sized", [False, True], ids=["chunked", "with a length"])
@pytest.mark.parametrize("plain", [False, True], ids=["gzip", "plain"])
def test_a_blob_that_is_gzip_itself_and_labelled_so_arrives_as_it_is(
    sized: bool, plain: bool, serve: Callable[[Script], Scripted]
) -> None:
    """Labelled, without a length: decoded it is another blob, and so it is taken as it comes."""
    content = b"words " * 5000 if plain else gzip.compress(b"words " * 100_000)
    image = Image()
    image.manifest(image.blob(b"{}"), [image.blob(content)])
    source, target = Miniature(), Miniature()
    source.hold("app", image)

    def labelling(heard: Heard) -> Say:
        say = source(heard)
        if heard.method != "GET" or digest_of(content) not in heard.path:
            return say
        if sized:
            return Say(200, {"Content-Encoding": "gzip"}, content)
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        return Say(200, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}, chunked)

    there, here = serve(labelling), serve(target)
    regimport.copy(f"{there.address}/app", f"{here.address}/app", options=_OPTIONS)
    assert target.holds("app", image)
    asked = [heard for heard in there.heard if digest_of(content) in heard.path]
    assert len(asked) == (1 if sized else 2)
    ends = f"{there.address}/app", f"{here.address}/app"
    assert regimport.verify(*ends, options=_OPTIONS).exit_code == 0


def test_a_blob_that_is_another_one_either_way_is_a_mismatch(
    serve: Callable[[Script], Scripted],
) -> None:
    image = single()
    layer = next(digest for digest, content in image.blobs.items() if len(content) == 3000)
    source, target = Miniature(), Miniature()
    source.hold("app", image)
    wrong = gzip.compress(b"words")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(wrong), wrong)

    def lying(heard: Heard) -> Say:
        if heard.method == "GET" and layer in heard.path:
            return Say(200, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}, chunked)
        return source(heard)

    there, here = serve(lying), serve(target)
    with pytest.raises(regimport.RegimportError):
        regimport.copy(f"{there.address}/app", f"{here.address}/app", options=_OPTIONS)
    assert layer not in target.blobs.get("app", {})
    assert "latest" not in target.manifests.get("app", {})
