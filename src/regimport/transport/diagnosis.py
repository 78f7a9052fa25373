"""Why no connection came about, in words that say what to do."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from http import HTTPStatus

import httpx

from regimport.errors import AccessDenied, RegimportError, RegistryError, Unreachable
from regimport.redact import safe_text
from regimport.transport.dial import RefusedAddress
from regimport.transport.origins import GUARDED
from regimport.transport.proxy import ProxyError

__all__ = ["diagnose", "root_cause"]

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = frozenset({18})
_UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})
_TOO_OLD = frozenset(
    {
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_SSL_VERSION",
    }
)
_NO_TLS = frozenset({"HTTP_REQUEST", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})
_WANTS_CERTIFICATE = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)


def diagnose(error: httpx.TransportError, host: str) -> RegimportError | None:
    """Return the error that no waiting mends, None if another try may go better."""
    cause = root_cause(error)
    if isinstance(cause, RefusedAddress):
        return _refused_address(cause)
    if isinstance(error, httpx.ProxyError) and (status := _proxy_status(error)) is not None:
        return _refused_by_proxy(error, status, host)
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
        if isinstance(error, httpx.ProxyError):
            return _without_name(_proxy_name(error), "the proxy, in HTTPS_PROXY or HTTP_PROXY")
        return _without_name(host, "the registry")
    return _without_tls(cause, host) if isinstance(cause, ssl.SSLError) else None


def root_cause(error: BaseException) -> BaseException:
    """Return what happened at the bottom of a chain of errors."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _proxy_status(error: httpx.ProxyError) -> int | None:
    """Return what a proxy answered; httpx's own transport says it at the start of its words."""
    if isinstance(error, ProxyError):
        return error.status
    said = str(error)[:3]
    return int(said) if said.isascii() and said.isdecimal() else None


def _proxy_name(error: httpx.ProxyError) -> str:
    return error.proxy if isinstance(error, ProxyError) else "the proxy"


def _refused_by_proxy(error: httpx.ProxyError, status: int, host: str) -> RegimportError | None:
    named = f"the proxy {error.proxy}" if isinstance(error, ProxyError) else "the proxy"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AccessDenied(
            f"{named} wants a user name and a password, or refuses those it got",
            status=status,
            hint="set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, with characters such as @ in "
            f"them as %40; or go to {host} directly with NO_PROXY",
        )
    passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    if status in passing or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    reason = error.reason if isinstance(error, ProxyError) else safe_text(str(error), 100)
    return Unreachable(
        f"{named} does not connect to {host}: {reason}",
        hint=f"ask who runs the proxy to allow it, or go there directly: NO_PROXY={host}",
    )


def _refused_address(error: RefusedAddress) -> RegistryError:
    where = GUARDED[error.kind]
    if error.sent_by is None:
        message = f"{error.host} led to another machine before, and now leads to {where}"
    else:
        message = f"{error.sent_by} sends us to {error.host}, which leads to {where}"
    return RegistryError(
        f"{message}; nothing was sent there",
        hint="if that is as it should be, `resolve=HOST:PORT:ADDRESS` names the address",
    )


def _without_name(host: str, what: str) -> Unreachable:
    name = host.rpartition(":")[0] or host
    return Unreachable(
        f"host not found: {name}",
        hint=f"check the spelling of {what}, and this machine's name servers; "
        "`resolve=HOST:PORT:ADDRESS` says where a host is",
    )


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> Unreachable:
    # What did not come from OpenSSL says less.
    code = getattr(error, "verify_code", 0)
    insecure = f"`insecure={host}` goes on without looking at any certificate"
    # Where a registry sends us, its options do not count; the folder of that host does.
    trust = (
        f"put its certificate into /etc/docker/certs.d/{host}/ca.crt, or name it, for the registry "
        f"itself, with `ca_file`; {insecure}"
    )
    if code in {_EXPIRED, _NOT_YET_VALID}:
        what = "has expired" if code == _EXPIRED else "is not valid yet"
        today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        return Unreachable(
            f"the certificate of {host} {what}",
            hint="the registry needs a new one; or is this machine's clock wrong? It says "
            f"{today}. {insecure}",
        )
    reason = safe_text(getattr(error, "verify_message", "") or str(error), 200)
    if code in _OTHER_NAME:
        return Unreachable(
            f"the certificate of {host} is for another host: {reason}",
            hint="call the registry by a name that its certificate has; "
            f"`resolve=NAME:PORT:ADDRESS` says where that is. {insecure}",
        )
    if code in _SELF_SIGNED:
        return Unreachable(
            f"{host} uses a self-signed certificate that this machine does not trust",
            hint=f"if that is as it should be, {trust}",
        )
    if code in _UNKNOWN_AUTHORITY:
        return Unreachable(
            f"the certificate of {host} is signed by an authority that is not trusted here",
            hint=f"if it is a company's own, {trust}",
        )
    return Unreachable(
        f"the certificate of {host} is not trusted: {reason}",
        hint=f"if that is as it should be, {trust}",
    )


def _without_tls(error: ssl.SSLError, host: str) -> Unreachable | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, host)
    return _no_handshake(error.reason or "", host)


def _no_handshake(reason: str, host: str) -> Unreachable | None:
    if reason in _NO_TLS:
        return Unreachable(
            f"{host} does not speak TLS on this port",
            hint=f"if it is a plain http registry: `plain_http={host}`",
        )
    if reason in _TOO_OLD:
        return Unreachable(
            f"{host} speaks no version of TLS that is safe: it has none from 1.2 on",
            hint="whoever runs the registry has to enable TLS 1.2 or 1.3",
        )
    if reason in _WANTS_CERTIFICATE:
        return Unreachable(
            f"{host} ended the TLS handshake: {reason.lower().replace('_', ' ')}",
            hint="it may want a client certificate: `cert_file` and `key_file`, or "
            f"/etc/docker/certs.d/{host}/client.cert and client.key",
        )
    return None
