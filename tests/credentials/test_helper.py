"""Credential helpers are run as Docker runs them, and cannot do more than answer."""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from regimport.credentials.helper import BrokenHelper, Helper
from regimport.models.credential import Credential

Make = Callable[..., Helper]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a helper, and give what runs it."""

    def write(body: str, name: str = "test", seconds: float = 20) -> Helper:
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o700)
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OUT": str(tmp_path), "MARK": "1"}
        return Helper(name, environ, seconds)

    return write


def _answer(username: str, secret: str) -> str:
    return "echo '" + json.dumps({"ServerURL": "", "Username": username, "Secret": secret}) + "'"


@pytest.mark.parametrize(
    ("registry", "address"),
    [
        ("r.example", "r.example"),
        ("R.example:443", "r.example"),
        ("r.example:5000", "r.example:5000"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("registry-1.docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_a_helper_gets_the_address_on_standard_input_and_the_action_as_its_argument(
    make: Make, tmp_path: Path, registry: str, address: str
) -> None:
    helper = make(f'echo "$# $1 $MARK" > $OUT/args; cat > $OUT/stdin; {_answer("u", "p")}')
    assert helper.get(registry) == Credential("u", "p")
    assert (tmp_path / "args").read_text() == "1 get 1\n"
    assert (tmp_path / "stdin").read_text() == address


def test_the_user_token_means_an_identity_token(make: Make) -> None:
    assert make(_answer("<token>", "T")).get("r.example") == Credential(identity_token="T")


@pytest.mark.parametrize(
    "body",
    [
        "echo credentials not found in native keychain; exit 1",
        "echo no credentials server URL; exit 1",
        "echo no credentials username; exit 1",
        _answer("", ""),
        _answer("u", ""),
    ],
)
def test_a_helper_that_knows_nothing_is_not_broken(make: Make, body: str) -> None:
    assert make(body).get("r.example") is None


def test_a_helper_that_reads_nothing_may_answer_all_the_same(make: Make) -> None:
    assert make(f"exec 0<&-; {_answer('u', 'p')}").get("r.example") == Credential("u", "p")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("echo the keyring is locked; exit 1", "code 1: the keyring is locked"),
        ("exit 7", "failed with code 7"),
        (f"{_answer('u', 'hunter2')}; exit 1", "failed with code 1"),
        ("echo hunter2 >&2; exit 1", "failed with code 1"),
        ("echo hunter2", "did not answer with a JSON object"),
        ("echo '[\"hunter2\"]'", "did not answer with a JSON object"),
        ('echo \'{"Username": 1, "Secret": "hunter2"}\'', "did not answer with a user name"),
        ("true", "did not answer with a JSON object"),
        ("printf '\\033[31mno\\n'; exit 1", "code 1: no"),
        ("head -c 200000 /dev/zero", "returned too large an answer"),
        ("cat /dev/zero", "returned too large an answer"),
    ],
)
def test_a_helper_that_fails_is_named_and_shows_no_secret(
    make: Make, body: str, complaint: str
) -> None:
    with pytest.raises(BrokenHelper, match=r"^docker-credential-test ") as caught:
        make(body).get("r.example")
    assert complaint in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_helper_that_is_not_there_is_broken() -> None:
    with pytest.raises(BrokenHelper, match="docker-credential-none is not in the PATH"):
        Helper("none", {"PATH": "/nowhere"}).get("r.example")


def test_a_helper_that_cannot_be_run_is_broken(make: Make, tmp_path: Path) -> None:
    helper = make("")
    (tmp_path / "docker-credential-test").write_text("#!/no/such/interpreter")
    with pytest.raises(BrokenHelper, match="could not be run"):
        helper.get("r.example")


@pytest.mark.parametrize("name", ["../evil", "a;id", "a b", "a/b", "$(id)", "", "a\n", "ä"])
def test_a_name_that_could_run_something_else_is_never_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenHelper, match="cannot be the name"):
        Helper(name, {"PATH": str(tmp_path)}).get("r.example")


def test_a_helper_that_hangs_is_killed_with_all_that_it_started(make: Make, tmp_path: Path) -> None:
    helper = make("sleep 1000 & echo $! > $OUT/child; wait", seconds=0.5)
    with pytest.raises(BrokenHelper, match="did not answer within"):
        helper.get("r.example")
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while _runs(child) and time.monotonic() < until:
        os.sched_yield()
    assert not _runs(child)


def test_a_helper_that_runs_is_killed_when_all_is_to_end(make: Make, tmp_path: Path) -> None:
    stop = threading.Event()
    helper = replace(make("echo $$ > $OUT/child; exec sleep 1000", seconds=60), stop=stop)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(helper.get, "r.example")
        until = time.monotonic() + 10
        while not (tmp_path / "child").exists() and time.monotonic() < until:
            os.sched_yield()
        stop.set()
        with pytest.raises(BrokenHelper):
            asked.result(10)
    assert not _runs(int((tmp_path / "child").read_text()))


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_helper_stores_erases_and_lists(make: Make, tmp_path: Path) -> None:
    helper = make('echo "$1 $(cat)" >> $OUT/log; [ $1 != list ] || echo \'{"r.example": "u"}\'')
    helper.store("r.example", Credential("u", "p"))
    helper.store("docker.io", Credential(identity_token="T"))
    helper.erase("r.example")
    assert helper.servers() == {"r.example": "u"}
    stored, token, erased, listed = (tmp_path / "log").read_text().splitlines()
    assert json.loads(stored.removeprefix("store ")) == {
        "ServerURL": "r.example",
        "Username": "u",
        "Secret": "p",
    }
    assert json.loads(token.removeprefix("store ")) == {
        "ServerURL": "https://index.docker.io/v1/",
        "Username": "<token>",
        "Secret": "T",
    }
    assert (erased, listed) == ("erase r.example", "list ")


def test_a_helper_shows_nothing_of_its_environment() -> None:
    assert "hunter2" not in repr(Helper("x", {"REGIMPORT_SOURCE_PASSWORD": "hunter2"}))


def test_an_answer_to_list_that_is_none_is_broken(make: Make) -> None:
    with pytest.raises(BrokenHelper, match="JSON object"):
        make("echo nonsense").servers()


@pytest.mark.parametrize(
    "answer",
    [
        '{"Username":"u","Secret":"s"}\n{"other":1}',
        '{"Username":"u","Secret":"s"}\nA new version is available.',
        'Warning: this is old\n{"Username":"u","Secret":"s"}',
        '{"username":"u","secret":"s"}',
        '{"USERNAME":"u","SECRET":"s","serverurl":"x"}',
        '{"username":"x","Username":"u","Secret":"s"}',
    ],
)
def test_the_first_json_value_counts_whatever_the_case_of_its_keys(make: Make, answer: str) -> None:
    helper = make(f"cat <<'END'\n{answer}\nEND")
    assert helper.get("r.example") == Credential("u", "s")


def test_a_list_may_be_followed_by_a_line_for_people(make: Make) -> None:
    helper = make("""echo '{"https://r.example":"u"}'; echo 'Done.'""")
    assert helper.servers() == {"https://r.example": "u"}
