"""Tags of a repository, page by page."""

from __future__ import annotations

import pytest

from regimport.errors import NotFound, RegistryError
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


def test_pages_that_lead_in_a_circle_are_read_once(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        there = "/v2/app/tags/list" if "last" in asked.url else "/v2/app/tags/list?last=a"
        return Reply.json({"tags": ["a"]}, Link=f"<{there}>; rel=next")

    with web(answer) as server:
        assert list(tag_pages(sessions.access(server.address))) == [["a"], ["a"]]
        assert len(server.asked) == 2


@pytest.mark.parametrize("tags", [None, []])
def test_no_tags_are_an_empty_list(tags: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json({"tags": tags})) as server:
        assert list(tag_pages(sessions.access(server.address))) == [[]]


@pytest.mark.parametrize(
    "document", [None, [], {}, {"tags": "a"}, {"tags": [1]}, {"tags": {"a": 1}}]
)
def test_what_is_no_list_of_tags_is_an_error(document: object, sessions: Sessions) -> None:
    with web(lambda _: Reply.json(document)) as server, pytest.raises(RegistryError):
        list(tag_pages(sessions.access(server.address)))


def test_a_repository_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    with web(lambda _: Reply(404)) as server, pytest.raises(NotFound):
        list(tag_pages(sessions.access(server.address)))
