"""Run the embedded registry, or any ASGI application, on a socket of this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from regimport.errors import RegimportError, UsageError
from regimport.redact import reason_of
from regimport.server.accounts import Accounts
from regimport.server.app import create_app
from regimport.server.guard import Guard
from regimport.server.protocol import KEEP_ALIVE_SECONDS, BoundedProtocol

__all__ = ["Serving", "serving"]

# A handshake takes two round trips. Connections in one are not counted yet, so it is short.
HANDSHAKE_SECONDS = 10
# Connections that wait to be accepted.
BACKLOG = 512
# Connections are looked at for being overdue after so many ticks of 0.1 seconds.
_TICKS = 5
# How long a running request may take to end when the registry is stopped.
_GRACE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Serving:
    """A running registry; `address` is `host:port`, as in references."""

    address: str
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"{self.scheme}://{self.address}"


@contextmanager
def serving(
    directory: str | Path | None = None,
    *,
    app: ASGIApp | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    access_log: bool = False,
    names: Collection[str] = (),
    htpasswd: Path | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Serving]:
    """Serve `directory`, or `app`, in a thread of this process until the block ends.

    Port 0 means any free port. A directory is served under its address, `localhost` and `names`
    only, and with `htpasswd` to the users in that file. `tls` are the files of a certificate chain
    and its key. Raise `RegimportError` if it cannot listen there, `UsageError` for bad files.
    """
    context = None if tls is None else _tls_context(*tls)
    if app is None:
        if directory is None:
            raise TypeError("serving() needs a directory or an app")
        accounts = None if htpasswd is None else Accounts(htpasswd)
        app = Guard(create_app(directory), host=host, names=names, accounts=accounts)
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            access_log=access_log,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        config.load()
        config.ssl = context
        server = _Server(config)
        thread = threading.Thread(
            target=server.run, args=([listener],), name="regimport-serve", daemon=True
        )
        thread.start()
        server.ready.wait()
        try:
            shown = f"[{host}]" if ":" in host else host
            scheme = "http" if tls is None else "https"
            yield Serving(f"{shown}:{listener.getsockname()[1]}", scheme)
        finally:
            server.stop()
            thread.join()


class _Server(uvicorn.Server):
    """A uvicorn server that starts and stops by events, without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers: list[asyncio.Server] = []
        self.ready = threading.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.ready.set()  # also if it failed: otherwise the caller would wait forever

    def stop(self) -> None:
        """Stop the server, from another thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has already ended
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on `sockets`; unlike uvicorn itself, with a bound on the TLS handshake."""
        loop = self._loop = asyncio.get_running_loop()

        def connected() -> asyncio.Protocol:
            return BoundedProtocol(self.config, self.server_state, {}, loop)

        context = self.config.ssl
        limit = None if context is None else HANDSHAKE_SECONDS
        for listener in sockets or ():
            server = await loop.create_server(
                connected, sock=listener, ssl=context, ssl_handshake_timeout=limit, backlog=BACKLOG
            )
            self.servers.append(server)
        self.started = True
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.check_time(now)
        return await super().on_tick(counter)

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.1)


def _tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password would be asked for on the terminal, by OpenSSL itself.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise UsageError(
            f"cannot use the certificate {certificate} with the key {key}: {reason_of(error)}",
            hint="both are PEM files: the chain with the server's certificate first, and its key "
            "without a password",
        ) from error
    return context


def _listening(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only if the socket names the protocol, which those of
    # create_server do not: each small answer would wait 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise RegimportError(
            f"cannot listen on {host} port {port}: {reason_of(error)}",
            hint="choose another port, or 0 for any free port",
        ) from error
    return listener
