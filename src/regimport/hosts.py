"""Which hosts are this machine."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback_host"]


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine: localhost, a name under it, a loopback address.

    Names are those of RFC 6761, section 6.3, in lower case; an IPv6 address has no brackets.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
