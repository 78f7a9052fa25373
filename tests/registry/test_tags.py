"""Tags of a repository, page by page."""

from __future__ import annotations

import tracemalloc

import pytest

from regimport.errors import NotFound, RegistryError
from regimport.events import Warned
from regimport.registry.tags import tag_pages
from registry.conftest import Sessions
from support.peers import Asked, Reply, web


@pytest.mark.parametrize("absolute", [True, False])
def test_pages_are_followed_to_the_last(absolute: bool, sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "last=b" in asked.url:
            return Reply.json({"tags": ["c"]})
        base = server.url if absolute else ""
        link = f'<{base}/v2/app/tags/list?last=b&n=2>; rel="next"'
        return Reply.json({"name": "app", "tags": ["a", "b"]}, Link=link)

    with web(answer) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a", "b"], ["c"]]
        assert len(server.asked) == 2


def test_a_page_is_asked_for_only_when_it_is_needed(sessions: Sessions) -> None:
    with web(lambda _: Reply.json({"tags": ["a"]}, Link="</v2/more>; rel=next")) as server:
        assert next(tag_pages(sessions.access(server.address))) == ["a"]
        assert len(server.asked) == 1


def test_pages_that_lead_in_a_circle_are_an_error(sessions: Sessions) -> None:
    """A registry that ignores `last` serves its first page for ever; the list is incomplete."""

    def answer(asked: Asked) -> Reply:
        there = "/v2/app/tags/list" if "last" in asked.url else "/v2/app/tags/list?last=a"
        return Reply.json({"tags": ["a"]}, Link=f"<{there}>; rel=next")

    with web(answer) as server:
        with pytest.raises(RegistryError, match=r"does not end: .* read before"):
            list(tag_pages(sessions.access(server.address)))
        assert len(server.asked) == 2


@pytest.mark.parametrize("page", [["a", "b"], [], ["sha256:0"]])
def test_pages_without_end_that_bring_nothing_new_are_an_error(
    page: list[str], sessions: Sessions
) -> None:
    def answer(_: Asked) -> Reply:
        cursor = len(server.asked)
        return Reply.json({"tags": page}, Link=f"</v2/app/tags/list?cursor={cursor}>; rel=next")

    with web(answer) as server:
        with pytest.raises(RegistryError, match="does not end: its last 5 pages"):
            list(tag_pages(sessions.access(server.address)))
        assert len(server.asked) in {5, 6}


def test_a_few_empty_pages_do_not_end_a_listing(sessions: Sessions) -> None:
    pages: list[list[str]] = [["a"], [], [], ["b"], [], [], ["c"]]

    def answer(_: Asked) -> Reply:
        number = len(server.asked)
        link = f"</v2/app/tags/list?page={number}>; rel=next"
        return Reply.json({"tags": pages[number - 1]}, Link=link if number < len(pages) else "")

    with web(answer) as server:
        assert list(tag_pages(sessions.access(server.address))) == pages


def test_each_tag_is_listed_once(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "last" in asked.url:
            return Reply.json({"tags": ["b", "c"]})
        return Reply.json({"tags": ["a", "b", "a"]}, Link="<?last=b>; rel=next")

    with web(answer) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a", "b"], ["c"]]


def test_a_next_page_at_an_internal_host_is_asked_at_the_registry(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "last" in asked.url:
            return Reply.json({"tags": ["b"]})
        return Reply.json({"tags": ["a"]}, Link="<https://registry.internal/v2/app/tags?last=a>")

    with web(answer) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a"], ["b"]]
        assert server.asked[1].url == "/v2/app/tags?last=a"


def test_odd_entries_are_named_in_one_warning_and_the_others_are_listed(sessions: Sessions) -> None:
    odd = ["sha256:" + "0" * 64, "-ot-beta", "v1+x", "", None, "a b", "c\x1b[31m"]

    def answer(asked: Asked) -> Reply:
        if "last" in asked.url:
            return Reply.json({"tags": ["z", "-ot-beta"]})
        return Reply.json({"tags": ["a", *odd, "b"]}, Link="<?last=b>; rel=next")

    with web(answer) as server:
        address = server.address
        assert list(tag_pages(sessions.access(address))) == [["a", "b"], ["z"]]
    assert sessions.told == [
        Warned(
            f"{address}/app lists what cannot be a tag, which was left out: "
            f"'sha256:{'0' * 64}', '-ot-beta', 'v1+x', '', 'a b' and 1 more"
        )
    ]


@pytest.mark.parametrize("document", [{}, {"name": "app"}, {"tags": None}, {"tags": []}])
def test_no_tags_are_an_empty_list(document: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json(document)) as server:
        assert list(tag_pages(sessions.access(server.address))) == [[]]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"tags": "a"},
        {"tags": ""},
        {"tags": [1]},
        {"tags": {"a": 1}},
        {"errors": [{"code": "UNAUTHORIZED"}]},
        {"error": "log in"},
    ],
)
def test_what_is_no_list_of_tags_is_an_error(document: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json(document)) as server, pytest.raises(RegistryError):
        list(tag_pages(sessions.access(server.address)))


def test_a_repository_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    with web(lambda _: Reply(404)) as server, pytest.raises(NotFound):
        list(tag_pages(sessions.access(server.address)))


@pytest.mark.parametrize(
    "body",
    [
        b'{"tags":[' + b"{}," * 3_000_000 + b"{}]}",
        b'{"tags":' + b"[" * 1_300_000 + b"]" * 1_300_000 + b"}",
        b'{"tags":["' + b'ab","' * 3_000_000 + b'"]}',
    ],
    ids=["objects", "lists", "texts"],
)
def test_a_page_of_millions_of_values_is_not_parsed(body: bytes, sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {}, body)) as server:
        tracemalloc.start()
        with pytest.raises(RegistryError, match="not a list of tags"):
            list(tag_pages(sessions.access(server.address)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 3.5 * len(body)
