"""What looking for referrers costs at each kind of registry, and when what is written where."""

from __future__ import annotations

import json
import threading
import time

import pytest

import regimport
from regimport import CopyOptions
from support.images import many_platforms, single
from support.miniature import Miniature, complaint
from support.publishers import PUBLISHERS, Published, fallback
from support.scripted import Heard, Say
from support.world import World

_ALL = ("all",)


def _hold(registry: Miniature, repository: str, published: Published) -> None:
    registry.hold(repository, published.image)
    for extra in published.extras:
        registry.hold(repository, extra.content, extra.tag or extra.content.root)


@pytest.mark.parametrize("api", [True, False])
def test_an_image_without_referrers_costs_a_request_a_manifest_at_most(
    world: World, api: bool
) -> None:
    """And the list of tags; without the API, that is asked for once."""
    world.image = many_platforms(platforms=7)
    world.registry("one.example", "app").lists_referrers = api
    world.registry("two.example")
    world.copy("one.example/app", "two.example/plain", referrers=(), cache=False)
    plain = len(world.heard("one.example"))
    world.servers["one.example"].heard.clear()
    world.copy("one.example/app", "two.example/full", referrers=_ALL, cache=False)
    assert len(world.heard("one.example")) == plain + (8 if api else 1) + 1


def test_a_tag_that_is_there_stays_one_request_a_side(world: World) -> None:
    world.registry("one.example", "app").lists_referrers = True
    world.registry("two.example", "app").lists_referrers = True
    world.copy("one.example/app", "two.example/app")
    assert [heard.method for heard in world.heard("one.example")] == ["HEAD"]
    assert [heard.method for heard in world.heard("two.example")] == ["HEAD"]
    assert world.warnings == []


@pytest.mark.parametrize("publisher", ["cosign with tags", "cosign with referrers", "ORAS"])
@pytest.mark.parametrize("api", [True, False])
def test_nothing_is_put_before_what_it_refers_to_and_the_tag_comes_last(
    world: World, publisher: str, api: bool
) -> None:
    published = PUBLISHERS[publisher]()
    one = world.registry("one.example")
    one.lists_referrers = True
    _hold(one, "app", published)
    world.registry("two.example").lists_referrers = api
    world.copy("one.example/app", "two.example/app", referrers=_ALL)
    puts = [heard for heard in world.heard("two.example", "PUT") if "/manifests/" in heard.path]
    order = [heard.path.rpartition("/")[2] for heard in puts]
    assert order[-1] == "latest"
    for extra in published.extras:
        subject = json.loads(extra.content.raw).get("subject", {}).get("digest")
        if extra.tag is not None:
            assert order.index(extra.content.root) < order.index(extra.tag)
        else:
            assert order.index(subject) < order.index(extra.content.root)
            lists = [path for path in order if path == fallback(subject)]
            assert len(lists) == (0 if api else 1)
            if lists:
                assert order.index(extra.content.root) < order.index(lists[0])


def test_all_pages_of_a_list_are_copied(world: World) -> None:
    published = PUBLISHERS["cosign with referrers"]()
    one = world.registry("one.example")
    one.lists_referrers, one.page = True, 1
    _hold(one, "app", published)
    two = world.registry("two.example")
    two.lists_referrers = True
    world.copy("one.example/app", "two.example/app", referrers=_ALL)
    assert all(extra.content.root in two.manifests["app"] for extra in published.extras)


def test_a_target_that_refuses_a_signature_gets_no_tag(world: World) -> None:
    published = PUBLISHERS["Notation"]()
    one = world.registry("one.example")
    one.lists_referrers = True
    _hold(one, "app", published)
    two = Miniature()

    def script(heard: Heard) -> Say:
        if heard.method == "PUT" and heard.path.endswith(published.extras[0].content.root):
            return complaint(400, "MANIFEST_INVALID", "unknown config type")
        return two(heard)

    world.serve("two.example", script)
    with pytest.raises(regimport.RegistryError, match="unknown config type"):
        world.copy("one.example/app", "two.example/app", referrers=_ALL)
    assert "latest" not in two.manifests["app"]


def test_a_tag_that_should_hold_a_list_and_holds_an_image_is_left_alone(world: World) -> None:
    published = PUBLISHERS["Notation"]()
    one = world.registry("one.example")
    one.lists_referrers = True
    _hold(one, "app", published)
    two, other = world.registry("two.example"), single("other")
    two.hold("app", other, fallback(published.image.root))
    with pytest.raises(regimport.RegistryError, match="points to something else"):
        world.copy("one.example/app", "two.example/app", referrers=_ALL)
    assert two.holds("app", other, fallback(published.image.root))


@pytest.mark.parametrize("no_clobber", [True, False])
def test_a_digest_tag_moves_unless_nothing_is_to_be_overwritten(
    world: World, no_clobber: bool
) -> None:
    published = PUBLISHERS["Helm"]()
    _hold(world.registry("one.example"), "app", published)
    two, other = world.registry("two.example"), single("other")
    tag = str(published.extras[0].tag)
    two.hold("app", other, tag)
    world.copy("one.example/app", "two.example/app", referrers=_ALL, no_clobber=no_clobber)
    assert two.holds("app", other if no_clobber else published.extras[0].content, tag)
    assert any(
        "left as it is" in warning or "was left" in warning for warning in world.warnings
    ) is (no_clobber)


def test_a_registry_that_never_tells_what_is_left_behind_does_not_hold_the_copy_up(
    world: World,
) -> None:
    released, one = threading.Event(), Miniature()
    one.hold("app", world.image)

    def script(heard: Heard) -> Say:
        if "/referrers/" in heard.path:
            released.wait(20)
        return one(heard)

    world.serve("one.example", script)
    two = world.registry("two.example")
    started = time.monotonic()
    try:
        world.copy("one.example/app", "two.example/app")
    finally:
        released.set()
    # The pool waits a second for what goes on in the background.
    assert time.monotonic() - started < 4
    assert two.holds("app", world.image)
    assert world.warnings == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_whatever_is_answered_about_what_is_left_behind_the_copy_is_done(
    world: World, status: int
) -> None:
    one = Miniature()
    one.hold("app", world.image)

    def script(heard: Heard) -> Say:
        extra = "/referrers/" in heard.path or "sha256-" in heard.path
        return complaint(status, "NO", Retry_After="100") if extra else one(heard)

    world.serve("one.example", script)
    two = world.registry("two.example")
    assert world.copy("one.example/app", "two.example/app").exit_code == 0
    assert two.holds("app", world.image)


def test_nobody_is_asked_where_nobody_would_hear_it(world: World) -> None:
    """Without a reporter, as in most programs that use the library."""
    world.registry("one.example", "app")
    world.registry("two.example")
    plain = CopyOptions(plain_http=frozenset(world.servers))
    regimport.copy("one.example/app", "two.example/app", options=plain)
    assert not any("/referrers/" in heard.path for heard in world.heard("one.example"))
