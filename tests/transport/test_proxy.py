"""Proxies: for whom they are, and what a session does where one is in the way."""

from __future__ import annotations

import base64
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from regimport.auth.lookup import CredentialLookup
from regimport.errors import AccessDenied, InvalidOptions, RegimportError, Side, Unreachable
from regimport.events import Event
from regimport.models.credential import Credential
from regimport.network import Network, Tls
from regimport.options import CopyOptions
from regimport.registry.request import Request
from regimport.registry.sessions import open_session
from regimport.transport.answers import body_of
from regimport.transport.pool import PooledTransport
from regimport.transport.proxy import Proxies, Proxy
from registry.conftest import IMPATIENT
from support.peers import Asked, Line, Reply, peer, web
from support.proxy import RecorderProxy, SocksProxy

_PAIR = "Basic " + base64.b64encode(b"carol:p@ss:w0rd").decode()
_BOTH = {"HTTP_PROXY": "http://p.example:3128", "HTTPS_PROXY": "http://s.example:3129"}


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https a.example 443", None),
        (_BOTH, "https a.example 443", "s.example:3129"),
        (_BOTH, "http a.example 80", "p.example:3128"),
        ({"https_proxy": "http://s.example:3129"}, "https a.example 443", "s.example:3129"),
        ({"HTTPS_PROXY": "", "https_proxy": "s.example"}, "https a.example 443", "s.example:80"),
        (_BOTH | {"https_proxy": "http://x.example"}, "https a.example 443", "s.example:3129"),
        ({"HTTPS_PROXY": "s.example:8080"}, "https a.example 443", "s.example:8080"),
        ({"HTTPS_PROXY": "http://[2001:db8::1]:8080"}, "https a.example 443", "[2001:db8::1]:8080"),
        ({"HTTP_PROXY": "http://p.example"}, "https a.example 443", None),
        ({"ALL_PROXY": "http://p.example"}, "https a.example 443", None),
        (_BOTH, "https localhost 443", None),
        (_BOTH, "https LOCALHOST. 443", None),
        (_BOTH, "https a.localhost 443", None),
        (_BOTH, "http 127.8.9.1 5000", None),
        (_BOTH, "https ::1 443", None),
        (_BOTH, "https 127.0.0.1.example 443", "s.example:3129"),
    ],
)
def test_the_environment_names_proxies_as_for_go(
    environ: dict[str, str], url: str, proxy: str | None
) -> None:
    scheme, host, port = url.split()
    found = Proxies(environ).proxy_for(scheme, host, int(port))
    assert (None if found is None else str(found)) == proxy


@pytest.mark.parametrize(
    ("exceptions", "host", "direct"),
    [
        ("a.example", "a.example", True),
        ("a.example", "b.a.example", True),
        ("a.example", "ba.example", False),
        ("A.Example", "a.EXAMPLE", True),
        (".a.example", "b.a.example", True),
        (".a.example", "a.example", False),
        ("*.a.example", "b.a.example", True),
        ("*.a.example", "a.example", False),
        ("x.example, a.example", "a.example", True),
        ("x.example a.example", "a.example", True),
        ("*", "a.example", True),
        ("a.example:443", "a.example", True),
        ("a.example:8443", "a.example", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.77", False),
        ("192.0.2.0/24", "a.example", False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("[2001:db8::7]:443", "2001:db8::7", True),
        ("2001:db8::7", "2001:db8::7", True),
        ("0.2.1", "192.0.2.1", False),
        ("not/a/network", "a.example", False),
        (",,", "a.example", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_names_hosts_domains_addresses_and_networks(
    name: str, exceptions: str, host: str, direct: bool
) -> None:
    proxies = Proxies(_BOTH | {name: exceptions})
    assert (proxies.proxy_for("https", host, 443) is None) == direct


@pytest.mark.parametrize(
    "url", ["socks4://p.example:1080", "http://", "https://", "http://p:x", "ftp://p", "http://é"]
)
def test_what_is_no_proxy_is_an_error_that_shows_no_password(url: str) -> None:
    url = url.replace("://", "://carol:s3cret@", 1)
    with pytest.raises(InvalidOptions, match="HTTPS_PROXY is not the URL of a proxy") as caught:
        Proxies({"HTTPS_PROXY": url}).proxy_for("https", "a.example", 443)
    assert "s3cret" not in str(caught.value) + str(caught.value.hint)


def test_a_bad_proxy_that_is_not_needed_is_no_error() -> None:
    proxies = Proxies({"HTTP_PROXY": "ftp://p.example", "NO_PROXY": "a.example"})
    assert proxies.proxy_for("https", "b.example", 443) is None
    assert proxies.proxy_for("http", "a.example", 80) is None


def test_credentials_are_decoded_and_not_shown() -> None:
    proxy = Proxies({"HTTPS_PROXY": "http://carol:p%40ss:w0rd@p.example"}).proxy_for(
        "https", "a.example", 443
    )
    assert proxy == Proxy("p.example", 80, "http", ("carol", "p@ss:w0rd"))
    assert proxy.authorization == _PAIR
    assert "carol" not in repr(proxy) + str(proxy)
    assert _PAIR not in repr(proxy) + str(proxy)


class _Reports:
    def __init__(self) -> None:
        self.told: list[Event] = []

    def tell(self, event: Event) -> None:
        self.told.append(event)


@contextmanager
def _answering(authority: trustme.CA, *names: str) -> Iterator[str]:
    """A server with TLS, for names that no name server knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)

    def treat(line: Line) -> None:
        while line.head():
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with peer(treat, context) as server:
        yield server.address


def _ask(
    registry: str,
    ca_file: Path | None = None,
    *,
    url: str = "",
    plain: bool = False,
    transport: str = "pooled",
    reports: _Reports | None = None,
    credential: Credential | None = None,
) -> bytes:
    options = CopyOptions(
        retry=IMPATIENT,
        plain_http=frozenset({registry} if plain else ()),
        network=Network(source=Tls(ca_file=None if ca_file is None else str(ca_file))),
        transport="httpx" if transport == "httpx" else "pooled",
    )
    session = open_session(
        registry,
        Side.SOURCE,
        options,
        CredentialLookup(lambda _: credential),
        reports or _Reports(),
        threading.Event(),
    )
    try:
        return session.ask(Request("GET", url)).body
    finally:
        session.close()


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
def test_https_goes_through_a_tunnel(
    transport: str, authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees where it leads, and nothing else; the certificate is the registry's."""
    with _answering(authority, "a.example") as server:
        with RecorderProxy({"a.example:443": server}, wants=_PAIR) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://carol:p%40ss:w0rd@{proxy.address}")
            assert _ask("a.example", ca_file, transport=transport) == b"ok"
            assert proxy.lines == ["CONNECT a.example:443"]


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
def test_plain_http_is_handed_to_the_proxy_whole(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web(lambda _: Reply(body=b"ok")) as server:
        with RecorderProxy({"a.example:5000": server.address}, wants=_PAIR) as proxy:
            monkeypatch.setenv("http_proxy", f"http://carol:p%40ss:w0rd@{proxy.address}")
            assert _ask("a.example:5000", plain=True, transport=transport) == b"ok"
            assert proxy.lines == ["GET http://a.example:5000/v2/"]
        assert "proxy-authorization" not in server.asked[0].headers


@pytest.fixture
def secured(authority: trustme.CA) -> ssl.SSLContext:
    """What a proxy is spoken to with TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_proxy_may_be_spoken_to_with_tls(
    authority: trustme.CA,
    ca_file: Path,
    secured: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TLS to the registry, inside the TLS to the proxy; and a request that the proxy forwards."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with _answering(authority, "a.example") as server, web(lambda _: Reply(body=b"ok")) as plain:
        places = {"a.example:443": server, "b.example:5000": plain.address}
        with RecorderProxy(places, wants=_PAIR, context=secured) as proxy:
            url = proxy.url.replace("://", "://carol:p%40ss:w0rd@")
            monkeypatch.setenv("HTTPS_PROXY", url)
            monkeypatch.setenv("HTTP_PROXY", url)
            assert _ask("a.example") == b"ok"
            assert _ask("b.example:5000", plain=True) == b"ok"
            assert proxy.lines == ["CONNECT a.example:443", "GET http://b.example:5000/v2/"]


def test_a_large_body_goes_both_ways_through_tls_in_tls(
    authority: trustme.CA,
    ca_file: Path,
    secured: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    content = b"".join(number.to_bytes(4, "big") for number in range(1_500_000))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("a.example").configure_cert(context)

    def treat(line: Line) -> None:
        while line.head():
            body = line.read(len(content))
            line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with peer(treat, context) as server:
        with RecorderProxy({"a.example:443": server.address}, context=secured) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            transport = PooledTransport()
            for _ in range(2):
                request = httpx.Request(
                    "PUT",
                    "https://a.example/",
                    content=iter((content[:9], content[9:])),
                    headers={"Content-Length": str(len(content))},
                )
                response = transport.handle_request(request)
                assert b"".join(bytes(piece) for piece in body_of(response)) == content
                response.close()
            transport.close()
            assert proxy.lines == ["CONNECT a.example:443"]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("user", [None, ("carol", "p@ss:w0rd")])
def test_a_socks_proxy_carries_both_and_looks_names_up(
    scheme: str,
    user: tuple[str, str] | None,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = "" if user is None else "carol:p%40ss:w0rd@"
    with _answering(authority, "a.example") as server, web(lambda _: Reply(body=b"ok")) as plain:
        places = {"a.example:443": server, "b.example:5000": plain.address}
        with SocksProxy(places, user) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://{told}{proxy.address}")
            monkeypatch.setenv("HTTP_PROXY", f"{scheme}://{told}{proxy.address}")
            assert _ask("a.example", ca_file) == b"ok"
            assert _ask("b.example:5000", plain=True) == b"ok"
            assert proxy.asked == ["a.example:443", "b.example:5000"]
        assert plain.lines == ["GET /v2/"]


@pytest.mark.parametrize("told", ["", "carol:wr0ng@"])
def test_a_socks_proxy_that_lets_nobody_in_ends_it_at_once(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SocksProxy({}, ("carol", "right")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"socks5://{told}{proxy.address}")
        with pytest.raises(AccessDenied) as caught:
            _ask("a.example")
    assert f"the proxy {proxy.address} wants a user name and a password" in caught.value.message
    assert "wr0ng" not in _all_that_is_said(caught.value)


@pytest.mark.parametrize(("reply", "times"), [(2, 1), (4, IMPATIENT.attempts)])
def test_a_socks_proxy_that_does_not_connect_there_is_named(
    reply: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SocksProxy({}, reply=reply) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"socks5://{proxy.address}")
        with pytest.raises(Unreachable, match=f"the proxy {proxy.address}"):
            _ask("a.example")
        assert len(proxy.asked) == times


def test_a_socks_proxy_without_the_extra_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(InvalidOptions, match="SOCKS") as caught:
        Proxies({"HTTPS_PROXY": "socks5://p.example"}).proxy_for("https", "a.example", 443)
    assert "httpx[socks]" in str(caught.value.hint)


def test_the_registrys_credentials_and_the_proxys_are_told_to_each_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(asked: Asked) -> Reply:
        if "authorization" in asked.headers:
            return Reply(body=b"ok")
        return Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

    with web(answer) as server:
        with RecorderProxy({"a.example:80": server.address}, wants=_PAIR) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://carol:p%40ss:w0rd@{proxy.address}")
            known = Credential("alice", "wonder:land")
            assert _ask("a.example", plain=True, credential=known) == b"ok"
            assert {one.authorization for one in proxy.passed} == {_PAIR}
        assert server.asked[-1].headers["authorization"] == known.basic()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("transport", ["pooled", "httpx"])
@pytest.mark.parametrize("told", ["", "carol:wr0ng@"])
def test_a_proxy_that_lets_nobody_in_ends_it_at_once(
    told: str, transport: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecorderProxy({"a.example:443": "", "a.example:80": ""}, wants=_PAIR) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{told}{proxy.address}")
        with pytest.raises(AccessDenied) as caught:
            _ask("a.example", plain=scheme == "http", transport=transport)
        assert len(proxy.passed) == 1
    assert "wants a user name and a password" in caught.value.message
    assert "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT" in str(caught.value.hint)
    assert "wr0ng" not in _all_that_is_said(caught.value)


def _all_that_is_said(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error} {error!r} {getattr(error, 'hint', '')}"
        error = error.__cause__
    return said


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
def test_a_proxy_that_does_not_connect_there_ends_it_at_once(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecorderProxy({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unreachable) as caught:
            _ask("a.example", transport=transport)
        assert len(proxy.passed) == 1
    assert "does not connect to a.example: 403" in caught.value.message
    assert "NO_PROXY=a.example" in str(caught.value.hint)


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_proxy_that_cannot_connect_just_now_is_asked_again(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecorderProxy({}, refuses=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unreachable, match=f"the proxy {proxy.address}: {status}"):
            _ask("a.example")
        assert len(proxy.passed) == IMPATIENT.attempts


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with RecorderProxy({}) as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://carol:s3cret@{proxy.address}")
    with pytest.raises(Unreachable) as caught:
        _ask("a.example")
    assert f"the proxy {proxy.address}: " in caught.value.message
    assert "s3cret" not in _all_that_is_said(caught.value)


@pytest.mark.parametrize("answer", ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n", ""])
def test_what_is_no_proxy_is_not_taken_for_one(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def treat(line: Line) -> None:
        line.head()
        line.send(answer)

    with peer(treat) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
        with pytest.raises(Unreachable, match=f"the proxy {server.address}: it "):
            _ask("a.example")


def test_where_a_redirect_leads_has_its_own_rule(
    authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is in the company's net, the storage that it sends us to is not."""
    moved = Reply(307, {"Location": "https://storage.example/blob"})
    with _answering(authority, "storage.example") as storage, web(lambda _: moved) as registry:
        with RecorderProxy({"storage.example:443": storage}) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
            assert _ask(registry.address) == b"ok"
            assert proxy.lines == ["CONNECT storage.example:443"]


def test_a_certificate_behind_a_proxy_is_told_of_too(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _answering(authority, "a.example") as server:
        with RecorderProxy({"a.example:443": server}) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            with pytest.raises(RegimportError, match="authority that is not trusted here"):
                _ask("a.example")
