"""The line as a process: listens for each registry, and passes on what comes, late.

`python -m benchmarks.proxy DELAY RATE HOST:PORT...` prints its addresses, one for each of the
registries, as JSON; when its standard input ends it prints what it has carried, and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

from benchmarks.line import Direction, Line
from benchmarks.tools import MODULES

# What is read at once: at 400 Mbit/s a piece takes 1.3 ms, so that connections share fairly.
_PIECE = 64 << 10
# How far ahead of the line a connection may be read: more than the clock is late.
_AHEAD = 0.005
# Pieces under way on one connection: 8 MiB, more than a line of 400 Mbit/s and 40 ms holds.
_UNDER_WAY = 128
_BROKEN = (OSError, ExceptionGroup)
_Queue = asyncio.Queue[tuple[float, bytes]]


@dataclass(slots=True)
class Carried:
    """What the line has carried to and from one registry, as the tool sees it."""

    connections: int = 0
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A line's process, seen from the benchmark; an address for each registry."""

    addresses: list[str]
    process: subprocess.Popen[str]

    def close(self) -> list[Carried]:
        """End it: what it has carried, for each registry."""
        said, _ = self.process.communicate(timeout=20)
        return [Carried(**one) for one in json.loads(said)]


@contextmanager
def through(line: Line, registries: Sequence[str]) -> Iterator[Proxy]:
    """The line to these registries, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.proxy", str(line.delay), str(line.rate or 0)]
    with subprocess.Popen(
        [*command, *registries],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": MODULES},
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Proxy(json.loads(process.stdout.readline()), process)
        finally:
            process.kill()


@dataclass(slots=True)
class _Switch:
    """Both directions of the line, and who is connected."""

    line: Line
    up: Direction
    down: Direction
    carried: list[Carried] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def listen(self, registry: str) -> str:
        """Listen for one registry: the address to use instead of its own."""
        server = socket.create_server(("127.0.0.1", 0), backlog=512)
        server.setblocking(False)
        self.carried.append(Carried())
        self._keep(self._accept(server, registry, self.carried[-1]))
        return f"127.0.0.1:{server.getsockname()[1]}"

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _accept(self, server: socket.socket, registry: str, carried: Carried) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(server)
            carried.connections += 1
            self._keep(self._connect(client, registry, carried))

    async def _connect(self, client: socket.socket, registry: str, carried: Carried) -> None:
        loop = asyncio.get_running_loop()
        opens = loop.time() + self.line.delay
        host, _, port = registry.partition(":")
        far = socket.socket()
        with client, far, suppress(*_BROKEN):
            for end in (client, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(far, (host, int(port)))
            async with asyncio.TaskGroup() as both:
                coming: _Queue = asyncio.Queue(_UNDER_WAY)
                going: _Queue = asyncio.Queue(_UNDER_WAY)
                both.create_task(self._send(client, going, carried, opens))
                both.create_task(_deliver(going, far))
                both.create_task(self._receive(far, coming, carried))
                both.create_task(_deliver(coming, client))

    async def _send(
        self, client: socket.socket, queue: _Queue, carried: Carried, opens: float
    ) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(opens - loop.time())
        piece = b"-"
        while piece:
            piece = await loop.sock_recv(client, _PIECE)
            carried.sent += len(piece)
            await self._take(piece, self.up, queue)

    async def _receive(self, far: socket.socket, queue: _Queue, carried: Carried) -> None:
        piece = b"-"
        while piece:
            piece = await asyncio.get_running_loop().sock_recv(far, _PIECE)
            carried.received += len(piece)
            await self._take(piece, self.down, queue)

    async def _take(self, piece: bytes, way: Direction, queue: _Queue) -> None:
        """Give a piece to the line, and wait until the line may be given the next."""
        now = asyncio.get_running_loop().time()
        left = way.leaves(len(piece), now)
        await queue.put((left + self.line.delay / 2, piece))
        if left > now + _AHEAD:
            await asyncio.sleep(left - now - _AHEAD)


async def _deliver(queue: _Queue, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, piece = await queue.get()
        wait = due - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        if not piece:
            sink.shutdown(socket.SHUT_WR)
            return
        await loop.sock_sendall(sink, piece)


async def _serve(line: Line, registries: Sequence[str]) -> None:
    switch = _Switch(line, Direction(line), Direction(line))
    addresses = [switch.listen(registry) for registry in registries]
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for task in switch.running:
        task.cancel()
    sys.stdout.write(json.dumps([asdict(one) for one in switch.carried]))


def main() -> None:
    """Be the line that the arguments say."""
    delay, rate, *registries = sys.argv[1:]
    asyncio.run(_serve(Line(float(delay), float(rate) or None), registries))


if __name__ == "__main__":
    main()
