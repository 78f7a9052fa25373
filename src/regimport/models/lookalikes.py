"""Texts that read like an image of Docker Hub, and mean something else.

`registry.example:5000` is `docker.io/library/registry.example:5000` by the grammar of references,
and `docker-daemon:alpine` is an image named docker-daemon. Nobody who writes them means that.
"""

from __future__ import annotations

import ipaddress
import re

from regimport.errors import InvalidReference
from regimport.redact import safe_url, without_user

__all__ = ["check_is_reference", "check_is_text"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NAME = re.compile(r"(?P<host>\[[^\]]+\]|[^:@]+)(?::(?P<tag>[^:@]*))?(?:@(?P<digest>.*))?")
_DIGEST = re.compile(r"sha(?:256|512):[0-9a-f]{32,}")
_KINDS = "images are copied from and to registries, oci:DIRECTORY and oci-archive:FILE"
# The transports of other tools (containers-transports(5), oras, BuildKit), and what to do instead.
_TRANSPORTS = {
    "atomic": _KINDS,
    "containers-storage": "`podman save --format oci-archive IMAGE | regimport copy oci-archive:- "
    "TARGET` copies it",
    "dir": f"{_KINDS}; for an OCI image layout, write oci:DIRECTORY",
    "docker-daemon": "`docker save IMAGE | regimport copy docker-archive:- TARGET` copies it",
    "docker-image": "leave out docker-image://",
    "oci-layout": "write oci:DIRECTORY",
    "ocifile": "write oci-archive:FILE",
    "ostree": _KINDS,
    "sif": _KINDS,
    "tarball": "write oci-archive:FILE, or docker-archive:FILE for a tar of `docker save`",
}


def check_is_text(value: object) -> None:
    """Raise `InvalidReference` for a value that is no string, of callers who check no types."""
    if not isinstance(value, str):
        raise InvalidReference(
            f"a reference must be a string, not of type {type(value).__name__}",
            hint="write it as on the command line, or str(reference)",
        )


def check_is_reference(text: str) -> None:
    """Raise `InvalidReference`, with a hint of what is meant, for a text that is no reference.

    These are URLs, the transports of other tools, hosts without a repository, and digests alone.
    An image of Docker Hub that has such a name can be written in full, `docker.io/library/NAME`.
    """
    _check_scheme(text)
    name = text.partition(":")[0]
    if name in _TRANSPORTS and ":" in text:
        raise _error(text, f"{name}: is a transport of other tools", _TRANSPORTS[name])
    if "/" in text:
        return
    if _DIGEST.fullmatch(text):
        raise _error(text, "it is a digest without a repository", f"write REPOSITORY@{text}")
    match = _NAME.fullmatch(text)
    if match is not None and _is_host(match["host"]):
        place = match["host"]
        if (match["tag"] or "").isdecimal():
            place += f":{match['tag']}"
        raise _error(
            text,
            "it is a registry without a repository",
            f"write {place}/REPOSITORY:TAG, or docker.io/library/{match['host']} if an image of "
            "that name is meant",
        )


def _check_scheme(text: str) -> None:
    match = _SCHEME.match(text)
    if match is None or match[1] in _TRANSPORTS:
        return
    scheme = match[0]
    if scheme.lower() == "http://":
        hint = "leave out http://; for a registry without TLS add `plain_http`"
    elif scheme.lower() == "https://":
        hint = "leave out https://"
    else:
        hint = f"leave out {scheme}; {_KINDS}"
    raise _error(text, f"a reference does not start with {scheme}", hint)


def _is_host(name: str) -> bool:
    """Return whether a name without a slash is that of a host: no image of Docker Hub is so named.

    An image there has a dot in its name only below a namespace.
    """
    if name == "localhost" or ("." in name and not name.startswith(".")):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _error(text: str, reason: str, hint: str) -> InvalidReference:
    # What looks like a URL may have a password in it.
    shown = without_user(safe_url(text) if "://" in text else text)
    return InvalidReference(f"invalid reference {shown[:160]!r}: {reason}", hint=hint)
