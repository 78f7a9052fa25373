"""What failed is asked again where that is safe, within bounds; what was answered is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import chain

import pytest

from regimport.auth.lookup import CredentialLookup
from regimport.errors import (
    BrokenTransfer,
    ContentMismatch,
    NotFound,
    RateLimited,
    RegimportError,
    RegistryError,
    Side,
    TagExists,
    Unreachable,
)
from regimport.events import Event, Retrying
from regimport.models.manifest import Manifest
from regimport.options import CopyOptions, RetryPolicy
from regimport.registry.repository import Repository
from regimport.registry.session import Session
from registry.test_where_secrets_go import BLOB, CONTENT
from support.images import single
from support.scripted import Heard, Say, Scripted

IMAGE = single()
MANIFEST = Manifest.parse(IMAGE.raw, IMAGE.media_type)
FOUND = Say(
    200,
    {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": IMAGE.root},
    IMAGE.raw,
)


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    @property
    def delays(self) -> list[float]:
        return [event.delay for event in self.events if isinstance(event, Retrying)]


@contextmanager
def repository(
    server: Scripted, side: Side = Side.SOURCE, told: Told | None = None, **retry: float
) -> Iterator[Repository]:
    policy = RetryPolicy(**{"first_delay": 0, "longest_delay": 0, **retry})  # type: ignore[arg-type]
    options = CopyOptions(retry=policy)
    reporter = told or Told()
    session = Session(
        server.address, side, options, CredentialLookup(lambda _: None), reporter, threading.Event()
    )
    try:
        yield Repository(session, "team/app")
    finally:
        session.close()


def first(answers: list[Say], last: Say) -> Callable[[Heard], Say]:
    """Give each of `answers` once, then `last` for ever."""
    left = iter(answers)
    return lambda _: next(left, last)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int) -> None:
    told = Told()
    with Scripted(first([Say(status), Say(status)], FOUND)) as server:
        with repository(server, told=told) as end:
            assert end.get_manifest("1").raw == IMAGE.raw
        assert len(server.heard) == 3
    assert len(told.delays) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415])
def test_what_stays_is_asked_once(status: int) -> None:
    with Scripted(lambda _: Say(status)) as server, repository(server) as end:
        with pytest.raises(RegistryError):
            end.get_manifest("1")
        assert len([heard for heard in server.heard if "manifests" in heard.path]) == 1


def test_a_registry_that_keeps_failing_is_asked_five_times() -> None:
    with Scripted(lambda _: Say(502)) as server, repository(server) as end:
        with pytest.raises(Unreachable):
            end.get_manifest("1")
        assert len(server.heard) == 5


def test_the_wait_is_at_least_what_the_registry_asks_for() -> None:
    told = Told()
    with Scripted(first([Say(429, {"Retry-After": "1"})], FOUND)) as server:
        started = time.monotonic()
        with repository(server, told=told) as end:
            end.get_manifest("1")
    assert told.delays == [1.0]
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("asked", ["86400", formatdate(4_000_000_000, usegmt=True)])
def test_a_wait_that_is_too_long_ends_it_at_once(asked: str) -> None:
    with Scripted(lambda _: Say(429, {"Retry-After": asked})) as server, repository(server) as end:
        with pytest.raises(RateLimited) as caught:
            end.get_manifest("1")
        assert len(server.heard) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 300


def test_a_pause_holds_all_requests_to_that_registry_back() -> None:
    held = threading.Event()
    times: list[float] = []

    def script(heard: Heard) -> Say:
        if heard.path.endswith("/slow") and not held.is_set():
            held.set()
            return Say(429, {"Retry-After": "1"})
        times.append(time.monotonic())
        return FOUND

    with Scripted(script) as server, repository(server) as end:
        thread = threading.Thread(target=end.get_manifest, args=("slow",))
        started = time.monotonic()
        thread.start()
        assert held.wait(10)
        end._client.session._gate.hold(1 - (time.monotonic() - started))
        end.get_manifest("other")
        thread.join()
    assert min(times) - started >= 0.9


def test_a_head_without_a_digest_is_made_up_for_by_a_get() -> None:
    plain = Say(200, {"Content-Type": IMAGE.media_type}, IMAGE.raw)
    with Scripted(lambda _: plain) as server, repository(server) as end:
        found = end.head_manifest("1")
        assert found is not None
        assert found.digest == IMAGE.root
        assert [heard.method for heard in server.heard] == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_target_that_forbids_the_question_is_taken_to_lack_the_manifest(status: int) -> None:
    with Scripted(lambda _: Say(status)) as server, repository(server, Side.TARGET) as end:
        assert end.head_manifest("1") is None
        assert not end.has_blob(BLOB)


def test_other_bytes_than_the_digest_asked_for_are_a_mismatch() -> None:
    wanted = f"sha256:{'0' * 64}"
    lying = Say(200, {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": wanted}, IMAGE.raw)
    with Scripted(lambda _: lying) as server, repository(server) as end:
        with pytest.raises(ContentMismatch) as caught:
            end.get_manifest(wanted)
    assert (caught.value.expected, caught.value.got) == (wanted, IMAGE.root)


def test_a_head_that_lies_about_the_size_does_not_count() -> None:
    with Scripted(lambda _: Say(200, {"Content-Length": "7"})) as server:
        with repository(server, Side.TARGET) as end:
            assert not end.has_blob(BLOB)


@pytest.mark.parametrize("mount", [201, 202, 401, 403, 404, 405, 500])
def test_a_mount_that_is_refused_in_any_way_becomes_an_upload(mount: int) -> None:
    def script(heard: Heard) -> Say:
        place = {"Location": "/v2/team/app/blobs/uploads/1"}
        if "mount=" in heard.path:
            return Say(mount, place)
        return Say(202, place)

    with Scripted(script) as server, repository(server, Side.TARGET) as end:
        upload = end.start_upload(BLOB, mount_from="team/base")
        assert (upload is None) == (mount == 201)
        plain = [heard for heard in server.heard if "mount=" not in heard.path]
        assert len(plain) == (0 if mount in {201, 202} else 1)


def upload(script: Callable[[Heard], Say]) -> list[str]:
    """Send the blob to a server, and give the methods it heard."""
    with Scripted(script) as server:
        with repository(server, Side.TARGET) as end:
            started = end.start_upload(BLOB)
            if started is not None:
                started.send(iter([CONTENT]))
        return [heard.method for heard in server.heard]


def answers(post: Say, put: Say, head: Say) -> Callable[[Heard], Say]:
    return lambda heard: {"POST": post, "PUT": put, "HEAD": head}[heard.method]


OPENED = Say(202, {"Location": "/v2/team/app/blobs/uploads/1?_state=x"})
THERE = Say(200, {"Content-Length": str(len(CONTENT))})


@pytest.mark.parametrize("status", [200, 202, 204, 400, 500])
def test_an_unclear_end_of_an_upload_is_cleared_up_by_asking_for_the_blob(status: int) -> None:
    assert upload(answers(OPENED, Say(status), THERE)) == ["POST", "PUT", "HEAD"]


@pytest.mark.parametrize("status", [200, 202, 404, 416, 500, 503])
def test_an_upload_that_was_lost_may_be_tried_again(status: int) -> None:
    with pytest.raises(BrokenTransfer):
        upload(answers(OPENED, Say(status), Say(404)))


@pytest.mark.parametrize("status", [400, 403, 413])
def test_an_upload_that_is_refused_stays_refused(status: int) -> None:
    with pytest.raises(RegimportError) as caught:
        upload(answers(OPENED, Say(status), Say(404)))
    assert not isinstance(caught.value, BrokenTransfer)


def test_a_post_that_says_done_without_a_mount_is_not_believed() -> None:
    with pytest.raises(RegistryError, match="201"):
        upload(answers(Say(201), Say(500), Say(404)))
    assert upload(answers(Say(201), Say(500), THERE)) == ["POST", "HEAD"]


def test_a_missing_place_for_the_upload_is_an_error() -> None:
    with pytest.raises(RegistryError, match="no Location"):
        upload(answers(Say(202), Say(201), Say(404)))


@pytest.mark.parametrize("held", [IMAGE.root, f"sha256:{'1' * 64}"])
def test_an_immutable_tag_is_fine_with_the_same_digest_and_code_9_with_another(held: str) -> None:
    body = b'{"errors":[{"code":"TAG_INVALID","message":"tag is immutable"}]}'

    def script(heard: Heard) -> Say:
        if heard.method == "PUT":
            return Say(409, body=body)
        headers = {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": held}
        return Say(200, headers, b"12345")

    with Scripted(script) as server, repository(server, Side.TARGET) as end:
        if held == IMAGE.root:
            end.put_manifest(MANIFEST, "1")
        else:
            with pytest.raises(TagExists):
                end.put_manifest(MANIFEST, "1")


def test_pages_of_tags_are_followed_by_any_form_of_link() -> None:
    pages = {
        "/v2/team/app/tags/list": ("a", '</v2/team/app/tags/list?last=a&n=1>; rel="next"'),
        "/v2/team/app/tags/list?last=a&n=1": ("b", "<?last=b>; rel=next"),
        "/v2/team/app/tags/list?last=b": ("c", ""),
    }

    def script(heard: Heard) -> Say:
        tag, link = pages[heard.path]
        return Say(200, {"Link": link}, f'{{"tags":["{tag}"]}}'.encode())

    with Scripted(script) as server, repository(server) as end:
        assert list(chain.from_iterable(end.tag_pages())) == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b'{"tags":null}', b'{"tags":[]}'])
def test_no_tags_are_an_empty_list(body: bytes) -> None:
    with Scripted(lambda _: Say(200, body=body)) as server, repository(server) as end:
        assert list(chain.from_iterable(end.tag_pages())) == []


def test_a_blob_that_is_not_there_is_not_found() -> None:
    with Scripted(lambda _: Say(404)) as server, repository(server) as end:
        with pytest.raises(NotFound) as caught, end.read_blob(BLOB):
            pass
    assert caught.value.side is Side.SOURCE
    assert caught.value.repository == "team/app"
