"""A registry sends us to a name: where that leads is looked at when the connection is made."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

import regimport
from regimport import CopyOptions, RegimportError, RegistryError, RetryPolicy
from regimport.network import Network, Pin
from regimport.transport import dial
from regimport.transport.origins import kind_of
from support.images import digest_of, single
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

# In the place of an address out in the world, which no test connects to.
_PUBLIC = "127.0.0.3"


class NameServer:
    """A name server: each name leads to the address of a server, or to one after the other."""

    def __init__(self) -> None:
        self.places: dict[str, list[str]] = {}

    def __call__(self, host: bytes, port: int, **_: object) -> list[tuple[Any, ...]]:
        there = self.places[host.decode()]
        place, _colon, number = (there.pop(0) if len(there) > 1 else there[0]).rpartition(":")
        address = (place, int(number))
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    found = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(
        dial, "kind_of", lambda host: "address" if host == _PUBLIC else kind_of(host)
    )
    return found


@pytest.fixture
def inside() -> Iterator[Scripted]:
    """A server on this machine that nobody from outside is to reach."""
    with Scripted(lambda _: Say(200, body=b"inside")) as server:
        yield server


def _options(*registries: str, network: Network | None = None) -> CopyOptions:
    return CopyOptions(
        plain_http=frozenset(registries),
        retry=RetryPolicy(attempts=1),
        network=network or Network(),
    )


class Leading(Miniature):
    """A registry that sends each request of a kind to another place."""

    def __init__(self, kind: str, place: str) -> None:
        super().__init__()
        self._kind, self._place = kind, place
        self.hold("app", single())

    def __call__(self, heard: Heard) -> Say:
        if self._kind == "token" and heard.authorization is None:
            realm = f'Bearer realm="{self._place}/token",service="s"'
            return Say(401, {"WWW-Authenticate": realm})
        if self._kind == "upload" and heard.method == "POST":
            return Say(202, {"Location": f"{self._place}/upload?_state=x"})
        if self._kind == "blob" and "/blobs/" in heard.path and heard.method == "GET":
            return Say(307, {"Location": f"{self._place}/blob"})
        return super().__call__(heard)


@pytest.mark.parametrize("kind", ["blob", "upload", "token"])
def test_a_name_that_leads_to_this_machine_is_not_followed_from_elsewhere(
    kind: str, names: NameServer, inside: Scripted
) -> None:
    names.places["inner.example"] = [inside.address]
    port = inside.address.rpartition(":")[2]
    evil = Leading(kind, f"http://inner.example:{port}")
    good = Miniature()
    good.hold("app", single("another"))
    with Scripted(evil, host=_PUBLIC) as server, Scripted(good, host=_PUBLIC) as other:
        names.places |= {"evil.example": [server.address], "good.example": [other.address]}
        ends = ["evil.example/app", "good.example/app:copied"]
        ends = ends if kind != "upload" else ["good.example/app", "evil.example/app:copied"]
        with pytest.raises(RegistryError) as caught:
            regimport.copy(*ends, options=_options("evil.example", "good.example"))
    assert "inner.example, which leads to an address of this machine" in caught.value.message
    assert not inside.heard
    assert not inside.connections


def test_a_registry_on_this_machine_may_send_us_to_its_neighbours(
    names: NameServer, inside: Scripted
) -> None:
    image = single()
    inside.script = lambda heard: Say(
        200, body=next(blob for blob in image.blobs.values() if digest_of(blob) in heard.path)
    )
    port = inside.address.rpartition(":")[2]
    names.places["storage.example"] = [inside.address]

    def answer(heard: Heard) -> Say:
        if "/blobs/" in heard.path and heard.method == "GET":
            place = f"http://storage.example:{port}/{heard.path.rpartition('/')[2]}"
            return Say(307, {"Location": place})
        return registry(heard)

    registry = Miniature()
    registry.hold("app", image)
    target = Miniature()
    with Scripted(answer) as server, Scripted(target) as other:
        names.places |= {"near.example": [server.address], "other.example": [other.address]}
        ends = "near.example/app", "other.example/app:1"
        regimport.copy(*ends, options=_options("near.example", "other.example"))
    assert target.holds("app", image, "1")
    assert inside.heard


def test_a_registry_whose_name_leads_to_this_machine_the_second_time_is_left(
    names: NameServer, inside: Scripted
) -> None:
    def close(heard: Heard) -> Say:
        if heard.path.startswith("/v2/app/blobs/"):
            return Say(404)
        answered = registry(heard)
        return Say(answered.status, {**answered.headers, "Connection": "close"}, answered.body)

    registry = Miniature()
    registry.hold("app", single())
    with Scripted(close, host=_PUBLIC) as server:
        names.places["evil.example"] = [server.address, inside.address]
        with pytest.raises(RegimportError) as caught:
            regimport.copy("evil.example/app", "oci:nowhere", options=_options("evil.example"))
    assert "and now leads to an address of this machine" in caught.value.message
    assert not inside.connections


def test_an_address_that_the_user_gives_is_not_looked_at(
    names: NameServer, inside: Scripted
) -> None:
    port = inside.address.rpartition(":")[2]
    image = single()
    evil = Leading("blob", f"http://inner.example:{port}")
    with Scripted(evil, host=_PUBLIC) as server:
        names.places = {"evil.example": [server.address]}
        # A name that the user gave an address is not asked for; the test's server answers there.
        names.places["127.0.0.1"] = [inside.address]
        network = Network(resolve=(Pin("inner.example", int(port), ("127.0.0.1",)),))
        with pytest.raises(RegimportError) as caught:
            regimport.copy(
                "evil.example/app",
                "oci:nowhere",
                options=_options("evil.example", network=network),
            )
    assert inside.heard, caught.value
    assert image.blobs


def test_a_scheme_in_capitals_is_the_same_scheme() -> None:
    registry, target = Miniature(), Miniature()
    image = single()
    registry.hold("app", image)

    def answer(heard: Heard) -> Say:
        if heard.method == "POST":
            place = f"HTTP://{heard.headers['Host']}/v2/app/blobs/uploads/1"
            return Say(202, {"Location": place})
        return target(heard)

    with Scripted(registry) as source, Scripted(answer) as server:
        regimport.copy(f"{source.address}/app", f"{server.address}/app:1")
    assert target.holds("app", image, "1")
