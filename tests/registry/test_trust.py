"""TLS with real servers: whom regimport trusts, who it is, and what it says of those it refuses."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import truststore
from cryptography.hazmat.primitives import serialization as form

from regimport.auth.lookup import CredentialLookup
from regimport.errors import InvalidConfig, Side, Unreachable
from regimport.events import Event, Warned
from regimport.network import Network, RegistrySettings, Tls
from regimport.options import CopyOptions
from regimport.registry import trust
from regimport.registry.request import Request
from regimport.registry.sessions import open_session
from regimport.registry.trust import Contexts
from regimport.transport.tls import TlsFiles, make_context
from registry.conftest import IMPATIENT
from support.peers import Line, Peer, peer

_NOW = dt.datetime.now(dt.UTC)


def _answer(line: Line) -> None:
    while line.head():
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _server(
    authority: trustme.CA,
    *names: str,
    not_before: dt.datetime | None = None,
    not_after: dt.datetime | None = None,
) -> ssl.SSLContext:
    issued = authority.issue_cert(
        *(names or ("127.0.0.1", "localhost")),
        not_before=not_before,
        not_after=not_after,
        organization_name="Tests",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@dataclass
class Asking:
    """Asks a registry once, and keeps what was told."""

    told: list[Event]

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def __call__(
        self, registry: str, network: Network, url: str = "", side: Side = Side.SOURCE
    ) -> bytes:
        endpoint = RegistrySettings(tls=network.of(registry).tls, endpoint=f"https://{registry}")
        network = Network(
            registries={**network.registries, registry: endpoint},
            source=network.source,
            target=network.target,
            insecure=network.insecure,
        )
        options = CopyOptions(retry=IMPATIENT, network=network)
        session = open_session(
            registry, side, options, CredentialLookup(lambda _: None), self, threading.Event()
        )
        try:
            return session.ask(Request("GET", url)).body
        finally:
            session.close()


@pytest.fixture
def ask() -> Asking:
    return Asking([])


@pytest.fixture
def trusting(ca_file: Path) -> Network:
    return Network(source=Tls(ca_file=str(ca_file)))


def _refusal(ask: Asking, server: Peer, network: Network) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        ask(server.address, network)
    assert not any(not isinstance(event, Warned) for event in ask.told), "it was tried again"
    return caught.value


def test_an_authority_that_is_named_is_trusted(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    with peer(_answer, _server(authority)) as server:
        assert ask(server.address, trusting) == b"ok"


def test_an_authority_of_the_other_end_is_not_trusted(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    with peer(_answer, _server(authority)) as server:
        with pytest.raises(Unreachable, match="not trusted here"):
            ask(server.address, trusting, side=Side.TARGET)


def test_an_authority_that_the_environment_names_is_trusted(
    ask: Asking, authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with peer(_answer, _server(authority)) as server:
        assert ask(server.address, Network()) == b"ok"


def test_a_file_of_authorities_that_is_not_there_is_an_error(
    ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL would trust nobody then, and say nothing."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with peer(_answer) as server:
        with pytest.raises(InvalidConfig, match="SSL_CERT_FILE names /nowhere/ca"):
            ask(server.address, Network())


@pytest.mark.parametrize("folder", [".docker/certs.d", ".config/containers/certs.d"])
def test_an_authority_in_a_folder_of_the_registry_is_trusted(
    folder: str, ask: Asking, authority: trustme.CA, tmp_path: Path
) -> None:
    with peer(_answer, _server(authority)) as server:
        place = tmp_path / "home" / folder / server.address
        place.mkdir(parents=True)
        authority.cert_pem.write_to_path(place / "ca.crt")
        assert ask(server.address, Network()) == b"ok"


def test_what_is_set_for_a_registry_is_for_no_other(
    ask: Asking, authority: trustme.CA, ca_file: Path
) -> None:
    with peer(_answer, _server(authority)) as server, peer(_answer, _server(authority)) as other:
        settings = {server.address: RegistrySettings(tls=Tls(ca_file=str(ca_file)))}
        assert ask(server.address, Network(registries=settings)) == b"ok"
        with pytest.raises(Unreachable, match="not trusted here"):
            ask(other.address, Network(registries=settings))


def test_an_unknown_authority_is_named(ask: Asking, authority: trustme.CA) -> None:
    with peer(_answer, _server(authority)) as server:
        error = _refusal(ask, server, Network())
        assert f"the certificate of {server.address} is signed by an authority" in error.message
        assert "`ca_file`" in (error.hint or "")
        assert f"/etc/docker/certs.d/{server.address}/ca.crt" in (error.hint or "")
        assert server.connections == 1


def test_an_expired_certificate_says_so_and_names_the_clock(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    context = _server(authority, not_after=dt.datetime(2020, 2, 3, tzinfo=dt.UTC))
    with peer(_answer, context) as server:
        error = _refusal(ask, server, trusting)
        assert "has expired" in error.message
        assert f"{_NOW:%Y-%m}" in (error.hint or ""), "this machine's own date may be the wrong one"


def test_a_certificate_of_the_future_says_so(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    context = _server(authority, not_before=_NOW + dt.timedelta(days=3))
    with peer(_answer, context) as server:
        assert "is not valid yet" in _refusal(ask, server, trusting).message


@pytest.mark.parametrize("names", [("registry.example", "192.0.2.7"), ("other.example",)])
def test_a_certificate_for_another_host_says_so(
    names: tuple[str, ...], ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    with peer(_answer, _server(authority, *names)) as server:
        error = _refusal(ask, server, trusting)
        assert "is for another host: " in error.message
        assert "127.0.0.1" in error.message
        assert "`resolve=NAME:PORT:ADDRESS`" in (error.hint or "")


def test_a_certificate_signed_by_itself_says_so(ask: Asking) -> None:
    authority = trustme.CA(organization_name="Myself")
    issued = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        issued.load_cert_chain(certificate, key)
    with peer(_answer, issued) as server:
        error = _refusal(ask, server, Network())
        assert "uses a self-signed certificate that this machine does not trust" in error.message


def test_a_server_that_speaks_old_tls_alone_says_so(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    context = _server(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with peer(_answer, context) as server:
        assert "it has none from 1.2 on" in _refusal(ask, server, trusting).message
        assert server.connections == 1


@pytest.mark.parametrize("first", ["HTTP/1.1 400 Bad Request\r\n\r\n", "hello\r\n", "\0" * 16])
def test_an_answer_without_tls_leads_to_the_option_for_it(first: str, ask: Asking) -> None:
    def plain(line: Line) -> None:
        line.socket.recv(5)
        line.send(first)
        line.linger()

    with peer(plain) as server:
        error = _refusal(ask, server, Network())
        assert "does not speak TLS on this port" in error.message
        assert f"`plain_http={server.address}`" in (error.hint or "")
        assert server.connections == 1


def test_a_handshake_that_is_cut_off_is_tried_again(
    ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    with peer(lambda line: line.close()) as server:
        with pytest.raises(Unreachable):
            ask(server.address, trusting)
        assert server.connections == IMPATIENT.attempts


def test_nothing_is_checked_where_the_user_says_so_and_a_warning_tells(
    ask: Asking, authority: trustme.CA
) -> None:
    context = _server(authority, "other.example", not_after=dt.datetime(2020, 2, 3, tzinfo=dt.UTC))
    with peer(_answer, context) as server:
        assert ask(server.address, Network(insecure=frozenset({server.address}))) == b"ok"
        (warned,) = ask.told
        assert isinstance(warned, Warned)
        assert f"the certificate of {server.address} is not checked" in warned.message


def test_a_registry_that_is_not_checked_is_not_spoken_to_without_tls(ask: Asking) -> None:
    heard: list[bytes] = []

    def plain(line: Line) -> None:
        heard.append(line.socket.recv(3))
        line.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with peer(plain) as server:
        _refusal(ask, server, Network(insecure=frozenset({server.address})))
    assert heard == [b"\x16\x03\x01"], "a TLS handshake (RFC 8446, section 5.1)"


def test_only_the_host_that_is_named_goes_unchecked(ask: Asking, authority: trustme.CA) -> None:
    with peer(_answer, _server(authority)) as named, peer(_answer, _server(authority)) as other:
        with pytest.raises(Unreachable, match="not trusted here"):
            ask(other.address, Network(insecure=frozenset({named.address})))


@dataclass
class Identity:
    """A client's certificate and key, and a server that wants to see one."""

    certificate: Path
    key: Path
    seen: list[str]
    context: ssl.SSLContext

    def __call__(self, line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        shown = line.socket.getpeercert()
        self.seen.append(str(shown.get("subjectAltName") if shown else None))
        _answer(line)


@pytest.fixture
def identity(authority: trustme.CA, tmp_path: Path) -> Identity:
    issued = authority.issue_cert("client@example.org")
    certificate, key = tmp_path / "client.cert", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    context = _server(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)
    return Identity(certificate, key, [], context)


def test_a_client_certificate_is_shown(ask: Asking, identity: Identity, ca_file: Path) -> None:
    shown = Tls(
        ca_file=str(ca_file), cert_file=str(identity.certificate), key_file=str(identity.key)
    )
    with peer(identity, identity.context) as server:
        ask(server.address, Network(source=shown))
    assert "client@example.org" in identity.seen[0]


def test_a_client_certificate_in_a_folder_of_the_registry_is_shown(
    ask: Asking, identity: Identity, trusting: Network, tmp_path: Path
) -> None:
    with peer(identity, identity.context) as server:
        place = tmp_path / "home/.docker/certs.d" / server.address
        place.mkdir(parents=True)
        identity.certificate.rename(place / "client.cert")
        identity.key.rename(place / "client.key")
        ask(server.address, trusting)
    assert "client@example.org" in identity.seen[0]


def test_where_a_redirect_leads_nothing_is_shown_and_no_more_is_trusted(
    ask: Asking, identity: Identity, authority: trustme.CA, ca_file: Path
) -> None:
    """The other origin has a certificate of the same authority, and asks for the client's."""
    shown = Tls(
        ca_file=str(ca_file), cert_file=str(identity.certificate), key_file=str(identity.key)
    )
    with peer(identity, identity.context) as other:

        def send_on(line: Line) -> None:
            line.head()
            line.send(
                f"HTTP/1.1 307 Elsewhere\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n"
            )

        with peer(send_on, _server(authority)) as server:
            with pytest.raises(Unreachable, match=f"{other.address} is signed by an authority"):
                ask(server.address, Network(source=shown))
            trusted = {other.address: RegistrySettings(tls=Tls(ca_file=str(ca_file)))}
            ask(server.address, Network(source=shown, registries=trusted))
    assert set(identity.seen) == {"None"}


def test_a_registry_that_misses_a_client_certificate_leads_to_the_option(
    ask: Asking, identity: Identity, trusting: Network
) -> None:
    identity.context.verify_mode = ssl.CERT_REQUIRED
    with peer(identity, identity.context) as server:
        error = _refusal(ask, server, trusting)
        assert "`cert_file`" in (error.hint or "")


def _locked(key: Path) -> None:
    read = form.load_pem_private_key(key.read_bytes(), None)
    locked = form.BestAvailableEncryption(b"secret")
    key.write_bytes(read.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked))


def _other_key(key: Path) -> None:
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(key)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_locked, "is locked with a password"),
        (_other_key, "is not that of the certificate"),
        (Path.unlink, "cannot be read: No such file"),
        (lambda key: key.write_text("nonsense"), "there is no client certificate in"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_before_anything_is_asked(
    spoil: Callable[[Path], object], said: str, ask: Asking, identity: Identity
) -> None:
    spoil(identity.key)
    shown = Tls(cert_file=str(identity.certificate), key_file=str(identity.key))
    with peer(_answer) as server:
        with pytest.raises(InvalidConfig, match=said):
            ask(server.address, Network(source=shown))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), ("nonsense", "there is no certificate of an")],
)
def test_an_authority_that_cannot_be_used_is_an_error_before_anything_is_asked(
    content: str | None, said: str, ask: Asking, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with peer(_answer) as server:
        with pytest.raises(InvalidConfig, match=said):
            ask(server.address, Network(source=Tls(ca_file=str(tmp_path / "ca.pem"))))
        assert server.connections == 0


def test_a_client_certificate_without_its_key_in_a_folder_is_an_error(
    ask: Asking, authority: trustme.CA, tmp_path: Path
) -> None:
    with peer(_answer, _server(authority)) as server:
        place = tmp_path / "home/.docker/certs.d" / server.address
        place.mkdir(parents=True)
        (place / "client.cert").touch()
        with pytest.raises(InvalidConfig, match="there is no key for the client certificate"):
            ask(server.address, Network())


def test_no_context_is_made_for_plain_http(monkeypatch: pytest.MonkeyPatch, ask: Asking) -> None:
    """It takes 20 ms to read all that the system trusts."""

    def forbidden(*_: object) -> None:
        raise AssertionError("a TLS context was made")

    monkeypatch.setattr("regimport.registry.trust.make_context", forbidden)
    with peer(_answer) as server:
        options = CopyOptions(plain_http=frozenset({server.address}))
        session = open_session(
            server.address,
            Side.SOURCE,
            options,
            CredentialLookup(lambda _: None),
            ask,
            threading.Event(),
        )
        assert session.ask(Request("GET", "")).body == b"ok"
        session.close()


def test_one_context_serves_all_connections(
    monkeypatch: pytest.MonkeyPatch, ask: Asking, authority: trustme.CA, trusting: Network
) -> None:
    made: list[object] = []

    def counted(files: TlsFiles) -> ssl.SSLContext:
        made.append(files)
        return make_context(files)

    monkeypatch.setattr(trust, "make_context", counted)

    def once(line: Line) -> None:
        line.head()
        line.send("HTTP/1.1 503 Later\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with peer(once, _server(authority)) as server:
        with pytest.raises(Unreachable):
            ask(server.address, trusting)
        assert server.connections == IMPATIENT.attempts
    assert len(made) == 1


def test_http_2_is_not_offered(ask: Asking, authority: trustme.CA, trusting: Network) -> None:
    context = _server(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    def treat(line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        chosen.append(line.socket.selected_alpn_protocol())
        _answer(line)

    with peer(treat, context) as server:
        ask(server.address, trusting)
    assert chosen == ["http/1.1"]


@pytest.mark.parametrize("blind", ["darwin", "no store"])
def test_where_openssl_cannot_read_the_systems_store_something_else_does(
    blind: str,
    ask: Asking,
    authority: trustme.CA,
    trusting: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On macOS and Windows, and with a Python that was built for another Linux."""
    if blind == "darwin":
        monkeypatch.setattr("regimport.transport.tls.sys.platform", "darwin")
    else:
        nothing = ssl.DefaultVerifyPaths("", "", "", "", "", "")
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    context = Contexts(Network()).context("a.example", 443)
    assert isinstance(context, truststore.SSLContext)
    with peer(_answer, _server(authority)) as server:
        assert ask(server.address, trusting) == b"ok"
        with pytest.raises(Unreachable, match="not trusted here"):
            ask(server.address, Network())


def test_where_it_can_it_is_read_once(ask: Asking) -> None:
    """truststore would read it for each connection, while no other one may be opened."""
    if ssl.get_default_verify_paths().cafile is None:
        pytest.skip("this system has no file of authorities")
    context = Contexts(Network()).context("a.example", 443)
    assert not isinstance(context, truststore.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_registry_that_the_file_says_not_to_check_is_warned_of(
    ask: Asking, authority: trustme.CA
) -> None:
    with peer(_answer, _server(authority)) as server:
        settings = {server.address: RegistrySettings(tls=Tls(insecure=True))}
        assert ask(server.address, Network(registries=settings)) == b"ok"
    assert len(ask.told) == 1


def test_httpx_trusts_and_shows_the_same(identity: Identity, ca_file: Path, ask: Asking) -> None:
    shown = Tls(
        ca_file=str(ca_file), cert_file=str(identity.certificate), key_file=str(identity.key)
    )
    with peer(identity, identity.context) as server:
        settings = RegistrySettings(endpoint=f"https://{server.address}")
        options = CopyOptions(
            network=Network(source=shown, registries={server.address: settings}),
            transport="httpx",
        )
        session = open_session(
            server.address,
            Side.SOURCE,
            options,
            CredentialLookup(lambda _: None),
            ask,
            threading.Event(),
        )
        assert session.ask(Request("GET", "")).body == b"ok"
        session.close()
    assert "client@example.org" in identity.seen[0]


@pytest.mark.parametrize("host", ["..", "."])
def test_a_host_does_not_lead_out_of_the_folder_of_hosts(host: str, tmp_path: Path) -> None:
    """A redirect chooses it."""
    folder = tmp_path / "certs.d"
    folder.mkdir()
    (tmp_path / "x.cert").touch()
    (folder / "x.cert").touch()
    Contexts(Network(), folders=(folder,)).context(host, 443)
