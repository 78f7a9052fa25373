"""The tools of the tests do what they say, for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.client import Client
from support.images import FORMS, many_platforms
from support.registries import USER, DockerRegistry
from support.tokenserver import TokenServer

pytestmark = pytest.mark.docker_registry


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_image_comes_back_from_a_plain_registry(
    source: DockerRegistry, repository: str, form: str
) -> None:
    image = FORMS[form]()
    client = Client(source.address)
    client.push(repository, image, "1")
    assert client.read_all(repository, "1") == image.content()
    assert any(asked.method == "PUT" for asked in source.requests())


def test_a_registry_with_tls_lets_the_user_in_and_nobody_else(
    tls_process: DockerRegistry, ca_file: Path, repository: str
) -> None:
    image = many_platforms()
    client = Client(tls_process.address, ca=ca_file, user=USER)
    client.push(repository, image, "1")
    assert client.read_all(repository, "1") == image.content()
    stranger = Client(tls_process.address, ca=ca_file, user=("alice", "wrong"))
    assert stranger.ask("GET", "/v2/")[0] == 401


def test_a_registry_with_tokens_lets_the_user_in(
    tokens: tuple[DockerRegistry, TokenServer], repository: str
) -> None:
    registry, server = tokens
    image = many_platforms()
    client = Client(registry.address, user=USER)
    client.push(repository, image, "1")
    assert client.read_all(repository, "1") == image.content()
    assert server.requests[0].scopes == (f"repository:{repository}:pull,push",)
