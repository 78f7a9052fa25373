"""Run the embedded registry, or any ASGI application, on a socket of this machine."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from regimport.errors import RegimportError
from regimport.redact import reason_of
from regimport.server.app import create_app

__all__ = ["Serving", "serving"]

# Longer than clients keep idle connections, so that the client closes them first.
_KEEP_ALIVE_SECONDS = 75
# How long a running request may take to end when the registry is stopped.
_GRACE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Serving:
    """A running registry; `address` is `host:port`, as in references."""

    address: str

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"http://{self.address}"


@contextmanager
def serving(
    directory: str | Path | None = None,
    *,
    app: ASGIApp | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    access_log: bool = False,
) -> Iterator[Serving]:
    """Serve `directory`, or `app`, in a thread of this process until the block ends.

    Port 0 means any free port. Raise `RegimportError` if it cannot listen there.
    """
    if app is None:
        if directory is None:
            raise TypeError("serving() needs a directory or an app")
        app = create_app(directory)
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=access_log,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = _Server(config)
        thread = threading.Thread(
            target=server.run, args=([listener],), name="regimport-serve", daemon=True
        )
        thread.start()
        server.ready.wait()
        try:
            shown = f"[{host}]" if ":" in host else host
            yield Serving(f"{shown}:{listener.getsockname()[1]}")
        finally:
            server.stop()
            thread.join()


class _Server(uvicorn.Server):
    """A uvicorn server that starts and stops by events, without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
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
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.1)


def _listening(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only if the socket names the protocol, which those of
    # create_server do not: each small answer would wait 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise RegimportError(
            f"cannot listen on {host} port {port}: {reason_of(error)}",
            hint="choose another port, or 0 for any free port",
        ) from error
    return listener
