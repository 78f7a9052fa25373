"""Why no connection came about, in words that say what to do."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from http import HTTPStatus

from regimport.errors import AccessDenied, RegimportError, Unreachable
from regimport.transport.certificate import Certificate, read_certificate
from regimport.transport.dial import UntrustedError
from regimport.transport.proxy import ProxyError
from regimport.transport.wire import TransportError

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


def diagnose(error: TransportError, host: str) -> RegimportError | None:
    """Give the error that no waiting mends, None if another try may go better."""
    cause = root_cause(error)
    if isinstance(error, ProxyError) and error.status is not None:
        return _refused_by_proxy(error, host)
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
        if isinstance(error, ProxyError):
            return _without_name(error.proxy, "the proxy, in HTTPS_PROXY or HTTP_PROXY")
        return _without_name(host, "the registry")
    if isinstance(cause, ssl.SSLCertVerificationError):
        shown = error.certificate if isinstance(error, UntrustedError) else None
        return _untrusted(cause, None if shown is None else read_certificate(shown), host)
    if isinstance(cause, ssl.SSLError):
        return _no_handshake(cause.reason or "", host)
    return None


def root_cause(error: BaseException) -> BaseException:
    """Give what happened at the bottom of a chain of errors."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _refused_by_proxy(error: ProxyError, host: str) -> RegimportError | None:
    if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AccessDenied(
            f"the proxy {error.proxy} wants a user name and a password, or refuses those it got",
            status=error.status,
            hint="set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, with characters such as @ in "
            f"them as %40; or go to {host} directly with NO_PROXY",
        )
    if error.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS} or (
        error.status is not None and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return None
    return Unreachable(
        f"the proxy {error.proxy} does not connect to {host}: {error.reason}",
        hint=f"ask who runs the proxy to allow it, or go there directly: NO_PROXY={host}",
    )


def _without_name(host: str, what: str) -> Unreachable:
    name = host.rpartition(":")[0] or host
    return Unreachable(
        f"host not found: {name}",
        hint=f"check the spelling of {what}, and this machine's name servers; "
        "--resolve HOST:PORT:ADDRESS says where a host is",
    )


def _untrusted(
    error: ssl.SSLCertVerificationError, shown: Certificate | None, host: str
) -> Unreachable:
    facts = ""
    if shown is not None:
        facts = (
            f" (issued to {shown.subject} by {shown.issuer}, "
            f"good from {_day(shown.not_before)} to {_day(shown.not_after)})"
        )
    # What did not come from OpenSSL says less.
    code = getattr(error, "verify_code", 0)
    insecure = f"--insecure {host} goes on without looking at any certificate"
    # Where a registry sends us, its options do not count; the folder of that host does.
    trust = (
        f"put its certificate into /etc/docker/certs.d/{host}/ca.crt, or name it, for the registry "
        f"itself, with --ca-file (of a copy: --source-ca-file, --target-ca-file); {insecure}"
    )
    if code in {_EXPIRED, _NOT_YET_VALID}:
        what = "has expired" if code == _EXPIRED else "is not valid yet"
        today = _day(dt.datetime.now(dt.UTC))
        return Unreachable(
            f"the certificate of {host} {what}{facts}",
            hint="it takes a new one; or is this machine's clock wrong? It says "
            f"{today}. {insecure}",
        )
    if code in _OTHER_NAME:
        names = f"is for {', '.join(shown.names)}, not" if shown and shown.names else "is not"
        return Unreachable(
            f"the certificate of {host} {names} for that host{facts}",
            hint="call the registry by a name that its certificate has; --resolve "
            f"NAME:PORT:ADDRESS says where that is. {insecure}",
        )
    if code in _SELF_SIGNED:
        return Unreachable(
            f"the certificate of {host} is signed by nobody but itself{facts}",
            hint=f"if that is as it should be, {trust}",
        )
    if code in _UNKNOWN_AUTHORITY:
        return Unreachable(
            f"the certificate of {host} is signed by an authority that is not trusted here{facts}",
            hint=f"if it is a company's own, {trust}",
        )
    reason = getattr(error, "verify_message", str(error))
    return Unreachable(
        f"the certificate of {host} is not trusted: {reason}{facts}",
        hint=f"if that is as it should be, {trust}",
    )


def _no_handshake(reason: str, host: str) -> Unreachable | None:
    if reason in _NO_TLS:
        return Unreachable(
            f"{host} does not speak TLS on this port",
            hint=f"if it is a plain http registry: --plain-http {host}",
        )
    if reason in _TOO_OLD:
        return Unreachable(
            f"{host} speaks no version of TLS that is safe: it has none from 1.2 on",
            hint="whoever runs the registry has to enable TLS 1.2 or 1.3",
        )
    if reason in _WANTS_CERTIFICATE:
        return Unreachable(
            f"{host} ended the TLS handshake: {reason.lower().replace('_', ' ')}",
            hint="it may want a client certificate: --cert and --key (of a copy: --source-cert, "
            f"--target-cert, …), or /etc/docker/certs.d/{host}/client.cert and client.key",
        )
    return None


def _day(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%d}"
