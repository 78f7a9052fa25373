"""Credentials go to the registry they are for and to its token service, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from regimport.auth.lookup import CredentialLookup
from regimport.errors import AccessDenied, RegimportError, RegistryError, Side
from regimport.events import Silent
from regimport.models.credential import Credential
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.options import CopyOptions, RetryPolicy
from regimport.registry.repository import Repository
from regimport.registry.session import Session
from support.scripted import Heard, Say, Scripted

CONTENT = b"the content of a blob"
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
SECRET = Credential("alice", "s3cret-s3cret")
OPTIONS = CopyOptions(retry=RetryPolicy(first_delay=0, longest_delay=0))


@contextmanager
def repository(
    address: str, side: Side = Side.SOURCE, credential: Credential = SECRET
) -> Iterator[Repository]:
    lookup = CredentialLookup(lambda _: credential)
    session = Session(address, side, OPTIONS, lookup, Silent(), threading.Event())
    try:
        yield Repository(session, "team/app")
    finally:
        session.close()


def basic(heard: Heard) -> Say | None:
    """A registry's answer to who does not say who they are."""
    if heard.authorization is None:
        return Say(401, {"WWW-Authenticate": 'Basic realm="x"'})
    return None


def read(end: Repository) -> bytes:
    with end.read_blob(BLOB) as pieces:
        return b"".join(bytes(piece) for piece in pieces)


def test_a_redirect_to_another_port_is_followed_without_the_password() -> None:
    with Scripted(lambda _: Say(200, body=CONTENT)) as storage:
        away = {"Location": f"http://{storage.address}/blob?sig=abc", "Set-Cookie": "a=b"}
        with Scripted(lambda heard: basic(heard) or Say(307, away)) as registry:
            with repository(registry.address) as end:
                assert read(end) == CONTENT
            assert registry.heard[-1].authorization == SECRET.basic()
        (heard,) = storage.heard
        assert heard.authorization is None
        assert "Cookie" not in heard.headers
        assert "alice" not in str(heard.headers)


def test_a_redirect_on_the_registry_itself_keeps_the_password() -> None:
    def script(heard: Heard) -> Say:
        if heard.path == "/elsewhere":
            return basic(heard) or Say(200, body=CONTENT)
        return basic(heard) or Say(307, {"Location": "/elsewhere"})

    with Scripted(script) as registry, repository(registry.address) as end:
        assert read(end) == CONTENT
        assert registry.heard[-1].authorization == SECRET.basic()


def test_another_origin_that_asks_for_a_password_gets_none() -> None:
    asks = Say(401, {"WWW-Authenticate": 'Basic realm="please"'})
    with Scripted(lambda _: asks) as storage:
        away = {"Location": f"http://{storage.address}/blob"}
        with Scripted(lambda heard: basic(heard) or Say(307, away)) as registry:
            with repository(registry.address) as end, pytest.raises(AccessDenied):
                read(end)
        assert [heard.authorization for heard in storage.heard] == [None]


def test_redirects_in_a_circle_end_after_a_few_hops() -> None:
    with (
        Scripted(lambda heard: Say(302, {"Location": heard.path})) as registry,
        repository(registry.address) as end,
    ):
        with pytest.raises(RegistryError, match="redirected more than 5 times"):
            read(end)
        assert len(registry.heard) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "http://u:p@127.0.0.1/"])
def test_a_redirect_to_what_is_no_plain_http_url_is_refused(location: str) -> None:
    with (
        Scripted(lambda _: Say(307, {"Location": location})) as registry,
        repository(registry.address) as end,
        pytest.raises(RegistryError),
    ):
        read(end)


def test_an_upload_at_another_origin_gets_the_bytes_but_not_the_password() -> None:
    with Scripted(lambda _: Say(201)) as storage:
        place = {"Location": f"http://{storage.address}/upload?state=1"}
        with Scripted(lambda heard: basic(heard) or Say(202, place)) as registry:
            with repository(registry.address, Side.TARGET) as end:
                upload = end.start_upload(BLOB)
                assert upload is not None
                upload.send(iter([CONTENT]))
        (heard,) = storage.heard
        assert (heard.method, heard.authorization, heard.body) == ("PUT", None, CONTENT)
        assert heard.path == f"/upload?state=1&digest=sha256%3A{BLOB.digest.encoded}"


def test_the_password_goes_to_the_realm_and_the_token_to_the_registry() -> None:
    with Scripted(lambda _: Say(200, body=b'{"token":"tok","expires_in":300}')) as realm:
        asks = {"WWW-Authenticate": f'Bearer realm="http://{realm.address}/t",service="s"'}

        def script(heard: Heard) -> Say:
            if heard.authorization != "Bearer tok":
                return Say(401, asks)
            return Say(200, body=CONTENT)

        with Scripted(script) as registry, repository(registry.address) as end:
            assert read(end) == CONTENT
            assert read(end) == CONTENT
            seen = [heard.authorization for heard in registry.heard]
            assert seen == [None, "Bearer tok", "Bearer tok"]
        assert [heard.authorization for heard in realm.heard] == [SECRET.basic()]
        assert "scope=repository%3Ateam%2Fapp%3Apull" in realm.heard[0].path


def test_a_realm_on_the_metadata_address_is_not_asked() -> None:
    asks = {"WWW-Authenticate": 'Bearer realm="http://169.254.169.254/token",service="s"'}
    with (
        Scripted(lambda _: Say(401, asks)) as registry,
        repository(registry.address) as end,
        pytest.raises(AccessDenied, match="refused"),
    ):
        read(end)


def test_a_refused_password_is_not_tried_again_for_every_blob() -> None:
    asks = Say(401, {"WWW-Authenticate": 'Basic realm="x"'})
    with Scripted(lambda _: asks) as registry, repository(registry.address) as end:
        for _ in range(50):
            with pytest.raises(AccessDenied):
                read(end)
        tried = [heard for heard in registry.heard if heard.authorization is not None]
        assert len(tried) <= 2


def test_a_refused_token_request_is_made_once_for_fifty_blobs() -> None:
    with Scripted(lambda _: Say(401)) as realm:
        asks = {"WWW-Authenticate": f'Bearer realm="http://{realm.address}/t",service="s"'}
        with Scripted(lambda _: Say(401, asks)) as registry, repository(registry.address) as end:
            for _ in range(50):
                with pytest.raises(AccessDenied):
                    read(end)
        assert len(realm.heard) <= 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_no_error_shows_a_secret(status: int) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"no"}]}'
    asks = {"WWW-Authenticate": 'Basic realm="x"'}

    def script(heard: Heard) -> Say:
        return basic(heard) or Say(status, asks if status == 401 else {}, body)

    with Scripted(script) as registry, repository(registry.address) as end:
        with pytest.raises(RegimportError) as caught:
            read(end)
    shown = f"{caught.value!r} {caught.value} {caught.value.hint} {end!r}"
    for secret in (SECRET.password, SECRET.basic().partition(" ")[2]):
        assert secret not in shown


TOKEN = Say(200, body=b'{"token":"tok","expires_in":300}')
REDIRECTS = [301, 302, 307, 308]


def wanting_token(realm: str) -> Callable[[Heard], Say]:
    """A registry that wants a token of `realm`."""
    asks = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}
    content = Say(200, body=CONTENT)
    return lambda heard: content if heard.authorization == "Bearer tok" else Say(401, asks)


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("secret", [SECRET, Credential(identity_token="s3cret-s3cret")])
def test_a_token_service_that_redirects_within_its_origin_is_told_the_secret(
    status: int, secret: Credential
) -> None:
    def script(heard: Heard) -> Say:
        path = heard.path.partition("?")[0]
        return TOKEN if path == "/token/" else Say(status, {"Location": "/token/?again"})

    with (
        Scripted(script) as realm,
        Scripted(wanting_token(f"http://{realm.address}/token")) as registry,
        repository(registry.address, credential=secret) as end,
    ):
        assert read(end) == CONTENT
    first, second = realm.heard
    assert (first.method, first.authorization, first.body) == (
        second.method,
        second.authorization,
        second.body,
    )
    assert b"s3cret" in second.body or second.authorization == SECRET.basic()


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_token_service_that_redirects_to_another_origin_does_not_take_the_secret_along(
    status: int,
) -> None:
    with Scripted(lambda _: TOKEN) as other:
        away = Say(status, {"Location": f"http://{other.address}/token"})
        with (
            Scripted(lambda _: away) as realm,
            Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
            repository(registry.address) as end,
        ):
            assert read(end) == CONTENT
        (heard,) = other.heard
    assert realm.heard[0].authorization == SECRET.basic()
    assert (heard.authorization, heard.body) == (None, b"")
    assert "alice" not in f"{heard.path}{heard.headers}"


def test_a_secret_does_not_come_back_with_a_token_request_that_was_redirected_away() -> None:
    def away(heard: Heard) -> Say:
        there = f"http://{other.address}/"
        return TOKEN if heard.path == "/back" else Say(302, {"Location": there})

    with (
        Scripted(lambda _: Say(302, {"Location": f"http://{realm.address}/back"})) as other,
        Scripted(away) as realm,
        Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
        repository(registry.address) as end,
    ):
        assert read(end) == CONTENT
        assert [heard.authorization for heard in realm.heard] == [SECRET.basic(), None]


@pytest.mark.parametrize("status", REDIRECTS)
def test_an_identity_token_is_not_posted_to_where_a_token_service_redirects(status: int) -> None:
    with Scripted(lambda _: TOKEN) as other:
        away = Say(status, {"Location": f"http://{other.address}/token"})
        with (
            Scripted(lambda _: away) as realm,
            Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
            repository(registry.address, credential=Credential(identity_token="s3cret")) as end,
            pytest.raises(AccessDenied, match="on another host"),
        ):
            read(end)
        assert other.heard == []


def test_a_refusal_of_where_a_token_service_redirects_does_not_blame_the_password() -> None:
    with Scripted(lambda _: Say(401)) as other:
        away = Say(307, {"Location": f"http://{other.address}/token"})
        with (
            Scripted(lambda _: away) as realm,
            Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
            repository(registry.address) as end,
            pytest.raises(AccessDenied, match=r"redirects to .* no credentials are sent"),
        ):
            read(end)


def test_a_token_service_that_redirects_in_a_circle_ends_after_a_few_hops() -> None:
    with (
        Scripted(lambda heard: Say(302, {"Location": heard.path})) as realm,
        Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
        repository(registry.address) as end,
    ):
        with pytest.raises(RegistryError, match="redirected more than 5 times"):
            read(end)
        assert len(realm.heard) == 6


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/token", "file:///etc/passwd", "http://u:p@127.0.0.1/", ""]
)
def test_a_token_service_is_not_followed_to_where_it_must_not_lead(location: str) -> None:
    with (
        Scripted(lambda _: Say(302, {"Location": location})) as realm,
        Scripted(wanting_token(f"http://{realm.address}/t")) as registry,
        repository(registry.address) as end,
        pytest.raises(RegistryError),
    ):
        read(end)


def test_the_challenge_of_another_host_that_serves_v2_is_not_the_registry_s() -> None:
    with Scripted(lambda _: Say(401, {"WWW-Authenticate": 'Basic realm="x"'})) as other:
        away = Say(302, {"Location": f"http://{other.address}/v2/"})
        with (
            Scripted(lambda heard: away if heard.path == "/v2/" else Say(404)) as registry,
            repository(registry.address) as end,
        ):
            with pytest.raises(RegistryError):
                read(end)
            assert len(other.heard) == 1
            assert {heard.authorization for heard in registry.heard + other.heard} == {None}
