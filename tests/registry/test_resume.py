"""A copy that was killed in a large layer goes on with the upload that it had begun."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from regimport.errors import BrokenTransfer, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.registry import chunks
from regimport.registry.repository import Repository
from regimport.server.run import serving
from regimport.state.uploads import UploadFiles
from registry.conftest import Sessions
from support.client import Client
from support.images import OCI_CONFIG, Image
from support.registries import DockerRegistry
from support.shaky import Shaky, Ways, shaky

SIZE = 10_000_000
CHUNK = 1_000_000
# What regimport does with blobs of 128 MiB and chunks of 64 it does here with much smaller ones.
_RUN = (
    "from regimport.registry import chunks; "
    f"chunks.LARGE, chunks.CHUNK = {2 * CHUNK}, {CHUNK}; "
    "from regimport.cli.app import main; main()"
)


class Copying:
    """Runs the program with a state folder of its own."""

    def __init__(self, state: Path, image: Image) -> None:
        self.state = state
        self.image = image
        self.layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))

    def start(self, source: str, target: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _RUN, "copy", "-vv", f"{source}/app:1", f"{target}/app:1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"XDG_STATE_HOME": str(self.state)},
        )

    def run(self, source: str, target: str) -> str:
        process = self.start(source, target)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out
        return err

    def files(self) -> list[Path]:
        return sorted((self.state / "regimport" / "uploads").glob("*"))

    def whole(self, target: Shaky) -> bool:
        content = self.image.blobs
        return all(target.blobs.get(digest) == content[digest] for digest in content)


@pytest.fixture
def copying(tmp_path: Path) -> Copying:
    image = Image()
    image.manifest(image.blob(b"{}", OCI_CONFIG), [image.blob(random.Random(6).randbytes(SIZE))])
    return Copying(tmp_path / "state", image)


def killed(copying: Copying, source: Shaky, target: Shaky, number: signal.Signals) -> str:
    """Start a copy, and end it when its upload stands still at 60 %."""
    process = copying.start(source.address, target.address)
    assert target.stalled.wait(30)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    return err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_copy_that_was_ended_at_60_percent_moves_little_more_than_the_rest(
    number: signal.Signals, copying: Copying
) -> None:
    ways = Ways(stall_at=6 * CHUNK + 10_000)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        err = killed(copying, source, target, number)
        assert "1" not in target.manifests
        ways.stall_at = None
        source.served = target.taken = 0
        err += copying.run(source.address, target.address)
        assert f"resuming {copying.layer} after" in err
        assert copying.whole(target)
        assert "1" in target.manifests
        assert source.served <= SIZE * 0.4 + CHUNK
        assert target.taken <= SIZE * 0.4 + CHUNK
        assert target.sessions == {}
    assert copying.files() == []
    assert "_state=secret" not in err


def test_a_session_that_is_gone_starts_the_blob_anew(copying: Copying) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        killed(copying, source, target, signal.SIGKILL)
        ways.stall_at = None
        target.sessions.clear()
        copying.run(source.address, target.address)
        assert copying.whole(target)
    assert copying.files() == []


@pytest.mark.parametrize("kept", [0, 5 * CHUNK, SIZE + 1])
def test_a_session_that_makes_no_sense_is_left_alone(kept: int, copying: Copying) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        killed(copying, source, target, signal.SIGKILL)
        ways.stall_at = None
        for held in target.sessions.values():
            held[:] = bytes(kept)
        err = copying.run(source.address, target.address)
        assert copying.whole(target)
        assert "DIGEST_INVALID" not in err


def test_where_the_end_does_not_fit_what_was_sent_before_the_blob_is_sent_anew_once(
    copying: Copying,
) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        killed(copying, source, target, signal.SIGKILL)
        ways.stall_at = None
        for held in target.sessions.values():
            held[:1] = bytes([held[0] ^ 1])
        err = copying.run(source.address, target.address)
        assert copying.whole(target)
        assert target.sessions == {}
    assert copying.files() == []
    assert err.count("DIGEST_INVALID") == 1


def test_a_blob_that_somebody_else_has_finished_is_not_sent_again(copying: Copying) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        killed(copying, source, target, signal.SIGKILL)
        ways.stall_at = None
        target.blobs[copying.layer] = copying.image.blobs[copying.layer]
        source.served = target.taken = 0
        copying.run(source.address, target.address)
        assert target.taken < CHUNK
    assert copying.files() == []


@pytest.mark.parametrize(
    "place",
    [
        "http://evil.example/v2/app/blobs/uploads/1",
        "//evil.example/app/blobs/uploads/1",
        "other/blobs/uploads/1",
        "app/manifests/1",
        "../v2/app/blobs/uploads/1",
    ],
)
def test_a_state_file_leads_nowhere_but_to_the_uploads_of_its_repository(
    place: str, copying: Copying
) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        killed(copying, source, target, signal.SIGKILL)
        ways.stall_at = None
        [path] = [one for one in copying.files() if one.suffix == ".json"]
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"place": place}))
        target.asked.clear()
        copying.run(source.address, target.address)
        assert copying.whole(target)
        assert not any(one.startswith("GET") for one in target.asked)


def test_small_blobs_leave_no_state(copying: Copying) -> None:
    image = Image()
    image.manifest(image.blob(b"{}", OCI_CONFIG), [image.blob(b"small")])
    with shaky() as source, shaky() as target:
        source.keep(image, "1")
        copying.run(source.address, target.address)
    assert not copying.state.exists()


def test_two_copies_at_once_do_not_share_a_session(copying: Copying) -> None:
    ways = Ways(stall_at=6 * CHUNK)
    with shaky() as source, shaky(ways) as target:
        source.keep(copying.image, "1")
        process = copying.start(source.address, target.address)
        assert target.stalled.wait(30)
        ways.stall_at = None
        copying.run(source.address, target.address)
        assert copying.whole(target)
        process.kill()
        process.communicate()


def test_the_embedded_registry_is_gone_on_with(copying: Copying, tmp_path: Path) -> None:
    ways = Ways(stall_downloads=6 * CHUNK + 10_000)
    with shaky(ways) as source, serving(tmp_path / "target") as target:
        source.keep(copying.image, "1")
        process = copying.start(source.address, target.address)
        assert source.stalled.wait(30)
        [path] = _grown(tmp_path / "target" / "uploads", 5 * CHUNK)
        process.kill()
        process.communicate()
        ways.stall_downloads = None
        source.served = 0
        copying.run(source.address, target.address)
        assert source.served <= SIZE * 0.4 + CHUNK
        assert Client(target.address).read_all("app", "1") == copying.image.content()
    assert not path.exists()
    assert copying.files() == []


_MOMENT = threading.Event()


def _grown(folder: Path, size: int) -> list[Path]:
    """Wait until a file in the folder has come to a size."""
    while not (found := [path for path in folder.iterdir() if path.stat().st_size >= size]):
        _MOMENT.wait(0.01)
    return found


@pytest.mark.docker_registry
def test_docker_registry_keeps_an_upload_that_ends_between_two_chunks(
    target: DockerRegistry,
    repository: str,
    sessions: Sessions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "LARGE", 2 * CHUNK)
    monkeypatch.setattr(chunks, "CHUNK", CHUNK)
    content = random.Random(7).randbytes(3 * CHUNK)
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    saved = UploadFiles(pytest.fail, lambda: tmp_path / "state")

    def broken() -> Iterator[bytes]:
        yield content[:CHUNK]
        yield content[CHUNK : 2 * CHUNK]
        raise BrokenTransfer("no more")

    def end() -> Repository:
        session = sessions.open(target.address, Side.TARGET)
        return Repository(session, repository, open_store=lambda: saved)

    upload = end().start_upload(blob)
    assert upload is not None
    with pytest.raises(BrokenTransfer):
        upload.send(broken())
    upload.leave()
    again = end().start_upload(blob)
    assert again is not None
    assert again.offset == 2 * CHUNK
    again.send(iter([content[2 * CHUNK :]]))
    assert end().has_blob(blob)
