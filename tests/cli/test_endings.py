"""How a copy ends when something is against it: signals, hung and failing registries, memory."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.measure import launch
from regimport import CopyOptions, Credential, copy
from regimport.events import BlobFinished, Event
from support.client import Client
from support.images import OCI_CONFIG, Image, many_platforms, single, some_bytes
from support.program import Program
from support.registries import USER, DockerRegistry
from support.tokenserver import TokenServer

pytestmark = pytest.mark.docker_registry

BIG = 12_000_000


@contextmanager
def answering(status: int, **headers: str) -> Iterator[str]:
    """A server that has one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def stuck(registry: DockerRegistry) -> Iterator[tuple[str, threading.Event]]:
    """A way to a registry on which the bytes of a large body stop moving; tells when they do."""
    stopped = threading.Event()
    ends: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(one: socket.socket, other: socket.socket, most: int) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
                most -= len(data)
                if most < 0:
                    stopped.set()
                    return
        except OSError:
            return
        other.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            host, _, port = registry.address.partition(":")
            server = socket.create_connection((host, int(port)))
            ends.extend((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pass_on, args=(*pair, 2_000_000), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with closing(listener):
        yield f"127.0.0.1:{listener.getsockname()[1]}", stopped
        listener.shutdown(socket.SHUT_RDWR)
    for end in ends:
        end.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_signal_ends_a_stuck_copy_within_two_seconds_and_keeps_what_is_finished(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    number: signal.Signals,
    side: str,
) -> None:
    image = Image()
    layers = [image.blob(some_bytes("small", 500)), image.blob(some_bytes("big", BIG))]
    image.manifest(image.blob(b"{}", OCI_CONFIG), layers)
    Client(source.address).push(repository, image, "1")
    with stuck(source if side == "source" else target) as (address, stopped):
        ends = [source.address, target.address]
        ends[side == "target"] = address
        process = program.start("copy", f"{ends[0]}/{repository}:1", f"{ends[1]}/{repository}")
        assert stopped.wait(30)
        started = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - started
    assert process.returncode == 128 + number
    assert took < 2, err
    assert out == ""
    assert "Traceback" not in err
    client = Client(target.address)
    assert client.head(repository, "1") is None
    assert (
        program("copy", f"{source.address}/{repository}:1", f"{target.address}/{repository}").code
        == 0
    )
    assert client.read_all(repository, "1") == image.content()


def test_a_registry_that_is_not_there_ends_with_code_6(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = program("copy", f"{address}/x:1", "localhost:1/y")
    assert ended.code == 6
    assert f"at the source: {address}/x" in ended.err
    assert f"error: {address} could not be reached: Connection refused\n" in ended.err
    cause = f"{address} could not be reached: Connection refused (tried again 4 times)"
    assert ended.err.count(f"warning: source: {cause}\n") == 1


def test_a_registry_that_keeps_failing_ends_with_code_6(program: Program) -> None:
    with answering(503) as address:
        ended = program("copy", f"{address}/x:1", "localhost:1/y")
    assert ended.code == 6
    assert "503" in ended.err


def test_a_rate_limit_longer_than_max_wait_ends_with_code_8_at_once(
    program: Program, source: DockerRegistry, repository: str
) -> None:
    Client(source.address).push(repository, single(), "1")
    with answering(429, Retry_After="7200") as address:
        started = time.monotonic()
        ended = program("copy", f"{source.address}/{repository}:1", f"{address}/x")
        assert time.monotonic() - started < 20
    assert ended.code == 8, ended
    assert "at the target" in ended.err


@pytest.mark.parametrize("allowed", ["1m59s", "0"])
def test_max_wait_is_a_duration(program: Program, allowed: str) -> None:
    with answering(429, Retry_After="120") as address:
        ended = program("copy", f"{address}/x:1", "localhost:1/y", "--max-wait", allowed)
    assert ended.code == 8, ended


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--version", "copy --help", "schema report"])
def test_output_that_cannot_be_written_is_said_once_and_ends_with_code_1(
    command: str, unbuffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "regimport", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: the output could not be written: the disk is full\n"


def test_an_error_that_nobody_can_read_keeps_its_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "regimport", "digest", "::"], stderr=full, check=False
        )
    assert done.returncode == 2


def test_a_target_repository_that_does_not_exist_ends_with_code_5(
    program: Program, source: DockerRegistry, repository: str
) -> None:
    Client(source.address).push(repository, single(), "1")
    with answering(404) as address:
        ended = program("copy", f"{source.address}/{repository}:1", f"{address}/not-created")
    assert ended.code == 5, ended
    assert f"at the target: {address}/not-created" in ended.err


def test_a_copy_that_is_killed_leaves_no_tag_and_a_rerun_moves_only_the_rest(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = Image()
    layers = [image.blob(some_bytes("small", 500)), image.blob(some_bytes("big", BIG))]
    image.manifest(image.blob(b"{}", OCI_CONFIG), layers)
    Client(source.address).push(repository, image, "1")
    client = Client(target.address)
    with stuck(target) as (address, stopped):
        ends = (f"{source.address}/{repository}:1", f"{address}/{repository}")
        process = program.start("copy", "-j", "2", *ends)
        assert stopped.wait(30)
        finished = [digest for digest in image.blobs if len(image.blobs[digest]) < BIG]
        deadline = time.monotonic() + 30
        while not all(client.has_blob(repository, digest) for digest in finished):
            assert time.monotonic() < deadline
        process.kill()
        process.communicate()
    assert client.head(repository, "1") is None
    kept = [digest for digest in image.blobs if client.has_blob(repository, digest)]
    assert sorted(kept) == sorted(finished)
    source.clear()
    again = program("copy", f"{source.address}/{repository}:1", f"{target.address}/{repository}")
    assert again.code == 0, again
    assert client.read_all(repository, "1") == image.content()
    read = {one.path.rpartition("/")[2] for one in source.requests() if "/blobs/" in one.path}
    assert read == set(image.blobs) - set(kept)


def test_what_is_no_registry_ends_with_code_1_and_no_traceback(program: Program) -> None:
    with answering(200, Content_Type="text/html") as address:
        ended = program("copy", f"{address}/x:1", "localhost:1/y")
    assert ended.code == 1
    assert "not a manifest" in ended.err
    assert "Traceback" not in ended.err


class _Pausing:
    """A reporter that holds the copy up after its first blob, until a token has run out."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._hold = threading.Event()

    def tell(self, event: Event) -> None:
        if isinstance(event, BlobFinished):
            self._hold.wait(self._left)
            self._left = 0


def test_a_copy_outlives_tokens_of_five_seconds_on_both_sides(
    tokens: tuple[DockerRegistry, TokenServer], repository: str
) -> None:
    registry, server = tokens
    image = many_platforms(platforms=4)
    client = Client(registry.address, user=USER)
    client.push(repository, image, "1")
    server.requests.clear()
    server.behaviour.life = 5
    user = Credential(*USER)
    report = copy(
        f"{registry.address}/{repository}:1",
        f"{registry.address}/{repository}/late",
        options=CopyOptions(jobs=1),
        source_credential=user,
        target_credential=user,
        reporter=_Pausing(6),
    )
    assert report.exit_code == 0
    asked = [one.scopes for one in server.requests]
    assert len(asked) > len(set(asked)), "no token was renewed"
    assert all(one.granted for one in server.requests)
    fresh = Client(registry.address, user=USER)
    assert fresh.read_all(f"{repository}/late", "1") == image.content()


def test_a_layer_of_2_gib_is_copied_in_less_than_100_mib_of_memory(
    program: Program,
    source: DockerRegistry,
    target: DockerRegistry,
    repository: str,
    tmp_path: Path,
) -> None:
    size = 2 * 1024**3
    layer = tmp_path / "layer"
    with layer.open("wb") as file:
        file.truncate(size)
    digest = "sha256:a7c744c13cc101ed66c29f672f92455547889cc586ce6d44fe76ae824958ea51"
    # The registry's own files: pushing two gigabytes would prove nothing here.
    stored = source.root / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    stored.parent.mkdir(parents=True)
    layer.rename(stored)
    link = source.root / f"docker/registry/v2/repositories/{repository}/_layers/sha256/{digest[7:]}"
    link.mkdir(parents=True)
    (link / "link").write_text(digest)
    image = Image()
    config = image.blob(b"{}", OCI_CONFIG)
    image.manifest(
        config,
        [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}],
    )
    Client(source.address).push(repository, image, "1")
    arguments = ["copy", "-q", f"{source.address}/{repository}:1", f"{target.address}/{repository}"]
    command = [sys.executable, "-m", "regimport", *arguments]
    assert launch(command, tmp_path, dict(os.environ)).memory < 100
    assert Client(target.address).has_blob(repository, digest)
    kept = target.root / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    assert kept.stat().st_size == size
    for data in (stored, kept):
        data.unlink()


def test_a_terminal_sees_bars_while_it_runs_and_lines_when_it_is_done(
    source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    Client(source.address).push(repository, single(size=BIG), "1")
    ends = [f"{source.address}/{repository}:1", f"{target.address}/{repository}"]
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "regimport", "copy", *ends]
    with subprocess.Popen(command, stdout=slave, stderr=slave) as process:
        os.close(slave)
        said = b""
        with contextlib.suppress(OSError):  # the terminal's other end closes with the program
            while piece := os.read(master, 65536):
                said += piece
    os.close(master)
    assert process.returncode == 0
    text = said.decode()
    assert "━" in text
    assert "11.4" in text  # MiB of the layer
    assert f"{target.address}/{repository}@sha256:" in text.splitlines()[-2]
    assert "copied in" in text.splitlines()[-1]


def test_a_loopback_registry_that_speaks_tls_is_found_out_by_many_threads_at_once(
    program: Program,
    source: DockerRegistry,
    tls_process: DockerRegistry,
    ca_file: Path,
    repository: str,
) -> None:
    Client(source.address).push(repository, single(), "1")
    goals = [f"{tls_process.address}/{repository}:t{number}" for number in range(12)]
    environment = {
        "SSL_CERT_FILE": str(ca_file),
        "REGIMPORT_TARGET_USERNAME": USER[0],
        "REGIMPORT_TARGET_PASSWORD": USER[1],
    }
    ended = program("copy", "-j", "12", f"{source.address}/{repository}:1", *goals, **environment)
    assert ended.code == 0, ended
    assert len(ended.out.splitlines()) == 12
