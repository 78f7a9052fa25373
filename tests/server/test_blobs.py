"""Blobs: who sees them, parts of them, and uploads in all forms."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layout.images import assert_whole_layout
from regimport.models.digest import Digest
from server.client import Client

CONTENT = bytes(range(256)) * 16
DIGEST = Digest.of(CONTENT)


def blob_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


def upload_files(folder: Path) -> list[Path]:
    return list((folder / "uploads").iterdir()) if (folder / "uploads").is_dir() else []


def test_a_blob_is_visible_only_in_the_repository_it_was_pushed_to(client: Client) -> None:
    client.push_blob("one", CONTENT)
    assert client.get_blob("one", DIGEST).body == CONTENT
    for method in ("GET", "HEAD"):
        assert client.ask(method, f"/v2/two/blobs/{DIGEST}").status == 404
    assert client.get_blob("two", DIGEST).codes == ["BLOB_UNKNOWN"]


def test_head_tells_size_and_digest_and_sends_nothing(client: Client) -> None:
    client.push_blob("one", CONTENT)
    answer = client.ask("HEAD", f"/v2/one/blobs/{DIGEST}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["docker-content-digest"] == DIGEST


def test_a_finished_upload_leaves_one_file(client: Client, folder: Path) -> None:
    client.push_blob("one", CONTENT)
    client.push_blob("two", CONTENT)
    assert blob_files(folder) == [folder / "blobs/sha256" / DIGEST.encoded]
    assert upload_files(folder) == []
    assert_whole_layout(folder)


def test_a_range_of_another_version_gives_the_whole(client: Client) -> None:
    client.push_blob("one", CONTENT)
    etag = client.get_blob("one", DIGEST).headers["etag"]
    wanted = {"Range": "bytes=1-2"}
    assert client.get_blob("one", DIGEST, **wanted, If_Range=etag).status == 206
    assert client.get_blob("one", DIGEST, **wanted, If_Range='"else"').body == CONTENT


def test_an_unsatisfiable_range_tells_the_size(client: Client) -> None:
    client.push_blob("one", CONTENT)
    answer = client.get_blob("one", DIGEST, Range=f"bytes={len(CONTENT)}-")
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
def test_a_large_blob_passes_through(client: Client, announced: bool) -> None:
    large = CONTENT * 1024  # 4 MiB, through several pieces
    location = client.start("one").location
    body = large if announced else iter([large[:100], large[100:]])
    assert client.ask("PATCH", location, body).status == 202
    assert client.finish(location, Digest.of(large)).status == 201
    assert client.get_blob("one", Digest.of(large)).body == large


def test_a_wrong_digest_ends_the_upload_and_stores_nothing(client: Client, folder: Path) -> None:
    location = client.start("one").location
    answer = client.finish(location, Digest.of(b"something else"), CONTENT)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    assert client.ask("GET", location).codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert blob_files(folder) == upload_files(folder) == []


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64])
def test_a_digest_that_is_none_is_refused_and_the_upload_goes_on(
    client: Client, digest: str
) -> None:
    location = client.start("one").location
    assert client.finish(location, digest, CONTENT).codes == ["DIGEST_INVALID"]
    assert client.ask("PUT", location, CONTENT).codes == ["DIGEST_INVALID"]
    assert client.finish(location, DIGEST, CONTENT).status == 201


@pytest.mark.parametrize("header", ["1-4096", "0-4094", "nonsense", "4096-8191", "0-4096"])
def test_a_chunk_that_does_not_fit_is_refused_with_where_to_go_on(
    client: Client, header: str
) -> None:
    location = client.start("one").location
    for method, target in (("PATCH", location), ("PUT", f"{location}?digest={DIGEST}")):
        answer = client.ask(method, target, CONTENT, content_range=header)
        assert (answer.status, answer.codes) == (416, ["BLOB_UPLOAD_INVALID"])
        assert answer.headers["range"] == "0-0"
        assert answer.location == location
    assert client.finish(location, DIGEST, CONTENT, content_range="0-4095").status == 201


def test_a_chunk_shorter_than_its_range_is_forgotten(client: Client) -> None:
    location = client.start("one").location
    short = iter([CONTENT[:-1]])  # in chunked coding: no Content-Length to compare
    answer = client.ask("PATCH", location, short, content_range="0-4095")
    assert (answer.status, answer.codes) == (400, ["SIZE_INVALID"])
    assert client.finish(location, DIGEST, CONTENT).status == 201


def test_a_session_belongs_to_its_repository(client: Client) -> None:
    location = client.start("one").location
    other = location.replace("/one/", "/two/")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = client.ask(method, f"{other}?digest={DIGEST}", CONTENT)
        assert answer.codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert client.ask("GET", location).status == 204


@pytest.mark.parametrize("session", ["x", "..", "%2e%2e%2findex.json", "0" * 32 + "-" + "0" * 16])
def test_an_unknown_session_is_unknown(client: Client, session: str) -> None:
    answer = client.ask("GET", f"/v2/one/blobs/uploads/{session}")
    assert answer.status == 404


def test_sha512_is_hashed_from_what_came_before_its_name(client: Client) -> None:
    digest = Digest.of(CONTENT, "sha512")
    location = client.start("one").location
    assert client.ask("PATCH", location, CONTENT[:1000]).status == 202
    assert client.finish(location, digest, CONTENT[1000:]).status == 201
    announced = client.start("two", "?digest-algorithm=sha512").location
    assert client.finish(announced, digest, CONTENT).status == 201
    assert client.start("one", "?digest-algorithm=md5").codes == ["UNSUPPORTED"]


def break_off(client: Client, method: str, path: str, body: bytes) -> None:
    """Send a request that ends in the middle of its body."""
    host, port = client.connection.host, client.connection.port
    with socket.create_connection((host, port)) as raw:
        length = 2 * len(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        raw.sendall(head.encode() + body)
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(10)
        while raw.recv(4096):
            pass


def test_what_came_of_a_broken_chunk_need_not_come_again(client: Client) -> None:
    location = client.start("one").location
    break_off(client, "PATCH", location, CONTENT[:1000])
    assert client.ask("GET", location).headers["range"] == "0-999"
    rest = client.ask("PATCH", location, CONTENT[1000:], content_range="1000-4095")
    assert rest.status == 202
    assert client.finish(location, DIGEST).status == 201


def test_a_broken_put_can_be_sent_again_as_it_was(client: Client) -> None:
    location = client.start("one").location
    assert client.ask("PATCH", location, CONTENT[:96]).status == 202
    break_off(client, "PUT", f"{location}?digest={DIGEST}", CONTENT[96:2000])
    assert client.ask("GET", location).headers["range"] == "0-95"
    assert client.finish(location, DIGEST, CONTENT[96:]).status == 201


def test_a_second_request_of_a_session_waits_for_the_first(
    client: Client, connect: Callable[[], Client]
) -> None:
    location = client.start("one").location
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield CONTENT[:96]
        begun.set()
        go_on.wait(10)
        yield CONTENT[96:]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(connect().ask, "PATCH", location, slowly())
        begun.wait(10)
        second = pool.submit(connect().finish, location, DIGEST)
        go_on.set()
        assert first.result().status == 202
        assert second.result().status == 201


def test_many_at_once_push_the_same_blob(connect: Callable[[], Client], folder: Path) -> None:
    clients = [connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        pushed = pool.map(lambda client: client.push_blob("one", CONTENT * 64), clients)
        assert len(set(pushed)) == 1
    assert len(blob_files(folder)) == 1
    assert_whole_layout(folder)


def test_a_mount_takes_from_the_named_repository_only(client: Client) -> None:
    client.push_blob("one", CONTENT)
    answer = client.start("two", f"?mount={DIGEST}&from=other")
    assert answer.status == 202
    assert client.get_blob("two", DIGEST).status == 404
    answer = client.start("two", f"?mount={DIGEST}&from=one")
    assert (answer.status, answer.location) == (201, f"/v2/two/blobs/{DIGEST}")
    assert client.get_blob("two", DIGEST).body == CONTENT


def test_a_mount_from_what_is_no_repository_looks_at_no_other_folder(
    client: Client, folder: Path
) -> None:
    client.push_blob("one", CONTENT)
    (folder / "elsewhere").symlink_to(folder / "repositories" / "one")
    answer = client.start("two", f"?mount={DIGEST}&from=../elsewhere")
    assert answer.status == 202
    assert client.get_blob("two", DIGEST).status == 404


def test_the_space_of_a_blob_is_freed_when_no_repository_holds_it(
    client: Client, folder: Path
) -> None:
    client.push_blob("one", CONTENT)
    client.start("two", f"?mount={DIGEST}")
    assert client.ask("DELETE", f"/v2/one/blobs/{DIGEST}").status == 202
    assert client.get_blob("one", DIGEST).status == 404
    assert client.get_blob("two", DIGEST).body == CONTENT
    assert client.ask("DELETE", f"/v2/two/blobs/{DIGEST}").status == 202
    assert blob_files(folder) == []
    assert client.ask("DELETE", f"/v2/two/blobs/{DIGEST}").codes == ["BLOB_UNKNOWN"]


def test_a_disk_that_fails_is_told(client: Client, folder: Path) -> None:
    location = client.start("one").location
    (session,) = upload_files(folder)
    session.unlink()
    session.symlink_to("/dev/full")  # not followed, which fails as a broken disk does
    answer = client.finish(location, DIGEST, CONTENT)
    assert (answer.status, answer.codes) == (500, ["UNKNOWN"])
    assert blob_files(folder) == []
