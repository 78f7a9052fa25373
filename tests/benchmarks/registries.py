"""The registries that are copied from and to, over storage in memory where that is possible."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trustme

from support.registries import BINARY, Asked, trust_anything

_MEMORY = Path("/dev/shm")
# What the largest image needs at the source and at the target, and some air.
_ENOUGH = 5 << 30
_ACCESS = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3}) ')
_QUIET = {"level": "error", "accesslog": {"disabled": True}}
_TELLING = {"level": "info", "formatter": "text"}
_numbers = itertools.count()
# Linux takes it for this machine, but no tool takes it for loopback, where regimport would first
# look whether a registry speaks TLS, as it does nowhere else.
ELSEWHERE = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for servers on 127.0.0.1, and the authority that clients have to trust."""

    certificate: Path
    key: Path
    authority: Path


class Listener(Protocol):
    """Whatever speaks at an address, with TLS or without."""

    @property
    def address(self) -> str: ...
    @property
    def tls(self) -> bool: ...


def connect(listener: Listener) -> http.client.HTTPConnection:
    """A connection to it."""
    if listener.tls:
        return http.client.HTTPSConnection(listener.address, context=trust_anything())
    return http.client.HTTPConnection(listener.address)


@dataclass(slots=True)
class Registry:
    """A docker-registry process over a folder; where it tells its requests, or None."""

    address: str
    tls: bool
    log: Path | None
    _seen: int = 0

    def requests(self) -> tuple[Asked, ...]:
        """What was asked since the last call; nothing if it does not tell."""
        if self.log is None:
            return ()
        # The answers are told in their order: when it tells of this one, it has told of all.
        marker = f"/v2/?marker={next(_numbers)}"
        connection = connect(self)
        connection.request("GET", marker)
        connection.getresponse().read()
        connection.close()
        while marker not in (told := self.log.read_text()[self._seen :]):
            time.sleep(0.005)
        self._seen += len(told)
        found = [Asked(one[1], one[2], int(one[3])) for one in _ACCESS.finditer(told)]
        return tuple(one for one in found if "?marker=" not in one.path)


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for storage and homes: on a tmpfs where there is one with room."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    folder = Path(tempfile.mkdtemp(prefix="regimport-", dir=_MEMORY if in_memory else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def make_tls(folder: Path) -> Tls:
    """Make an authority, and a certificate by it."""
    made = Tls(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    certificate = authority.issue_cert("127.0.0.1", ELSEWHERE)
    certificate.private_key_pem.write_to_path(made.key)
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(made.certificate, append=True)
    return made


@contextmanager
def fresh_registry(folder: Path, tls: Tls | None, *, tells: bool = False) -> Iterator[Registry]:
    """A registry with nothing in it."""
    root = folder / f"registry{next(_numbers)}"
    root.mkdir()
    try:
        with registry_over(root, tls, tells=tells) as registry:
            yield registry
    finally:
        shutil.rmtree(root)


@contextmanager
def registry_over(root: Path, tls: Tls | None, *, tells: bool = False) -> Iterator[Registry]:
    """A registry over a folder. Telling its requests takes it time: leave it where time counts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    name = f"{root}-{next(_numbers)}"
    config, log = Path(f"{name}.yml"), Path(f"{name}.log")
    # JSON is YAML. The cache of descriptors is what Debian's own configuration has.
    config.write_text(json.dumps(_settings(address, root, tls, tells=tells)))
    assert BINARY is not None, "docker-registry is not installed"
    environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    with (
        log.open("w") as output,
        subprocess.Popen(
            [BINARY, "serve", str(config)], stdout=output, stderr=output, env=environment
        ) as process,
    ):
        try:
            _wait_for(address, process, log)
            yield Registry(address, tls is not None, log if tells else None)
        finally:
            process.kill()


def _settings(address: str, root: Path, tls: Tls | None, *, tells: bool) -> dict[str, object]:
    speaks: dict[str, object] = {"addr": address}
    if tls:
        speaks["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    return {
        "version": "0.1",
        "log": _TELLING if tells else _QUIET,
        "storage": {
            "filesystem": {"rootdirectory": str(root)},
            "cache": {"blobdescriptor": "inmemory"},
        },
        "http": speaks,
    }


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    while process.poll() is None:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"docker-registry does not start: {log.read_text()}")
