"""Debian's docker-registry, as real processes: plain, with htpasswd over TLS, with tokens."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from support.tokenserver import TokenServer

USER = ("alice", "wonder:land")
# bcrypt of that password, made by Debian's htpasswd.
HTPASSWD = r"alice:$2y$04$i6ra1Hee.hF3kEzoD5mGUus9S.D.LsJWB4DGgaIDuxqWQu.XqT7c."
BINARY = shutil.which("docker-registry")
_ACCESS = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3}) ')


@dataclass(frozen=True)
class Asked:
    """A request that a registry has answered."""

    method: str
    path: str
    status: int


class DockerRegistry:
    """A docker-registry process on loopback, and what it was asked."""

    def __init__(
        self,
        root: Path,
        *,
        http: Mapping[str, object],
        auth: Mapping[str, object],
        upstream: str | None = None,
        urls: str | None = None,
    ) -> None:
        self.root = root
        # Which URLs of layers that it need not have it takes, as a pattern.
        self._urls = urls
        self._http, self._auth, self._upstream = http, auth, upstream
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._markers = 0
        for _ in range(5):
            if self._start():
                return
        raise AssertionError("docker-registry does not start: " + "\n".join(self._lines[-5:]))

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS."""
        return "tls" in self._http

    def requests(self) -> list[Asked]:
        """What was asked since the log was cleared, in the order of the answers."""
        self._markers += 1
        marker = f"/v2/?marker={self._markers}"
        self._ping(marker)
        with self._changed:
            assert self._changed.wait_for(lambda: any(marker in line for line in self._lines), 20)
            found = [_ACCESS.search(line) for line in self._lines]
        asked = [Asked(match[1], match[2], int(match[3])) for match in found if match]
        return [one for one in asked if "?marker=" not in one.path]

    def clear(self) -> None:
        self.requests()
        with self._changed:
            self._lines.clear()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    def restart(self) -> None:
        """Stop it, and start it on the same port over the same storage."""
        self.stop()
        assert self._start(int(self.address.rpartition(":")[2]))

    def _start(self, port: int | None = None) -> bool:
        port = port or _free_port()
        self.address = f"127.0.0.1:{port}"
        settings: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "text"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.root)},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, **self._http},
        }
        if self._auth:
            settings["auth"] = self._auth
        if self._urls is not None:
            settings["validation"] = {"manifests": {"urls": {"allow": [self._urls]}}}
        if self._upstream is not None:
            settings["proxy"] = {"remoteurl": self._upstream}
        # JSON is YAML.
        config = self.root.parent / f"{self.root.name}.yml"
        config.write_text(json.dumps(settings))
        assert BINARY is not None
        self._process = subprocess.Popen(
            [BINARY, "serve", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self._listens() or not self._reader.is_alive(), 20)
            if self._listens():
                return True
        self.stop()
        return False

    def _listens(self) -> bool:
        return any(f"listening on {self.address}" in line for line in self._lines)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _ping(self, path: str) -> None:
        host, _, port = self.address.partition(":")
        with ExitStack() as stack:
            connection: socket.socket = stack.enter_context(
                socket.create_connection((host, int(port)), timeout=20)
            )
            if self.tls:
                connection = stack.enter_context(trust_anything().wrap_socket(connection))
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            while connection.recv(4096):
                pass


def trust_anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def plain_registry(
    folder: Path, name: str = "plain", *, urls: str | None = None
) -> Iterator[DockerRegistry]:
    registry = DockerRegistry(_storage(folder, name), http={}, auth={}, urls=urls)
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def pull_through_cache(folder: Path, upstream: str) -> Iterator[DockerRegistry]:
    """One that keeps what it is asked for, and reads it from `upstream`, as a mirror does."""
    registry = DockerRegistry(_storage(folder, "cache"), http={}, auth={}, upstream=upstream)
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def tls_registry(folder: Path, authority: trustme.CA) -> Iterator[DockerRegistry]:
    """One that speaks TLS, and lets in `USER` by htpasswd."""
    root = _storage(folder, "tls")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    (folder / "htpasswd").write_text(HTPASSWD + "\n")
    registry = DockerRegistry(
        root,
        http={"tls": {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}},
        auth={"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
    )
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def token_registry(folder: Path) -> Iterator[tuple[DockerRegistry, TokenServer]]:
    """One that wants tokens, and the server that gives them out."""
    with TokenServer(folder) as tokens:
        auth = {
            "token": {
                "realm": tokens.realm,
                "service": tokens.service,
                "issuer": tokens.issuer,
                "rootcertbundle": str(tokens.certificate),
            }
        }
        registry = DockerRegistry(_storage(folder, "token"), http={}, auth=auth)
        try:
            yield registry, tokens
        finally:
            registry.stop()


@contextmanager
def certified_registry(folder: Path, authority: trustme.CA) -> Iterator[DockerRegistry]:
    """One that speaks TLS, and lets in who shows a certificate of `authority`."""
    root = _storage(folder, "certified")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    authority.cert_pem.write_to_path(folder / "clients.pem")
    files = {"certificate": str(folder / "both.pem"), "key": str(folder / "both.pem")}
    tls = {**files, "clientcas": [str(folder / "clients.pem")]}
    registry = DockerRegistry(root, http={"tls": tls}, auth={})
    try:
        yield registry
    finally:
        registry.stop()


def _storage(folder: Path, name: str) -> Path:
    root = folder / f"{name}-storage"
    root.mkdir(parents=True)
    return root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
