"""Tunnels through a SOCKS5 proxy (RFC 1928, RFC 1929); `socksio` knows the messages."""

from __future__ import annotations

from socksio import ProtocolError, socks5

from regimport.transport.proxy import Proxy, ProxyError
from regimport.transport.stream import Stream

__all__ = ["open_socks_tunnel"]

_MESSAGE_BYTES = 4096


def open_socks_tunnel(
    stream: Stream, proxy: Proxy, host: str, port: int, timeout: float | None
) -> None:
    """Ask a SOCKS proxy for a tunnel; it looks the host up itself.

    Raise `ProxyError`, `OSError` and `EOFError`.
    """
    connection = socks5.SOCKS5Connection()
    method = (
        socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED
        if proxy.user is None
        else socks5.SOCKS5AuthMethod.USERNAME_PASSWORD
    )
    try:
        _agree(connection, stream, proxy, method, timeout)
        command = socks5.SOCKS5CommandRequest.from_address(
            socks5.SOCKS5Command.CONNECT, (host, port)
        )
        connection.send(command)
        reply = _exchange(connection, stream, timeout)
    except ProtocolError as error:
        raise ProxyError(proxy, None, "it does not speak SOCKS5") from error
    if not isinstance(reply, socks5.SOCKS5Reply):
        raise ProxyError(proxy, None, "it does not speak SOCKS5")
    if reply.reply_code != socks5.SOCKS5ReplyCode.SUCCEEDED:
        words = reply.reply_code.name.lower().replace("_", " ")
        status = 403 if reply.reply_code in _REFUSALS else 502
        raise ProxyError(proxy, status, f"it answered: {words}")


_REFUSALS = frozenset(
    {
        socks5.SOCKS5ReplyCode.CONNECTION_NOT_ALLOWED_BY_RULESET,
        socks5.SOCKS5ReplyCode.COMMAND_NOT_SUPPORTED,
        socks5.SOCKS5ReplyCode.ADDRESS_TYPE_NOT_SUPPORTED,
    }
)


def _agree(
    connection: socks5.SOCKS5Connection,
    stream: Stream,
    proxy: Proxy,
    method: socks5.SOCKS5AuthMethod,
    timeout: float | None,
) -> None:
    """Agree on how the user is known, and say who that is."""
    connection.send(socks5.SOCKS5AuthMethodsRequest([method]))
    reply = _exchange(connection, stream, timeout)
    if not isinstance(reply, socks5.SOCKS5AuthReply) or reply.method != method:
        raise ProxyError(proxy, 407, "407 it wants another way to log in")
    if proxy.user is None:
        return
    name, password = (part.encode() for part in proxy.user)
    connection.send(socks5.SOCKS5UsernamePasswordRequest(name, password))
    answer = _exchange(connection, stream, timeout)
    if not isinstance(answer, socks5.SOCKS5UsernamePasswordReply) or not answer.success:
        raise ProxyError(proxy, 407, "407 it refused the user name and the password")


def _exchange(connection: socks5.SOCKS5Connection, stream: Stream, timeout: float | None) -> object:
    """Send what is waiting, and read the answer."""
    stream.send_all(connection.data_to_send(), timeout)
    buffer = memoryview(bytearray(_MESSAGE_BYTES))
    count = stream.receive(buffer, timeout)
    if not count:
        raise EOFError
    return connection.receive_data(bytes(buffer[:count]))
