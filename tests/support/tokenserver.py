"""A token service, as docker-registry wants one (spec/auth/token.md and oauth.md)."""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class TokenRequest:
    """What was asked of the service."""

    method: str
    scopes: tuple[str, ...]
    account: str
    granted: bool


@dataclass
class Behaviour:
    """What a test may change: who is who, how long tokens live, and what is refused."""

    users: dict[str, str] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    life: int = 300
    methods: tuple[str, ...] = ("GET", "POST")
    anonymous_pull: bool = False
    most_scopes: int = 100


class TokenServer:
    """The service on a thread; `requests` are what it was asked."""

    service = "test-registry"
    issuer = "test-issuer"

    def __init__(self, folder: Path) -> None:
        self.behaviour = Behaviour(users={"alice": "wonder:land"})
        self.requests: list[TokenRequest] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _self_signed(self._key)
        self._chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER))
        self.certificate = folder / "token.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        self.behaviour = Behaviour(users={"alice": "wonder:land"})
        self.requests.clear()

    def token(self, subject: str, scopes: list[str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": self.service,
            "exp": now + self.behaviour.life,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [_access(scope) for scope in scopes],
        }
        header: dict[str, object] = {"typ": "JWT", "alg": "RS256", "x5c": [self._chain.decode()]}
        signed = f"{_encode(header)}.{_encode(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one class
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            self._answer("GET", query.get("scope", []), *self._basic())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            scopes = form.get("scope", "").split()
            if form.get("grant_type") == "refresh_token":
                account = server.behaviour.refresh_tokens.get(form.get("refresh_token", ""), "")
                self._answer("POST", scopes, account, bool(account))
            else:
                name, password = form.get("username", ""), form.get("password", "")
                self._answer("POST", scopes, name, _known(server, name, password))

        def _basic(self) -> tuple[str, bool]:
            value = self.headers.get("Authorization", "")
            if not value.startswith("Basic "):
                return "", server.behaviour.anonymous_pull
            pair = base64.b64decode(value.removeprefix("Basic ")).decode()
            name, _, password = pair.partition(":")
            return name, _known(server, name, password)

        def _answer(self, method: str, scopes: list[str], account: str, known: bool) -> None:
            behaviour = server.behaviour
            status = 200 if known else 401
            if len(scopes) > behaviour.most_scopes:
                status = 400
            if method not in behaviour.methods:
                status = 405
            server.requests.append(TokenRequest(method, tuple(scopes), account, status == 200))
            document: dict[str, object] = {"errors": [{"code": "UNAUTHORIZED"}]}
            if status == 200:
                granted = scopes if account else [s for s in scopes if s.endswith(":pull")]
                token = server.token(account, granted)
                document = {"token": token, "expires_in": behaviour.life}
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _known(server: TokenServer, name: str, password: str) -> bool:
    return server.behaviour.users.get(name) == password


def _access(scope: str) -> dict[str, object]:
    kind, name, actions = scope.split(":", 2)
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encode(document: dict[str, object]) -> str:
    raw = json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
