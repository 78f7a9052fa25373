"""Repositories of a registry, page by page."""

from __future__ import annotations

import pytest

import regimport
from regimport import AccessDenied, NotFound, RegistryError
from regimport.events import Warned
from regimport.registry.catalog import catalog_pages
from registry.conftest import Sessions
from support.client import Client
from support.images import single
from support.peers import Asked, Reply, web
from support.registries import DockerRegistry


def test_pages_are_followed_to_the_last(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "last=b" in asked.url:
            return Reply.json({"repositories": ["team/c"]})
        link = '</v2/_catalog?last=b&n=1000>; rel="next"'
        return Reply.json({"repositories": ["a", "b"]}, Link=link)

    with web(answer) as server:
        assert list(catalog_pages(sessions.open(server.address))) == [["a", "b"], ["team/c"]]
        assert [asked.url for asked in server.asked] == [
            "/v2/_catalog?n=1000",
            "/v2/_catalog?last=b&n=1000",
        ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AccessDenied), (403, AccessDenied), (404, NotFound), (405, RegistryError)],
)
def test_a_registry_without_a_list_of_repositories_is_named(
    status: int, kind: type[RegistryError], sessions: Sessions
) -> None:
    with web(lambda _: Reply(status)) as server:
        with pytest.raises(kind, match="does not list its repositories for this user"):
            list(catalog_pages(sessions.open(server.address)))


def test_a_list_that_breaks_off_is_an_error_after_what_came_before(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "last" in asked.url:
            return Reply(400)
        return Reply.json({"repositories": ["a"]}, Link="</v2/_catalog?last=a>; rel=next")

    with web(answer) as server:
        pages = catalog_pages(sessions.open(server.address))
        assert next(pages) == ["a"]
        with pytest.raises(RegistryError):
            next(pages)


def test_what_cannot_be_a_repository_is_left_out_and_named(sessions: Sessions) -> None:
    with web(lambda _: Reply.json({"repositories": ["a", "B!", None]})) as server:
        assert list(catalog_pages(sessions.open(server.address))) == [["a"]]
    (warning,) = [event for event in sessions.told if isinstance(event, Warned)]
    assert "lists what cannot be a repository" in warning.message
    assert "'B!'" in warning.message


@pytest.mark.docker_registry
def test_a_real_registry_lists_what_was_pushed(source: DockerRegistry, repository: str) -> None:
    Client(source.address).push(repository, single(), "1")
    assert repository in list(regimport.repositories(source.address))
