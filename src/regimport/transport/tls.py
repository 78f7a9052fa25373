"""TLS contexts: what the system trusts, and the files of certificates and keys besides."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

from regimport.errors import InvalidConfig
from regimport.values import dataclass

__all__ = ["TlsFiles", "make_context", "system_context"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files that a context is made of; `pair` is a client certificate and its key.

    `authorities` are trusted besides what the system trusts. `insecure` trusts anybody.
    """

    authorities: tuple[str, ...] = ()
    pair: tuple[str, str | None] | None = None
    insecure: bool = False


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context made of files; raise `InvalidConfig` for one that cannot be used."""
    if files.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = system_context()
        for path in files.authorities:
            _load_authority(context, path)
    # HTTP/2 is not spoken here.
    context.set_alpn_protocols(["http/1.1"])
    if files.pair is not None:
        _load_pair(context, *files.pair)
    return context


def system_context() -> ssl.SSLContext:
    """Return a context that trusts what the operating system trusts, or what SSL_CERT_* name."""
    named = _named_by_environment()
    paths = ssl.get_default_verify_paths()
    usable = bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))
    if named or (usable and sys.platform != "darwin"):
        # OpenSSL knows the system's store itself, and reads it once. truststore reads it again
        # for each connection, one connection at a time, which takes 18 ms each.
        return ssl.create_default_context()
    # Elsewhere OpenSSL knows nothing of the system's store, or was built for another system.
    import truststore  # noqa: PLC0415 - takes time to load, and few need it

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _named_by_environment() -> bool:
    """Return whether the environment says whom to trust; raise `InvalidConfig` for a bad file."""
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
