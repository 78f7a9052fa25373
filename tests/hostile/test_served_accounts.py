"""Strangers and listeners between a client and a registry that has accounts and TLS."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bcrypt
import pytest
import trustme

from hostile.test_served_limits import was_closed
from regimport.errors import UsageError
from regimport.server import accounts, run
from regimport.server.accounts import Accounts
from regimport.server.run import serving
from server.client import Answer, Client
from server.test_run import command
from support.program import Program
from support.registries import HTPASSWD, USER

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello-world" / "layout"
HELLO = f"oci:{EXAMPLE}:latest"


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    """A file of Debian's htpasswd, as docker-registry takes it."""
    path = tmp_path / "htpasswd"
    path.write_text(f"# accounts\n\n{HTPASSWD}\n")
    return path


@pytest.fixture
def certificate(tmp_path: Path, authority: trustme.CA) -> tuple[Path, Path]:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for pem in issued.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    issued.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture
def client(tmp_path: Path, htpasswd: Path) -> Iterator[Client]:
    with serving(tmp_path / "r", htpasswd=htpasswd) as registry:
        with closing(Client(registry.address)) as client:
            yield client


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(client: Client, authorization: str | None, method: str = "GET") -> Answer:
    return client.ask(method, "/v2/", authorization=authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        basic(USER[0], "wonder"),
        basic(USER[0], ""),
        basic(USER[0], "a\0b"),
        basic(USER[0], "x" * 5000),
        basic("bob", USER[1]),
        basic("", ""),
        "Basic",
        "Basic %%%",
        "Bearer abc",
        "Basic " + base64.b64encode(b"alice").decode(),
    ],
)
def test_strangers_are_asked_for_a_password(client: Client, authorization: str | None) -> None:
    for path in ("/v2/", "/v2/_catalog", "/elsewhere"):
        answer = client.ask("GET", path, authorization=authorization)
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
        assert answer.headers["www-authenticate"].startswith('Basic realm="regimport"')


def test_users_are_let_in_and_their_password_is_hashed_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = count_checks(monkeypatch)
    for _ in range(5):
        assert ask(client, basic(*USER)).status == 200
    assert checked == [True]
    assert ask(client, basic(USER[0], "wrong")).status == 401
    assert ask(client, basic(*USER)).status == 200
    assert checked == [True, False]


def test_an_unknown_user_takes_as_long_as_a_wrong_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = count_checks(monkeypatch)
    assert ask(client, basic("bob", "wrong")).status == 401
    assert checked == [False]


def test_guesses_that_wait_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(client, basic(*USER)).status == 200
    monkeypatch.setattr(accounts, "MAX_WAITING", 0)
    answer = ask(client, basic(USER[0], "guess"))
    assert (answer.status, answer.codes) == (429, ["TOOMANYREQUESTS"])
    assert ask(client, basic(*USER)).status == 200


def count_checks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    checked: list[bool] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        checked.append(real(password, hashed))
        return checked[-1]

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return checked


@pytest.mark.parametrize(
    "content",
    ["", "alice:$apr1$x$y", "alice:{SHA}x", "alice", "alice:$2y$05$short", "x" * 2_000_000],
)
def test_a_file_without_bcrypt_hashes_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(UsageError, match=re.escape(str(path))) as caught:
        Accounts(path)
    assert "htpasswd -B" in str(caught.value.hint)
    with pytest.raises(UsageError, match="cannot read"):
        Accounts(tmp_path / "missing")


def test_files_that_are_no_certificate_and_key_are_refused(
    tmp_path: Path, certificate: tuple[Path, Path], htpasswd: Path
) -> None:
    for pair in ((certificate[0], htpasswd), (htpasswd, certificate[1]), (tmp_path, tmp_path)):
        with pytest.raises(UsageError, match="cannot use the certificate"):
            with serving(tmp_path / "r", tls=pair):
                pass


def test_a_handshake_that_does_not_end_is_closed(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HANDSHAKE_SECONDS", 0.2)
    with serving(tmp_path / "r", tls=certificate) as registry:
        host, _, port = registry.address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            assert was_closed(connection)


def test_login_and_a_copy_to_and_from_a_protected_registry(
    tmp_path: Path,
    program: Program,
    htpasswd: Path,
    certificate: tuple[Path, Path],
    ca_file: Path,
) -> None:
    options = ["--htpasswd", str(htpasswd), "--tls-cert", str(certificate[0])]
    options += ["--tls-key", str(certificate[1]), "--port", "0"]
    with command(str(tmp_path / "r"), *options, scheme="https") as (_, address):
        image = f"{address}/x:1"
        trust = ("--ca-file", str(ca_file))
        assert program("copy", HELLO, image, "--target-ca-file", str(ca_file)).code == 4
        login = ("login", address, "-u", USER[0], "--password-stdin", *trust)
        assert program(*login, stdin="wrong").code == 4
        assert program(*login, stdin=USER[1]).code == 0
        copied = program("copy", HELLO, image, "--verify", "--target-ca-file", str(ca_file))
        assert copied.code == 0, copied
        back = program("copy", image, "oci:back:1", "--source-ca-file", str(ca_file))
        assert back.code == 0, back


@pytest.mark.skopeo
def test_skopeo_enters_with_a_password_over_tls(
    tmp_path: Path,
    htpasswd: Path,
    certificate: tuple[Path, Path],
    ca_file: Path,
) -> None:
    with serving(tmp_path / "r", htpasswd=htpasswd, tls=certificate) as registry:
        (tmp_path / "certs").mkdir()
        (tmp_path / "certs/ca.crt").write_bytes(ca_file.read_bytes())
        skopeo = ["skopeo", "--insecure-policy", "copy", "--all"]
        copy = [*skopeo, "--dest-cert-dir", str(tmp_path / "certs")]
        names = [HELLO, f"docker://{registry.address}/x:1"]
        for password, code in (("wrong", False), (USER[1], True)):
            done = subprocess.run(
                [*copy, "--dest-creds", f"{USER[0]}:{password}", *names],
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode == 0) is code, done.stderr
