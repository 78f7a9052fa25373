"""Running the registry inside a program, and `regimport serve` as a process."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from layout.images import assert_whole_layout, make_image
from regimport.errors import RegimportError
from regimport.server.app import create_app
from regimport.server.run import serving
from server.client import Client
from support.registries import HTPASSWD


@contextmanager
def command(*arguments: str, scheme: str = "http") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `regimport serve`, and give the process and the address it says it listens on."""
    with subprocess.Popen(
        [sys.executable, "-m", "regimport", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith(f"listening on {scheme}://"), process.communicate()
            yield process, line.rpartition("/")[2].strip()
        finally:
            process.kill()


# How the command ends at SIGTERM.
TERMINATED = (143, "terminated\n")


def ended(process: subprocess.Popen[str], *numbers: int) -> tuple[int, str]:
    """Send signals, and give the exit code and what was said on standard error."""
    for number in numbers:
        process.send_signal(number)
    _, errors = process.communicate(timeout=2)
    return process.returncode, errors


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "regimport", "serve", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)


def test_an_application_may_be_wrapped_to_look_at_requests(tmp_path: Path) -> None:
    seen: list[str] = []

    def watched(app: ASGIApp) -> ASGIApp:
        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(f"{scope['method']} {scope['path']}")
            await app(scope, receive, send)

        return watch

    app = watched(create_app(tmp_path / "registry"))
    with serving(app=app) as registry, closing(Client(registry.address)) as client:
        assert client.ask("GET", "/v2/").status == 200
    assert seen == ["GET /v2/"]


def test_registries_run_beside_each_other_and_leave_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with serving(tmp_path / "a") as a, serving(tmp_path / "b") as b:
        assert a.address != b.address
        for registry in (a, b):
            with closing(Client(registry.address)) as client:
                assert client.ask("GET", "/v2/").status == 200
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "regimport-serve" not in left
    assert len(left) <= 1


def test_a_request_that_hangs_does_not_keep_the_registry_from_ending(tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as registry:
        host, _, port = registry.address.partition(":")
        hanging = socket.create_connection((host, int(port)))
        hanging.sendall(
            b"PUT /v2/x/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
    hanging.close()


def test_a_port_in_use_is_an_error_of_ours(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as registry:
        port = int(registry.address.rpartition(":")[2])
        with (
            pytest.raises(RegimportError, match=f"cannot listen on 127.0.0.1 port {port}"),
            serving(tmp_path / "b", port=port),
        ):
            pass


def require_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_ipv6_addresses_are_written_in_brackets(tmp_path: Path) -> None:
    require_ipv6()
    with serving(tmp_path / "registry", host="::1") as registry:
        assert registry.url.startswith("http://[::1]:")
        with closing(Client(registry.address)) as client:
            assert client.ask("GET", "/v2/").status == 200


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, (130, "interrupted\n")), (signal.SIGTERM, TERMINATED)],
)
def test_the_command_ends_cleanly_at_a_signal(
    tmp_path: Path, number: int, expected: tuple[int, str]
) -> None:
    folder = tmp_path / "new" / "images"
    with (
        command(str(folder), "--port", "0") as (process, address),
        closing(Client(address)) as client,
    ):
        client.push("x", make_image(), "1")
        assert ended(process, number) == expected
    assert_whole_layout(folder)


@pytest.mark.parametrize("round_", range(5))
def test_the_command_ends_at_two_signals_that_come_together(tmp_path: Path, round_: int) -> None:
    folder = tmp_path / "images"
    with command(str(folder), "--port", "0") as (process, _):
        code, errors = ended(process, signal.SIGINT, signal.SIGTERM)
    # Which of the two the system delivers first is its own affair.
    assert (code, errors) in {(130, "interrupted\n"), TERMINATED}


def test_without_a_folder_a_temporary_one_is_used_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "home"))
    with command("--port", "0") as (process, address):
        with closing(Client(address)) as client:
            client.push("x", make_image(), "1")
        (folder,) = (tmp_path / "home").iterdir()
        assert (folder / "oci-layout").is_file()
        assert ended(process, signal.SIGTERM) == TERMINATED
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("round_", range(3))
def test_a_killed_registry_leaves_a_whole_layout_and_serves_what_it_had(
    tmp_path: Path, round_: int
) -> None:
    folder, image = tmp_path / "images", make_image("kept")
    with command(str(folder), "--port", "0") as (process, address):
        with closing(Client(address)) as client:
            client.push("x", image, "1")
        pushers = [threading.Thread(target=push_until_gone, args=(address, n)) for n in range(4)]
        for pusher in pushers:
            pusher.start()
        with closing(Client(address)) as client:
            # Pushed while the others push: the kill comes in the middle of their requests.
            for number in range(5 + 10 * round_):
                client.push("y", make_image(f"y{number}"), f"t{number}")
        process.kill()
        for pusher in pushers:
            pusher.join()
    assert_whole_layout(folder)
    with command(str(folder), "--port", "0") as (process, address):
        with closing(Client(address)) as client:
            assert client.get_manifest("x", "1").body == image.root.raw
            for number in range(5 + 10 * round_):
                expected = make_image(f"y{number}").root.raw
                assert client.get_manifest("y", f"t{number}").body == expected
            client.push("x", make_image("after"), "2")
        assert ended(process, signal.SIGTERM) == TERMINATED
    assert_whole_layout(folder)


def push_until_gone(address: str, number: int) -> None:
    with closing(Client(address)) as client, suppress(OSError, http.client.HTTPException):
        for count in range(10_000):
            client.push(f"z{number}", make_image(f"z{number}-{count}"), f"t{count % 3}")


def test_the_command_warns_of_an_address_that_others_reach(tmp_path: Path) -> None:
    arguments = (str(tmp_path / "r"), "--port", "0", "--host", "0.0.0.0")
    with command(*arguments, "--unprotected") as (process, _):
        code, errors = ended(process, signal.SIGTERM)
    assert (code, errors.count("\n")) == (143, 2)
    assert "warning: anyone who can reach 0.0.0.0" in errors


def test_the_command_does_not_listen_beyond_loopback_unprotected(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    for arguments, reason in (
        ([], "anyone who can reach 0.0.0.0 can read and write"),
        (["--htpasswd", str(tmp_path / "htpasswd")], "in clear text"),
    ):
        done = run([str(tmp_path / "r"), "--port", "0", "--host", "0.0.0.0", *arguments])
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
        assert "--unprotected" in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("host", ["::1", "LOCALHOST", "127.0.0.1"])
def test_the_command_warns_of_no_address_of_this_machine(tmp_path: Path, host: str) -> None:
    if host == "::1":
        require_ipv6()
    with command(str(tmp_path / "r"), "--port", "0", "--host", host) as (process, _):
        assert ended(process, signal.SIGTERM) == TERMINATED


def test_the_command_tells_requests_only_when_asked_to(tmp_path: Path) -> None:
    for flags, told in (([], False), (["-v"], True)):
        with command(str(tmp_path / "r"), "--port", "0", *flags) as (process, address):
            with closing(Client(address)) as client:
                client.ask("GET", "/v2/")
            _, errors = ended(process, signal.SIGTERM)
        assert ("GET /v2/" in errors) is told


def test_the_command_says_why_it_cannot_listen(tmp_path: Path) -> None:
    with serving(tmp_path / "a") as registry:
        done = run([str(tmp_path / "b"), "--port", registry.address.rpartition(":")[2]])
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_says_what_to_install(tmp_path: Path) -> None:
    for name in ("starlette", "uvicorn"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('not here', name={name!r})")
    program = [sys.executable, "-m", "regimport", "serve", str(tmp_path / "images")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert "pip install 'bcrypt>=4' 'starlette>=1.3.1' 'uvicorn>=0.30'" in done.stderr
