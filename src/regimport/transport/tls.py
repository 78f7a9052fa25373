"""Whom to trust where: the TLS context of each host that is spoken to, made when it is needed.

What is set for a host counts for that host alone: a redirect to another one meets neither the
authority nor the client certificate of the registry that sent it.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from regimport.errors import InvalidConfig, Side
from regimport.network import Network, Tls, host_name

__all__ = ["Contexts", "certificate_folders", "check_files"]


@dataclass(frozen=True, slots=True)
class _Material:
    """The files that a context is made of."""

    authorities: tuple[str, ...] = ()
    pair: tuple[str, str | None] | None = None
    insecure: bool = False


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
        self._known: dict[tuple[str, int], _Material] = {}
        self._made: dict[_Material, ssl.SSLContext] = {}

    @property
    def insecure(self) -> bool:
        """Whether the registry's own certificate is not looked at."""
        return self._network.tls_of(self._registry, self._side).insecure

    def check(self) -> None:
        """Raise `InvalidConfig` if a file that was named for the registry cannot be used."""
        if self._network.tls_of(self._registry, self._side) not in {Tls(), Tls(insecure=True)}:
            self.context(*self._origin)

    def context(self, host: str, port: int) -> ssl.SSLContext:
        """Give the context for a host; raises `InvalidConfig`."""
        with self._lock:
            material = self._known.get((host, port))
            if material is None:
                material = self._known[host, port] = self._material(host, port)
            if material not in self._made:
                self._made[material] = _made_of(material)
            return self._made[material]

    def _material(self, host: str, port: int) -> _Material:
        name = host_name(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        own = (host, port) == self._origin
        tls = self._network.tls_of(self._registry, self._side) if own else Tls()
        tls = tls.over(self._network.tls_of(name))
        names = dict.fromkeys((self._registry, name) if own else (name,))
        # A redirect chooses the name of a host, but no other folder than that of a host.
        names = {known: None for known in names if known not in {".", ".."}}
        found = [one for known in names for one in _in_folders(self._folders, known)]
        authorities = [path for one in found for path in one.authorities]
        if tls.ca_file is not None:
            authorities.insert(0, tls.ca_file)
        pairs = [one.pair for one in found if one.pair is not None]
        if tls.cert_file is not None:
            pairs.insert(0, (tls.cert_file, tls.key_file))
        return _Material(tuple(authorities), pairs[0] if pairs else None, tls.insecure)


def check_files(network: Network) -> None:
    """Raise `InvalidConfig` if a file that is named for any registry cannot be used."""
    for name in network.registries:
        Contexts(network, name, None, (name, 443), folders=()).check()


def certificate_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Give where Docker and podman keep the certificates for registries, the user's first.

    These are Docker's certs.d and that of containers-certs.d(5).
    """
    places = [Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d")]
    if home := environ.get("HOME"):
        config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        places = [Path(home, ".docker/certs.d"), Path(config, "containers/certs.d"), *places]
    return tuple(places)


def _in_folders(folders: tuple[Path, ...], name: str) -> Iterator[_Material]:
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
        yield _Material(tuple(str(path) for path in files if path.suffix == ".crt"), pair)


def _made_of(material: _Material) -> ssl.SSLContext:
    if material.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = _system_context()
        for path in material.authorities:
            _load_authority(context, path)
    # HTTP/2 is not spoken here.
    context.set_alpn_protocols(["http/1.1"])
    if material.pair is not None:
        _load_pair(context, *material.pair)
    return context


def _system_context() -> ssl.SSLContext:
    """Give a context that trusts what the operating system trusts, or what SSL_CERT_* name."""
    named = _named_by_environment()
    paths = ssl.get_default_verify_paths()
    usable = bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))
    if named or (usable and sys.platform not in {"darwin", "win32"}):
        # OpenSSL knows the system's store itself, and reads it once. truststore reads it again
        # for each connection, one connection at a time, which takes 18 ms each.
        return ssl.create_default_context()
    # Elsewhere OpenSSL knows nothing of the system's store, or was built for another system.
    import truststore  # noqa: PLC0415 - takes time to load, and few need it

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _named_by_environment() -> bool:
    """Tell whether the environment says whom to trust; raises `InvalidConfig` for a bad file."""
    file = os.environ.get("SSL_CERT_FILE")
    if file and not os.access(file, os.R_OK):
        raise InvalidConfig(
            f"SSL_CERT_FILE names {file}, which cannot be read",
            hint="name a file of certificates in PEM form, or unset it",
        )
    return bool(file or os.environ.get("SSL_CERT_DIR"))


def _load_authority(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise InvalidConfig(
            f"there is no certificate of an authority in {path}",
            hint="it must be in PEM form: -----BEGIN CERTIFICATE-----",
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _load_pair(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    def ask() -> str:
        raise InvalidConfig(
            f"the key in {key or certificate} is locked with a password",
            hint="give it without: openssl pkey -in KEY -out KEY.open",
        )

    try:
        context.load_cert_chain(certificate, key, password=ask)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        raise InvalidConfig(
            f"the key in {key or certificate} is not that of the certificate in {certificate}"
            if mismatch
            else f"there is no client certificate in {certificate}, or no key in "
            f"{key or certificate}",
            hint="both must be in PEM form",
        ) from error
    except OSError as error:
        missing = certificate if not os.access(certificate, os.R_OK) else key or certificate
        raise _unreadable(missing, error) from error


def _unreadable(path: str, error: OSError) -> InvalidConfig:
    return InvalidConfig(f"{path} cannot be read: {error.strerror}", hint="check the path")
