"""Manifests whose parts a target turns out not to have, and tags that show something else."""

from __future__ import annotations

import pytest

from regimport import ContentMismatch, CopyOptions, RegimportError, RegistryError, copy
from regimport.engine import publish
from regimport.events import Event, Retrying
from registry.conftest import IMPATIENT
from support.images import OCI_CONFIG, OCI_INDEX, Image, digest_of, single
from support.shaky import Shaky, Ways, shaky


class Told:
    """Keeps the retries."""

    def __init__(self) -> None:
        self.retries: list[str] = []

    def tell(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self.retries.append(event.what)


def carry(source: Shaky, target: Shaky, tag: str = "1") -> list[str]:
    """Copy an image; gives what was tried again."""
    told = Told()
    ends = (f"{source.address}/app:1", f"{target.address}/app:{tag}")
    copy(*ends, options=CopyOptions(retry=IMPATIENT, jobs=2), reporter=told)
    return told.retries


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_SECOND_LOOK", 0.0)


def platforms() -> Image:
    image = Image()
    children = [
        image.manifest(image.blob(b'{"n":%d}' % n, OCI_CONFIG), [image.blob(b"layer %d" % n)])
        for n in range(2)
    ]
    image.index(children, OCI_INDEX)
    return image


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("names_missing", [True, False])
def test_blobs_that_a_target_only_claims_to_have_are_sent_after_all(
    status: int, names_missing: bool
) -> None:
    ways = Ways(lies=True, unknown_status=status, names_missing=names_missing)
    image = single(size=100_000)
    with shaky() as source, shaky(ways) as target:
        source.keep(image, "1")
        # A tag that is there already: so each blob is asked for.
        target.manifests["1"] = (OCI_INDEX, b"{}")
        retries = carry(source, target)
        assert target.blobs == image.blobs
        assert target.manifests["1"] == image.manifests[image.root]
        assert retries == ["manifest 1"] * 2


def test_blobs_that_were_lost_meanwhile_are_sent_again() -> None:
    image = single(size=100_000)
    with shaky() as source, shaky() as target:
        source.keep(image, "1")
        target.blobs = _Forgetting(image.blobs)
        retries = carry(source, target)
        assert dict(target.blobs) == image.blobs
        assert target.manifests["1"] == image.manifests[image.root]
        assert retries == ["manifest 1"]


def test_a_target_that_takes_a_moment_to_know_its_blobs_is_given_one() -> None:
    image = single(size=100_000)
    with shaky() as source, shaky(Ways(lagging=1)) as target:
        source.keep(image, "1")
        assert carry(source, target) == ["manifest 1"]
        assert target.manifests["1"] == image.manifests[image.root]
        assert target.count("PUT") == len(image.blobs), "blobs that were there were sent again"


def test_a_target_that_never_knows_its_blobs_is_an_error() -> None:
    with shaky() as source, shaky(Ways(lagging=99)) as target:
        source.keep(single(), "1")
        with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
            carry(source, target)
        assert "1" not in target.manifests
        assert [one for one in target.asked if one == "PUT /v2/app/manifests/1"] == [
            "PUT /v2/app/manifests/1"
        ] * 3


def test_manifests_that_were_lost_meanwhile_are_put_again() -> None:
    image = platforms()
    with shaky() as source, shaky() as target:
        source.keep(image, "1")
        target.manifests = _ForgettingManifests(next(iter(image.manifests)))
        assert carry(source, target) == ["manifest 1"]
        for digest in image.manifests:
            assert target.manifests[digest] == image.manifests[digest]


@pytest.mark.parametrize("shown", [[], [404], [digest_of(b"another")], [403], [405], [""]])
def test_a_tag_that_shows_what_was_put_at_the_second_look_is_good(
    shown: list[int | str],
) -> None:
    with shaky() as source, shaky(Ways()) as target:
        source.keep(single(), "1")
        target.ways.shown = _AfterPut(target, shown)
        carry(source, target)
        assert not target.ways.shown


@pytest.mark.parametrize("shown", [404, digest_of(b"another")])
def test_a_tag_that_shows_something_else_in_the_end_is_a_mismatch(shown: int | str) -> None:
    with shaky() as source, shaky(Ways()) as target:
        source.keep(single(), "1")
        target.ways.shown = _AfterPut(target, [shown] * 2)
        with pytest.raises(ContentMismatch, match="does not show") as caught:
            carry(source, target)
        assert isinstance(caught.value, RegimportError)
        assert caught.value.exit_code == 7


class _Forgetting(dict[str, bytes]):
    """Blobs that are lost once, when the first manifest comes that names them."""

    def __init__(self, all_of_them: dict[str, bytes]) -> None:
        super().__init__()
        self._left = set(all_of_them)

    def __contains__(self, digest: object) -> bool:
        if digest in self._left:
            self._left.clear()
            self.clear()
        return super().__contains__(digest)


class _ForgettingManifests(dict[str, tuple[str, bytes]]):
    """Manifests of which one is lost once, when it is looked for."""

    def __init__(self, digest: str) -> None:
        super().__init__()
        self._digest = digest

    def __contains__(self, digest: object) -> bool:
        if digest == self._digest:
            self._digest = ""
            self.pop(str(digest), None)
        return super().__contains__(digest)


class _AfterPut(list[int | str]):
    """Answers that are given only once the tag has been put."""

    def __init__(self, target: Shaky, answers: list[int | str]) -> None:
        super().__init__(answers)
        self._target = target

    def __bool__(self) -> bool:
        return len(self) > 0 and "1" in self._target.manifests
