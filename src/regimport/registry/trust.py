"""Whom to trust where: the TLS context of each host that is spoken to, made when it is needed.

What is set for a host counts for that host alone: a redirect to another one meets neither the
authority nor the client certificate of the registry that sent it.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from regimport.errors import InvalidConfig, Side
from regimport.network import Network, Tls, host_name
from regimport.transport.tls import TlsFiles, make_context

__all__ = ["Contexts", "certificate_folders", "check_files"]


class Contexts:
    """The TLS contexts of one side's registry and of whom it leads to; shared by threads.

    `origin` is the host and the port at which `registry` is spoken to. `folders` hold a folder for
    each registry, as Docker's certs.d.
    """

    def __init__(
        self,
        network: Network,
        registry: str = "",
        side: Side | None = None,
        origin: tuple[str, int] = ("", 0),
        folders: tuple[Path, ...] | None = None,
    ) -> None:
        self._network = network
        self._registry = registry
        self._side = side
        self._origin = origin
        self._folders = certificate_folders(os.environ) if folders is None else folders
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], TlsFiles] = {}
        self._made: dict[TlsFiles, ssl.SSLContext] = {}

    @property
    def insecure(self) -> bool:
        """Whether the registry's own certificate is not looked at."""
        return self._network.tls_of(self._registry, self._side).insecure

    def check(self) -> None:
        """Raise `InvalidConfig` if a file that was named for the registry cannot be used."""
        if self._network.tls_of(self._registry, self._side) not in {Tls(), Tls(insecure=True)}:
            self.context(*self._origin)

    def context(self, host: str, port: int) -> ssl.SSLContext:
        """Return the context for a host; raise `InvalidConfig`."""
        with self._lock:
            files = self._known.get((host, port))
            if files is None:
                files = self._known[host, port] = self._files(host, port)
            if files not in self._made:
                self._made[files] = make_context(files)
            return self._made[files]

    def _files(self, host: str, port: int) -> TlsFiles:
        name = host_name(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        own = (host, port) == self._origin
        tls = self._network.tls_of(self._registry, self._side) if own else Tls()
        tls = tls.over(self._network.tls_of(name))
        names = dict.fromkeys((self._registry, name) if own else (name,))
        # A redirect chooses the name of a host, but no other folder than that of a host.
        names = {known: None for known in names if known not in {".", ".."}}
        found = [files for known in names for files in _in_folders(self._folders, known)]
        authorities = [path for files in found for path in files.authorities]
        if tls.ca_file is not None:
            authorities.insert(0, tls.ca_file)
        pairs = [files.pair for files in found if files.pair is not None]
        if tls.cert_file is not None:
            pairs.insert(0, (tls.cert_file, tls.key_file))
        return TlsFiles(tuple(authorities), pairs[0] if pairs else None, tls.insecure)


def check_files(network: Network) -> None:
    """Raise `InvalidConfig` if a file that is named for any registry cannot be used."""
    for name in network.registries:
        Contexts(network, name, None, (name, 443), folders=()).check()


def certificate_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where Docker and podman keep the certificates for registries, the user's first.

    These are Docker's certs.d and that of containers-certs.d(5).
    """
    places = [Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d")]
    if home := environ.get("HOME"):
        config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        places = [Path(home, ".docker/certs.d"), Path(config, "containers/certs.d"), *places]
    return tuple(places)


def _in_folders(folders: tuple[Path, ...], name: str) -> Iterator[TlsFiles]:
    """Read what there is for a registry: *.crt to trust, *.cert with *.key to show."""
    for folder in folders:
        try:
            files = sorted(path for path in (folder / name).iterdir() if path.is_file())
        except OSError:
            continue
        certificates = [path for path in files if path.suffix == ".cert"]
        for certificate in certificates:
            if certificate.with_suffix(".key") not in files:
                raise InvalidConfig(
                    f"there is no key for the client certificate {certificate}",
                    hint=f"put it into {certificate.with_suffix('.key')}; an authority to trust "
                    "has a name that ends in .crt",
                )
        pair = None
        if certificates:
            pair = str(certificates[0]), str(certificates[0].with_suffix(".key"))
        yield TlsFiles(tuple(str(path) for path in files if path.suffix == ".crt"), pair)
