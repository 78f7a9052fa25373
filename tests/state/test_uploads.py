"""The files that say where an upload was begun: private, one process at a time, no obstacle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from regimport.models.digest import Digest
from regimport.state.uploads import UploadFile, UploadFiles, state_folder

DIGEST = Digest.of(b"a layer")
TARGET = "registry.example/app"
PLACE = "app/blobs/uploads/1?_state=abc"


class Store:
    """The uploads in one folder, and what was warned of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warned: list[str] = []

    def open(self, target: str = TARGET, digest: Digest = DIGEST) -> UploadFile | None:
        """As a new process would."""
        return UploadFiles(self.warned.append, lambda: self.folder).open(target, digest)

    def held(self) -> UploadFile:
        saved = self.open()
        assert saved is not None
        return saved

    def files(self, kind: str = "*") -> list[Path]:
        return sorted(self.folder.glob(f"*.{kind}"))

    def left(self) -> Path:
        """Leave an upload behind; gives its file."""
        saved = self.held()
        saved.save(PLACE, 5)
        saved.release()
        [path] = self.files("json")
        return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "regimport" / "uploads")


def test_what_one_process_notes_the_next_one_finds(store: Store) -> None:
    first = store.held()
    assert (first.place, first.offset) == (None, 0)
    first.save("app/blobs/uploads/1", 3)
    first.save(PLACE, 5)
    first.release()
    second = store.held()
    assert (second.place, second.offset) == (PLACE, 5)
    assert store.warned == []


def test_each_target_and_each_blob_is_for_itself(store: Store) -> None:
    store.left()
    for other in (store.open("registry.example/other"), store.open(TARGET, Digest.of(b"other"))):
        assert other is not None
        assert other.place is None


def test_what_is_forgotten_leaves_nothing(store: Store) -> None:
    store.left()
    saved = store.held()
    saved.forget()
    saved.release()
    assert store.files() == []


def test_while_one_holds_an_upload_nobody_else_does(store: Store) -> None:
    saved = store.held()
    assert store.open() is None
    code = (
        "import sys; from pathlib import Path; from regimport.models.digest import Digest;"
        "from regimport.state.uploads import UploadFiles;"
        "folder, target, digest = sys.argv[1:];"
        "print(UploadFiles(print, lambda: Path(folder)).open(target, Digest(digest)))"
    )
    command = [sys.executable, "-c", code, str(store.folder), TARGET, DIGEST]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"
    saved.release()
    assert store.open() is not None


def test_files_and_folder_are_for_their_owner_alone(store: Store) -> None:
    old = os.umask(0)
    try:
        path = store.left()
    finally:
        os.umask(old)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in store.files()} == {0o600}
    assert path.name == path.name.lower()
    assert "registry" not in path.name


def test_a_folder_that_is_open_to_others_is_closed(store: Store) -> None:
    store.left()
    store.folder.chmod(0o755)
    store.held()
    assert store.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00garbage",
        b"[]",
        b"{" * 100_000,
        b'{"version":1}',
        b'{"version":2,"place":"a","offset":1,"saved":1}',
        b'{"version":1,"place":"a b","offset":1,"saved":1}',
        b'{"version":1,"place":"a\\r\\nHost: x","offset":1,"saved":1}',
        b'{"version":1,"place":7,"offset":1,"saved":1}',
        b'{"version":1,"place":"a","offset":-1,"saved":1}',
        b'{"version":1,"place":"a","offset":true,"saved":1}',
        b'{"version":1,"place":"a","offset":1,"saved":"x"}',
    ],
)
def test_garbage_is_warned_of_and_removed(content: bytes, store: Store) -> None:
    path = store.left()
    path.write_bytes(content)
    saved = store.held()
    assert saved.place is None
    assert not path.exists()
    [warning] = store.warned
    assert "damaged" in warning


def test_a_file_that_others_could_write_is_warned_of_and_removed(store: Store) -> None:
    path = store.left()
    path.chmod(0o666)
    assert store.held().place is None
    assert not path.exists()
    assert "users other than its owner" in store.warned[0]
    assert "_state" not in store.warned[0]


def test_a_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    path = store.left()
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert store.held().place is None
    assert elsewhere.exists()


def test_what_is_a_day_old_is_forgotten(store: Store) -> None:
    path = store.left()
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | {"saved": int(time.time()) - 25 * 3600}))
    assert store.held().place is None
    assert not path.exists()
    assert store.warned == []


def test_what_nobody_came_back_to_is_swept_away_with_its_lock(store: Store) -> None:
    old = store.left()
    os.utime(old, (1, 1))
    other = store.open("registry.example/other")
    assert other is not None
    other.release()
    assert store.files() == []


def test_without_a_place_to_write_there_is_no_state_and_no_error(
    store: Store, tmp_path: Path
) -> None:
    store.folder = tmp_path / "file" / "x"
    store.folder.parent.write_text("not a folder")
    assert store.open() is None
    store.folder = Path("~/.local/state/regimport/uploads")
    assert store.open() is None
    assert not Path("~").exists()
    store.folder = tmp_path / "link"
    store.folder.symlink_to(tmp_path)
    assert store.open() is None
    assert store.warned == []


def test_a_full_disk_loses_the_state_and_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.left()
    saved = store.held()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    saved.save("app/blobs/uploads/2", 9)
    assert (saved.place, saved.offset) == (PLACE, 5)


def test_it_is_kept_where_the_system_keeps_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere/state")
    assert state_folder() == Path("/somewhere/state/regimport/uploads")
