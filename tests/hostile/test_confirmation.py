"""A registry that takes everything and stores nothing, and one that lets nobody read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

import regimport
from regimport import CopyOptions, RetryPolicy
from regimport.errors import AccessDenied, ContentMismatch, TagExists
from regimport.events import Event, Warned
from support.images import digest_of, single
from support.miniature import Miniature, complaint
from support.scripted import Heard, Say, Scripted

_AT_ONCE = RetryPolicy(first_delay=0, longest_delay=0)


@dataclass
class Warnings:
    messages: list[str] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.messages.append(event.message)


@dataclass
class Liar(Miniature):
    """Says 201 to every manifest; what it does with it, and with who asks for it, is a field."""

    head: int = 405
    get: int | None = None
    stores: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        if heard.method == "HEAD":
            return complaint(self.head, "UNSUPPORTED")
        if heard.method == "GET" and self.get is not None:
            return complaint(self.get, "DENIED")
        if heard.method == "PUT" and not self.stores:
            return Say(201, {"Location": heard.path, "Docker-Content-Digest": "sha256:0"})
        return super().manifest(heard, repository, reference)


def _copy(target: Miniature, reporter: Warnings | None = None, **options: Any) -> regimport.Report:
    source, image = Miniature(), single()
    source.hold("app", image)
    with Scripted(source) as here, Scripted(target) as there:
        return regimport.copy(
            f"{here.address}/app",
            f"{there.address}/app:1",
            options=CopyOptions(retry=_AT_ONCE, **options),
            reporter=reporter or Warnings(),
        )


@pytest.mark.parametrize("status", [400, 403, 405])
def test_a_registry_that_refuses_head_and_stores_nothing_is_found_out_with_get(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regimport.engine.publish._PAUSES", (0.0,))
    with pytest.raises(ContentMismatch, match="does not show the manifest"):
        _copy(Liar(head=status, stores=False))


@pytest.mark.parametrize("status", [400, 403, 405])
def test_a_registry_that_refuses_head_and_has_stored_it_has_confirmed_it(status: int) -> None:
    reporter = Warnings()
    (done,) = _copy(Liar(head=status), reporter).targets
    assert done.confirmed
    assert not reporter.messages


@pytest.mark.parametrize(("head", "get"), [(401, 401), (403, 403), (405, 405), (400, 400)])
def test_a_registry_that_does_not_say_what_its_tag_is_gets_a_warning(head: int, get: int) -> None:
    reporter = Warnings()
    report = _copy(Liar(head=head, get=get), reporter)
    assert report.exit_code == 0
    assert not report.targets[0].confirmed
    assert json.loads(report.to_json())["targets"][0]["confirmed"] is False
    assert [text for text in reporter.messages if "does not say whether it shows it" in text]


def test_with_verify_it_is_a_failure() -> None:
    with pytest.raises(AccessDenied):
        _copy(Liar(head=403, get=403), verify=True)


def test_with_verify_what_was_read_is_confirmed() -> None:
    (done,) = _copy(Liar(), verify=True).targets
    assert done.confirmed


@dataclass
class BySha512(Miniature):
    """Names its manifests by sha512, and knows no other name for them."""

    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        tagged = self.manifests[repository]["latest"]
        name = digest_of(tagged[1], "sha512")
        if reference not in {"latest", name}:
            self.refused.append(reference)
            return complaint(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": tagged[0], "Docker-Content-Digest": name}
        return Say(200, headers | {"Content-Length": str(len(tagged[1]))}, tagged[1])


@pytest.mark.parametrize("pinned", [False, True])
def test_an_image_that_its_source_names_by_sha512_has_the_name_that_the_target_shows(
    pinned: bool,
) -> None:
    source, target, image = BySha512(), Miniature(), single()
    source.hold("app", image)
    with Scripted(source) as here, Scripted(target) as there:
        name = f"@{digest_of(image.raw, 'sha512')}" if pinned else ":latest"
        wanted = f"{there.address}/app:1"
        done = regimport.copy(f"{here.address}/app{name}", wanted)
        assert done.targets[0].pinned == f"{there.address}/app@{image.root}"
        assert target.holds("app", image, "1")
        again = regimport.copy(
            f"{here.address}/app{name}", wanted, options=CopyOptions(no_clobber=True)
        )
        assert again.targets[0].status == "present"
        assert regimport.verify(f"{here.address}/app{name}", wanted).differences == ()
    assert not source.refused


def test_another_image_under_the_tag_still_stops_a_copy_that_may_not_overwrite() -> None:
    source, target = BySha512(), Miniature()
    source.hold("app", single())
    target.hold("app", single("other"), "1")
    with Scripted(source) as here, Scripted(target) as there, pytest.raises(TagExists):
        regimport.copy(
            f"{here.address}/app", f"{there.address}/app:1", options=CopyOptions(no_clobber=True)
        )
