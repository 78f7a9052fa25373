"""Registries that refuse HEAD, or answer it with other lengths than GET: what copies make of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from regimport import api
from regimport.errors import AccessDenied, NotFound, RegimportError, TagExists, Unreachable
from regimport.network import Network, RegistrySettings, Tls
from regimport.options import CopyOptions, RetryPolicy
from support.images import many_platforms, single
from support.miniature import Miniature, complaint
from support.scripted import Heard, Say, Scripted

_IMAGE, _BEFORE = many_platforms(), single("before")
_HASTY = RetryPolicy(attempts=2, first_delay=0, longest_delay=0)


class Refusing(Miniature):
    """Answers requests for the manifest of a tag with a status, by method."""

    def __init__(self, **statuses: int) -> None:
        super().__init__()
        self.statuses = statuses

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        status = self.statuses.get(heard.method)
        if status is None or ":" in reference:
            return super().manifest(heard, repository, reference)
        return complaint(status, "REFUSED")


@dataclass
class Registries:
    """Runs registries, and makes the options that reach them, with TLS or without."""

    stack: ExitStack
    context: ssl.SSLContext | None
    ca_file: Path

    def serve(self, script: Callable[[Heard], Say]) -> Scripted:
        return self.stack.enter_context(Scripted(script, self.context))

    def options(self, *registries: Scripted, no_clobber: bool = False) -> CopyOptions:
        options = CopyOptions(retry=_HASTY, no_clobber=no_clobber)
        if self.context is None:
            return options
        tls = Tls(ca_file=str(self.ca_file))
        settings = {
            registry.address: RegistrySettings(endpoint=f"https://{registry.address}", tls=tls)
            for registry in registries
        }
        return replace(options, network=Network(registries=settings))

    def copy(self, source: Miniature, target: Miniature, *, no_clobber: bool = False) -> None:
        origin, goal = self.serve(source), self.serve(target)
        options = self.options(origin, goal, no_clobber=no_clobber)
        api.copy(f"{origin.address}/app:latest", f"{goal.address}/app:latest", options=options)


@pytest.fixture(params=["plain", "tls"])
def registries(
    request: pytest.FixtureRequest, authority: trustme.CA, ca_file: Path
) -> Iterator[Registries]:
    context = None
    if request.param == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with ExitStack() as stack:
        yield Registries(stack, context, ca_file)


def holding(registry: Refusing) -> Refusing:
    registry.hold("app", _IMAGE)
    return registry


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 501])
def test_a_tag_that_only_get_finds_is_not_overwritten(status: int, registries: Registries) -> None:
    target = Refusing(HEAD=status)
    target.hold("app", _BEFORE)
    with pytest.raises(TagExists, match=f"exists already, as {_BEFORE.root}"):
        registries.copy(holding(Refusing()), target, no_clobber=True)
    assert target.holds("app", _BEFORE)
    assert set(target.blobs["app"]) == set(_BEFORE.blobs)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, TagExists),
        (401, AccessDenied),
        (403, AccessDenied),
        (405, TagExists),
        (500, Unreachable),
        (501, Unreachable),
    ],
)
def test_a_tag_that_the_target_does_not_tell_of_is_not_overwritten(
    status: int, error: type[RegimportError], registries: Registries
) -> None:
    target = Refusing(HEAD=status, GET=status)
    target.hold("app", _BEFORE)
    with pytest.raises(error) as caught:
        registries.copy(holding(Refusing()), target, no_clobber=True)
    assert target.holds("app", _BEFORE)
    assert set(target.blobs["app"]) == set(_BEFORE.blobs)
    if error is TagExists:
        assert "does not say whether the tag latest exists" in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_a_tag_that_get_does_not_find_is_written(status: int, registries: Registries) -> None:
    target = Refusing(HEAD=status)

    def put_or_refuse(heard: Heard) -> Say:
        if heard.method == "PUT":
            target.statuses = {}
        return target(heard)

    origin, goal = registries.serve(holding(Refusing())), registries.serve(put_or_refuse)
    options = registries.options(origin, goal, no_clobber=True)
    api.copy(f"{origin.address}/app:latest", f"{goal.address}/app:latest", options=options)
    assert target.holds("app", _IMAGE)


@pytest.mark.parametrize("status", [400, 401, 403, 405])
def test_an_unknown_tag_is_overwritten_where_that_is_allowed(
    status: int, registries: Registries
) -> None:
    target = Refusing(HEAD=status)
    target.hold("app", _BEFORE)
    registries.copy(holding(Refusing()), target)
    assert target.holds("app", _IMAGE)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 503])
def test_a_source_that_refuses_head_is_asked_with_get(status: int, registries: Registries) -> None:
    source, target = holding(Refusing(HEAD=status)), Refusing()
    registries.copy(source, target)
    assert target.holds("app", _IMAGE)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_other_commands_ask_a_registry_that_refuses_head_with_get(
    status: int, registries: Registries
) -> None:
    server = registries.serve(holding(Refusing(HEAD=status)))
    reference, options = f"{server.address}/app:latest", registries.options(server)
    assert api.digest(reference, options=options) == _IMAGE.root
    assert api.inspect(reference, options=options).root.descriptor.digest == _IMAGE.root
    assert not api.verify(reference, reference, options=options).differences


def test_an_image_that_neither_head_nor_get_finds_is_asked_for_twice(
    registries: Registries,
) -> None:
    server = registries.serve(Refusing())
    with pytest.raises(NotFound):
        api.digest(f"{server.address}/app:latest", options=registries.options(server))
    assert [heard.method for heard in server.heard] == ["HEAD", "GET"]
