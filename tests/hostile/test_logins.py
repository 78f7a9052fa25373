"""Several logins at once into one file."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from regimport.credentials.store import Store
from regimport.models.credential import Credential
from support.miniature import BasicDoor, Miniature
from support.program import Program
from support.scripted import Scripted


def test_six_logins_at_once_leave_six_entries(program: Program, tmp_path: Path) -> None:
    names = [f"127.0.0.{number}" for number in range(1, 7)]
    authfile = tmp_path / "new" / "auth.json"
    with Scripted(Miniature(BasicDoor({"user": "pw"}))) as server, ThreadPoolExecutor(6) as pool:
        host, _, port = server.address.partition(":")

        def login(name: str) -> int:
            pinned = f"{name}:{port}:{host}"
            command = ("login", "--authfile", str(authfile), "--resolve", pinned)
            ended = program(
                *command, "-u", "user", "--password-stdin", f"{name}:{port}", stdin="pw"
            )
            return ended.code

        assert list(pool.map(login, names)) == [0] * 6
    stored = json.loads(authfile.read_text())["auths"]
    assert stored.keys() == {f"{name}:{port}" for name in names}


@pytest.mark.parametrize("action", ["save", "erase"])
def test_what_another_login_writes_while_a_file_is_read_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    authfile = tmp_path / "auth.json"
    known = {"auth": base64.b64encode(b"u:p").decode()}
    authfile.write_text(json.dumps({"auths": {"old.example": known}}))
    read = Store._read
    other: list[object] = []

    with ThreadPoolExecutor(1) as pool:

        def reading(self: Store) -> object:
            found = read(self)
            if not other:
                other.append(None)
                store = Store(str(authfile))
                saving = pool.submit(store.save, "new.example", Credential("u", "p"))
                # Without a lock it is written meanwhile; with one it waits for us.
                wait([saving], timeout=0.5)
            return found

        store = Store(str(authfile))
        monkeypatch.setattr(Store, "_read", reading)
        if action == "save":
            store.save("third.example", Credential("u", "p"))
        else:
            store.erase("old.example")
    kept = json.loads(authfile.read_text())["auths"].keys()
    assert kept == ({"old.example", "third.example"} if action == "save" else set()) | {
        "new.example"
    }
