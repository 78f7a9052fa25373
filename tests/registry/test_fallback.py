"""Mirrors: what they are asked for, whose word counts, and what happens where they fail."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from regimport import api, listings
from regimport.auth.lookup import CredentialLookup
from regimport.errors import NotFound, RegimportError, Unreachable
from regimport.events import Event, Silent, Warned
from regimport.models.credential import Credential
from regimport.network import Network, RegistrySettings, Tls
from regimport.options import CopyOptions, RetryPolicy
from regimport.registry.request import Request
from regimport.registry.sessions import Sessions
from support.images import Image, many_platforms, single
from support.miniature import BasicDoor, Miniature, basic, complaint
from support.peers import Line, peer
from support.scripted import Heard, Say, Scripted

_IMPATIENT = RetryPolicy(attempts=2, first_delay=0, longest_delay=0)
_USER = Credential("alice", "for the registry")


@dataclass
class Place:
    """A small registry, what it was asked, and what it says in its own way."""

    held: Miniature = field(default_factory=Miniature)
    own: Callable[[Heard], Say | None] = lambda _: None
    server: Scripted = field(init=False)

    def __post_init__(self) -> None:
        self.server = Scripted(lambda heard: self.own(heard) or self.held(heard))

    @property
    def url(self) -> str:
        return f"http://{self.server.address}"

    @property
    def lines(self) -> list[str]:
        return [f"{heard.method} {heard.path}" for heard in self.server.heard]


@dataclass
class Three:
    """A registry with a mirror, and where images go."""

    registry: Place
    mirror: Place
    target: Place
    told: list[Event] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        self.told.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.told if isinstance(event, Warned)]

    def hold(self, image: Image, *, mirrored: bool = True) -> None:
        self.registry.held.hold("team/app", image)
        if mirrored:
            self.mirror.held.hold("team/app", image)

    def copy(self, *mirrors: str, reference: str = "team/app", **given: Credential) -> str:
        settings = RegistrySettings(
            endpoint=self.registry.url, mirrors=mirrors or (self.mirror.url,)
        )
        options = CopyOptions(
            retry=_IMPATIENT,
            network=Network(registries={"registry.example": settings}),
            referrers=(),  # what is left behind is asked about at the registry
        )
        report = api.copy(
            f"registry.example/{reference}",
            f"{self.target.server.address}/copy:latest",
            options=options,
            reporter=self,
            source_credential=given.get("source"),
        )
        return str(report.root.digest)


@pytest.fixture
def three() -> Iterator[Three]:
    with ExitStack() as stack:
        registry, mirror, target = Place(), Place(), Place()
        for place in (registry, mirror, target):
            stack.enter_context(place.server)
        yield Three(registry, mirror, target)


def test_the_registry_is_asked_for_the_tag_and_the_mirror_for_the_rest(three: Three) -> None:
    image = many_platforms()
    three.hold(image)
    assert three.copy() == image.root
    assert three.target.held.holds("copy", image)
    assert three.registry.lines == ["HEAD /v2/team/app/manifests/latest"]
    assert three.mirror.lines
    assert not any(line.endswith("/latest") for line in three.mirror.lines)
    assert three.warnings == []


def test_a_mirror_that_is_behind_misleads_nobody(three: Three) -> None:
    old, new = single("old"), single("new")
    three.registry.held.hold("team/app", new)
    three.mirror.held.hold("team/app", old)
    assert three.copy() == new.root
    assert three.target.held.holds("copy", new)
    assert three.warnings == []


def test_what_a_mirror_lacks_comes_from_the_registry(three: Three) -> None:
    image = many_platforms()
    three.hold(image, mirrored=False)
    assert three.copy() == image.root
    assert three.target.held.holds("copy", image)
    assert three.warnings == []


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_mirror_that_refuses_is_left_alone_and_told_of_once(status: int, three: Three) -> None:
    image = many_platforms()
    three.hold(image)
    three.mirror.own = lambda _: complaint(status, "DENIED")
    assert three.copy() == image.root
    assert three.target.held.holds("copy", image)
    (warning,) = three.warnings
    assert f"the mirror {three.mirror.server.address}/team/app is not used any more" in warning
    assert len(three.mirror.lines) <= 2 * 8, "at most what was under way"


def test_a_mirror_that_is_not_there_is_told_of_once(three: Three) -> None:
    image = many_platforms()
    three.hold(image)
    with Scripted(lambda _: Say(200)) as gone:
        pass
    assert three.copy(f"http://{gone.address}") == image.root
    assert three.target.held.holds("copy", image)
    (warning,) = three.warnings
    assert "is not used any more" in warning


def test_mirrors_are_asked_in_their_order(three: Three) -> None:
    image = single()
    three.hold(image)
    with Scripted(lambda _: Say(404)) as empty:
        three.copy(f"http://{empty.address}", three.mirror.url)
        assert len(empty.heard) >= 3
    assert three.registry.lines == ["HEAD /v2/team/app/manifests/latest"]


def test_a_path_of_a_mirror_stands_before_the_repository(three: Three) -> None:
    """As a proxy project of Harbor, or a remote repository of Artifactory, has it."""
    image = single()
    three.hold(image, mirrored=False)
    three.mirror.held.hold("hub/proxy/team/app", image)
    three.copy(f"{three.mirror.url}/hub/proxy/")
    assert three.registry.lines == ["HEAD /v2/team/app/manifests/latest"]


def test_other_bytes_from_a_mirror_are_not_taken(three: Three) -> None:
    """Neither as a manifest nor as a blob."""
    image, other = single("right"), single("wrong")
    three.hold(image)
    spoiled = {digest: b"x" * len(content) for digest, content in image.blobs.items()}
    three.mirror.held.blobs["team/app"] = spoiled
    assert three.copy() == image.root
    assert three.target.held.holds("copy", image)
    three.mirror.own = lambda heard: (
        Say(200, {"Content-Type": other.media_type}, other.raw)
        if "/manifests/" in heard.path
        else None
    )
    assert three.copy() == image.root


def test_a_blob_that_breaks_off_at_a_mirror_is_gone_on_with_at_the_registry(three: Three) -> None:
    image = single(size=100_000)
    three.hold(image)

    def cut(heard: Heard) -> Say | None:
        if "/blobs/" not in heard.path:
            return None
        whole = three.mirror.held(heard)
        headers = {"Content-Length": str(len(whole.body)), "Connection": "close"}
        return Say(200, headers, whole.body[: len(whole.body) // 2])

    three.mirror.own = cut
    assert three.copy() == image.root
    assert three.target.held.holds("copy", image)
    assert any("/blobs/" in line for line in three.registry.lines)


def test_a_tag_is_what_a_mirror_says_only_if_the_registry_cannot_be_asked(three: Three) -> None:
    image = single()
    three.mirror.held.hold("team/app", image)
    three.registry.own = lambda _: Say(503)
    assert three.copy() == image.root
    (warning,) = three.warnings
    assert "registry.example/team/app could not be reached" in warning
    assert f"says that latest is {image.root}, which may be out of date" in warning


def test_a_tag_that_the_registry_does_not_have_is_not_found(three: Three) -> None:
    three.mirror.held.hold("team/app", single())
    with pytest.raises(NotFound):
        three.copy()


def test_neither_the_registry_nor_a_mirror_is_the_registrys_error(three: Three) -> None:
    three.registry.own = three.mirror.own = lambda _: Say(503)
    with pytest.raises(Unreachable) as caught:
        three.copy()
    assert caught.value.registry == "registry.example"


def test_a_digest_needs_the_registry_for_nothing(three: Three) -> None:
    image = single()
    three.mirror.held.hold("team/app", image)
    three.registry.own = lambda _: Say(503)
    assert three.copy(reference=f"team/app@{image.root}") == image.root
    assert three.warnings == []


def test_the_registrys_credentials_do_not_go_to_the_mirror(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be they given or in the environment, and however a mirror asks for them."""
    image = single()
    three.hold(image)
    three.registry.held.door = BasicDoor({_USER.username: _USER.password})
    three.mirror.own = lambda _: Say(401, {"WWW-Authenticate": 'Basic realm="please"'})
    three.copy(source=_USER)
    assert three.mirror.lines
    three.mirror.server.heard.clear()
    three.target.held = Miniature()
    monkeypatch.setenv("REGIMPORT_SOURCE_USERNAME", _USER.username)
    monkeypatch.setenv("REGIMPORT_SOURCE_PASSWORD", _USER.password)
    three.copy()
    assert three.mirror.lines
    assert {heard.authorization for heard in three.mirror.server.heard} == {None}


def test_the_registrys_client_certificate_is_not_shown_to_the_mirror(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    issued = authority.issue_cert("client@example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    shown: list[object] = []

    def treat(line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        shown.append(line.socket.getpeercert())
        line.head()
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with peer(treat, context) as mirror:
        network = Network(
            source=Tls(ca_file=str(ca_file), cert_file=str(tmp_path / "client.pem")),
            registries={mirror.address: RegistrySettings(tls=Tls(ca_file=str(ca_file)))},
        )
        options = CopyOptions(network=network)
        nobody = CredentialLookup(lambda _: None)
        sessions = Sessions(
            options, lambda *_: nobody, lambda _: nobody, Silent(), threading.Event()
        )
        with closing(sessions):
            assert sessions.mirror(f"https://{mirror.address}").ask(Request("GET", "")).ok
    assert shown == [None]


def test_a_mirror_has_credentials_of_its_own(three: Three) -> None:
    image = single()
    three.hold(image)
    three.mirror.held.door = BasicDoor({"bob": "for the mirror"})
    pair = basic("bob", "for the mirror")
    config = Path(os.environ["HOME"], ".docker", "config.json")
    config.parent.mkdir()
    auths = {three.mirror.server.address: {"auth": pair.removeprefix("Basic ")}}
    config.write_text(json.dumps({"auths": auths}))
    three.copy()
    assert three.mirror.server.heard[-1].authorization == pair
    assert three.registry.lines == ["HEAD /v2/team/app/manifests/latest"]
    assert three.registry.server.heard[0].authorization is None


def test_tags_are_those_of_the_registry(three: Three) -> None:
    three.hold(single())
    three.mirror.own = lambda _: Say(500)
    settings = RegistrySettings(endpoint=three.registry.url, mirrors=(three.mirror.url,))
    options = CopyOptions(network=Network(registries={"registry.example": settings}))
    assert list(listings.tags("registry.example/team/app", options=options)) == ["latest"]
    assert three.mirror.lines == []


def test_a_target_is_never_a_mirror(three: Three) -> None:
    """What is pushed goes to the registry."""
    image = single()
    three.mirror.held.hold("team/app", image)
    settings = RegistrySettings(endpoint=three.registry.url, mirrors=(three.target.url,))
    options = CopyOptions(network=Network(registries={"registry.example": settings}))
    api.copy(
        f"{three.mirror.server.address}/team/app", "registry.example/copy:latest", options=options
    )
    assert three.registry.held.holds("copy", image)
    assert three.target.lines == []


@pytest.mark.parametrize("url", ["mirror.example", "ftp://mirror.example", "https://u:p@m.example"])
def test_what_is_no_url_of_a_mirror_is_refused(url: str) -> None:
    with pytest.raises(RegimportError, match="is not the URL of a registry"):
        RegistrySettings(mirrors=(url,))
