"""Tags of a repository, page by page."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TypeAlias

import pytest

from regimport.errors import NotFound, RegistryError
from regimport.events import Warned
from regimport.registry import tags as tags_module
from regimport.registry.tags import tag_pages
from registry.conftest import Sessions
from support.peers import Asked, Reply, web

Handler: TypeAlias = Callable[[Asked], Reply]


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


def _pages(page: Callable[[int], list[object]], link: Callable[[int], str]) -> Handler:
    """Answer the first request with page 0, and `?n=NUMBER` with another."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.url.rpartition("=")[2]) if "n=" in asked.url else 0
        return Reply.json({"tags": page(number)}, Link=link(number))

    return answer


def _following(number: int) -> str:
    return f"</v2/app/tags/list?n={number + 1}>; rel=next"


def test_a_list_that_leads_in_a_circle_is_an_error(sessions: Sessions) -> None:
    with web(_pages(lambda _: ["a", "b"], lambda _: _following(0))) as server:
        pages = tag_pages(sessions.access(server.address))
        assert next(pages) == ["a", "b"]
        with pytest.raises(RegistryError, match="does not end"):
            list(pages)
        assert len(server.asked) == 1 + 6


@pytest.mark.parametrize("tags", [[], ["a"], ["a", None, "-"], None])
def test_pages_that_go_on_for_ever_with_nothing_new_are_an_error(
    tags: list[object], sessions: Sessions
) -> None:
    with web(_pages(lambda _: tags, _following)) as server:
        with pytest.raises(RegistryError, match="6 pages in a row brought no new tag"):
            list(tag_pages(sessions.access(server.address)))
        assert len(server.asked) <= 7


def test_a_few_pages_may_bring_nothing_new(sessions: Sessions) -> None:
    def page(number: int) -> list[object]:
        return [str(number)] if number % 6 == 0 else []

    with web(_pages(page, lambda n: _following(n) if n < 18 else "")) as server:
        pages = tag_pages(sessions.access(server.address))
        assert [tag for page in pages for tag in page] == ["0", "6", "12", "18"]


def test_each_tag_is_listed_once(sessions: Sessions) -> None:
    with web(_pages(lambda n: ["a", "a", str(n)], lambda n: "" if n else _following(n))) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a", "0"], ["1"]]


def test_a_list_has_a_bound_on_its_pages(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags_module, "_MOST_PAGES", 10)
    with web(_pages(lambda n: [str(n)], _following)) as server:
        with pytest.raises(RegistryError, match="more than 10 pages"):
            list(tag_pages(sessions.access(server.address)))
        assert len(server.asked) == 10


def test_a_link_as_long_as_no_server_takes_is_an_error(sessions: Sessions) -> None:
    def link(number: int) -> str:
        return f"</v2/app/tags/list?x={'x' * 60_000}&n={number + 1}>; rel=next"

    with web(_pages(lambda n: [str(n)], link)) as server:
        with pytest.raises(RegistryError, match="characters"):
            list(tag_pages(sessions.access(server.address)))
        assert len(server.asked) == 1


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


@pytest.mark.parametrize(
    "link",
    [
        "<http://registry.internal:5000/v2/app/tags/list?n=1>; rel='next'",
        "<https://127.0.0.1:1/v2/app/tags/list?n=1>",
        "/v2/app/tags/list?n=1; rel=next",
    ],
)
def test_the_next_page_is_asked_for_at_the_registry_itself(link: str, sessions: Sessions) -> None:
    with web(_pages(lambda n: [str(n)], lambda n: "" if n else link)) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["0"], ["1"]]
        assert server.lines[1] == "GET /v2/app/tags/list?n=1"


@pytest.mark.parametrize("entry", ["sha256:" + "a" * 64, "-ot-beta", "v1+x", "", None, 1, {}, [[]]])
def test_an_odd_entry_is_left_out_and_named_in_a_warning(entry: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json({"tags": ["a", entry, "b"]})) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a", "b"]]
        name = server.address
    (warned,) = sessions.told
    assert isinstance(warned, Warned)
    named = f"'{entry}'" if isinstance(entry, str) else ""
    assert warned.message.startswith(
        f"{name}/app lists 1 entry that is no tag, left out here: {named}"
    )


def test_many_odd_entries_are_counted_in_one_warning(sessions: Sessions) -> None:
    page = [*(f"-{n}" for n in range(8)), "\x1b[31m" + "x" * 1000]
    with web(_pages(lambda n: [str(n), *page], lambda n: "" if n else _following(n))) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["0"], ["1"]]
        name = server.address
    assert sessions.told == [
        Warned(
            f"{name}/app lists 18 entries that are no tags, left out here: '-0', '-1', '-2', '-3', "
            "'-4' and 13 more"
        )
    ]


@pytest.mark.parametrize("document", [{}, {"name": "app"}, {"tags": None}, {"tags": []}])
def test_no_tags_are_an_empty_list(document: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json(document)) as server:
        assert list(tag_pages(sessions.access(server.address))) == [[]]
    assert sessions.told == []


@pytest.mark.parametrize(
    "document",
    [None, [], "a", {"tags": "a"}, {"tags": ""}, {"tags": {"a": 1}}, {"errors": [{"code": "X"}]}],
)
def test_what_is_no_list_of_tags_is_an_error(document: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json(document)) as server, pytest.raises(RegistryError):
        list(tag_pages(sessions.access(server.address)))


def test_a_repository_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    with web(lambda _: Reply(404)) as server, pytest.raises(NotFound):
        list(tag_pages(sessions.access(server.address)))
