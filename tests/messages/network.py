"""Networks, TLS and proxies."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from messages.stage import Stage, silent
from regimport.transport import dial
from support.miniature import Miniature
from support.peers import Line
from support.scripted import Heard, Say

CASES: list[Callable[[Stage], None]] = []


def _case(case: Callable[[Stage], None]) -> Callable[[Stage], None]:
    CASES.append(case)
    return case


@_case
def nobody(stage: Stage) -> None:
    """Nobody there, or no answer"""
    stage.nobody()
    stage.run("regimport copy registry.example/app oci:b")
    stage.run("regimport login -u ci --password-stdin registry.example", stdin="x")
    stage.peer(silent, "silent.example")
    stage.run("regimport copy --idle-timeout 100ms silent.example/app oci:b")
    stage.peer(lambda _: None, "closing.example")
    stage.run("regimport copy closing.example/app oci:b")

    def speak(line: Line) -> None:
        line.head()
        line.send("220 mail.example ESMTP\r\n")

    stage.peer(speak, "mail.example")
    stage.run("regimport copy mail.example/app oci:b")


@_case
def interrupted(stage: Stage) -> None:
    """Ctrl-C while a registry does not answer"""
    heard = threading.Event()

    def hang(line: Line) -> None:
        line.head()
        heard.set()
        line.linger()

    stage.peer(hang)
    stage.interrupt("regimport copy registry.example/app oci:b", heard)


@_case
def no_name(stage: Stage) -> None:
    """A name that there is not"""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with patch.object(socket, "getaddrinfo", unknown):
        stage.run("regimport copy registry.exmaple/app oci:b")


@_case
def tls(stage: Stage) -> None:
    """Certificates of registries"""

    def serve(name: str, issuer: trustme.CA, *hosts: str, **more: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(*hosts, **more).configure_cert(context)
        stage.server(Miniature(), name, context)

    serve("company.example", stage.authority, "127.0.0.1")
    stage.run("regimport digest company.example/app")
    stage.write("ca.pem", stage.authority.cert_pem.bytes())
    serve("other.example", stage.authority, "another.example")
    stage.run("regimport digest --ca-file ca.pem other.example/app")
    old = datetime.now(UTC) - timedelta(days=2)
    serve("expired.example", stage.authority, "127.0.0.1", not_after=old)
    stage.run("regimport digest --ca-file ca.pem expired.example/app")
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    alone.load_cert_chain(_self_signed(stage))
    stage.server(Miniature(), "alone.example", alone)
    stage.run("regimport digest alone.example/app")
    stage.run("regimport digest --plain-http other.example --ca-file ca.pem other.example/app")


def _self_signed(stage: Stage) -> str:
    """Write a certificate that is signed by its own key, and the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    both = key.private_bytes(pem, *form) + certificate.public_bytes(pem)
    return str(stage.write("alone.pem", both))


@_case
def addresses(stage: Stage) -> None:
    """A registry that sends us to a name which leads inside"""
    inside = stage.server(Miniature(), "inside.example")
    port = int(inside.address.rpartition(":")[2])

    def lead(heard: Heard) -> Say:
        if "/blobs/" in heard.path:
            return Say(307, {"Location": f"http://inner.example:{port}/x"})
        return registry(heard)

    registry = Miniature()
    registry.hold("app", stage.image)
    outside = stage.server(lead)

    def find(host: bytes | str, port: int, **_: Any) -> Any:
        place = outside if host == b"evil.example" else inside
        number = int(place.address.rpartition(":")[2])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", number))]

    kinds = iter(["address"])
    with (
        patch.object(socket, "getaddrinfo", find),
        # The first address is in the place of one out in the world.
        patch.object(dial, "kind_of", lambda _: next(kinds, "loopback")),
    ):
        stage.run(
            "regimport copy --jobs 1 --referrers none --plain-http evil.example "
            "evil.example/app oci:b"
        )


@_case
def proxies(stage: Stage) -> None:
    """Proxies"""
    for status in ("407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"):

        def answer(line: Line, status: str = status) -> None:
            line.head()
            line.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")

        name = f"proxy{status[:3]}.example"
        stage.peer(answer, name)
        address = stage.address(name)
        stage.run("regimport digest registry.example/app", HTTPS_PROXY=f"http://{address}")
    stage.nobody("closed.example")
    address = stage.address("closed.example")
    stage.run("regimport digest registry.example/app", HTTPS_PROXY=f"http://{address}")
