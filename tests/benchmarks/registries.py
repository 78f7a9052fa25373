"""The registries that are copied from and to, over storage in memory where that is possible."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from support.registries import DockerRegistry

_MEMORY = Path("/dev/shm")
# What the largest image needs at the source and at the target, and some air.
_ENOUGH = 5 << 30
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for servers on 127.0.0.1, and the authority that clients have to trust."""

    certificate: Path
    key: Path
    authority: Path


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
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(made.key)
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(made.certificate, append=True)
    return made


@contextmanager
def fresh_registry(folder: Path, tls: Tls | None) -> Iterator[DockerRegistry]:
    """A registry with nothing in it."""
    root = folder / f"registry{next(_numbers)}"
    root.mkdir()
    files = {"certificate": str(tls.certificate), "key": str(tls.key)} if tls else None
    registry = DockerRegistry(root, http={"tls": files} if files else {}, auth={})
    try:
        yield registry
    finally:
        registry.stop()
        shutil.rmtree(root)
