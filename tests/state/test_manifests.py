"""The cache of manifests: checked, private, bounded, used by many processes, no obstacle."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from regimport.models.digest import Digest
from regimport.state.manifests import MAX_CACHE_BYTES, ManifestFiles, cache_folder

CONTENT = b'{"schemaVersion":2}'
DIGEST = Digest.of(CONTENT)
BLOCK = 4096


def files(folder: Path, most: int = MAX_CACHE_BYTES) -> ManifestFiles:
    """As a new process opens them."""
    return ManifestFiles(lambda: folder, most)


def some(number: int) -> tuple[Digest, bytes]:
    content = f'{{"n":{number}}}'.encode()
    return Digest.of(content), content


def test_what_one_process_keeps_the_next_one_finds(tmp_path: Path) -> None:
    files(tmp_path / "m").put(DIGEST, CONTENT)
    assert files(tmp_path / "m").get(DIGEST) == CONTENT
    assert files(tmp_path / "m").get(Digest.of(b"another")) is None
    longer = Digest.of(CONTENT, "sha512")
    files(tmp_path / "m").put(longer, CONTENT)
    assert files(tmp_path / "m").get(longer) == CONTENT


def test_it_is_where_the_system_has_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["HOME"]) / ".cache/regimport/manifests"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere/regimport/manifests"


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files(tmp_path / "m").put(DIGEST, CONTENT)
    finally:
        os.umask(before)
    [path] = (tmp_path / "m").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], b"{}" + CONTENT, CONTENT[::-1]])
def test_content_that_was_changed_is_not_given_and_goes(tmp_path: Path, damage: bytes) -> None:
    files(tmp_path / "m").put(DIGEST, CONTENT)
    [path] = (tmp_path / "m").iterdir()
    path.write_bytes(damage)
    assert files(tmp_path / "m").get(DIGEST) is None
    assert not path.exists()
    files(tmp_path / "m").put(DIGEST, CONTENT)
    assert files(tmp_path / "m").get(DIGEST) == CONTENT


def test_links_and_pipes_in_its_place_are_not_read(tmp_path: Path) -> None:
    store = files(tmp_path / "m")
    store.put(DIGEST, CONTENT)
    [path] = (tmp_path / "m").iterdir()
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert store.get(DIGEST) is None
    path.unlink()
    os.mkfifo(path)
    assert store.get(DIGEST) is None
    store.put(DIGEST, CONTENT)
    assert store.get(DIGEST) == CONTENT


def test_it_never_takes_more_than_its_bound_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = files(tmp_path / "m", most=16 * BLOCK)
    for number in range(40):
        digest, content = some(number)
        store.put(digest, content)
        path = tmp_path / "m" / f"sha256-{digest.encoded}"
        os.utime(path, (number, number))
        assert len(list((tmp_path / "m").iterdir())) <= 16
    kept = [number for number in range(40) if store.get(some(number)[0]) is not None]
    assert kept == list(range(kept[0], 40))
    assert len(kept) >= 12
    assert MAX_CACHE_BYTES == 64 * 1024 * 1024


def test_what_is_used_stays(tmp_path: Path) -> None:
    store = files(tmp_path / "m", most=16 * BLOCK)
    for number in range(16):
        digest, content = some(number)
        store.put(digest, content)
        os.utime(tmp_path / "m" / f"sha256-{digest.encoded}", (number, number))
    assert store.get(some(0)[0]) is not None
    store.put(*some(99))
    assert store.get(some(0)[0]) is not None
    assert store.get(some(1)[0]) is None


def test_a_file_that_was_never_finished_is_removed_when_room_is_made(tmp_path: Path) -> None:
    store = files(tmp_path / "m", most=4 * BLOCK)
    store.put(DIGEST, CONTENT)
    left = tmp_path / "m" / ".0123.tmp"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    for number in range(4):
        store.put(*some(number))
    assert not left.exists()


def test_several_processes_use_it_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from regimport.models.digest import Digest;"
        "from regimport.state.manifests import ManifestFiles\n"
        "store = ManifestFiles(lambda: Path(sys.argv[1]), 32 * 4096)\n"
        "for turn in range(3):\n"
        "    for number in range(60):\n"
        "        content = b'%d' % number * 500\n"
        "        digest = Digest.of(content)\n"
        "        assert store.get(digest) in (None, content)\n"
        "        store.put(digest, content)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(tmp_path / "m")])
        for _ in range(3)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert not list((tmp_path / "m").glob(".*"))


def test_threads_share_it(tmp_path: Path) -> None:
    store = files(tmp_path / "m")
    threads = [threading.Thread(target=store.put, args=some(number)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.get(some(number)[0]) == some(number)[1] for number in range(20))


@pytest.mark.parametrize("kind", ["file", "link", "below a file", "relative"])
def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "m"
    if kind == "file":
        folder.write_text("no folder")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "below a file":
        (tmp_path / "a").write_text("")
        folder = tmp_path / "a" / "m"
    else:
        folder = Path("m")
    store = files(folder)
    store.put(DIGEST, CONTENT)
    assert store.get(DIGEST) is None


def test_a_folder_that_disappears_is_no_error(tmp_path: Path) -> None:
    store = files(tmp_path / "m")
    store.put(DIGEST, CONTENT)
    for path in (tmp_path / "m").iterdir():
        path.unlink()
    (tmp_path / "m").rmdir()
    store.put(DIGEST, CONTENT)
    assert store.get(DIGEST) is None
