"""Manifests whose parts a target turns out not to have, and tags that show something else."""

from __future__ import annotations

import pytest

from regimport import ContentMismatch, CopyOptions, RegimportError, RegistryError, copy
from regimport.engine.workers import Workers
from regimport.events import Event, Retrying, Warned
from registry.conftest import IMPATIENT
from support.images import OCI_CONFIG, OCI_INDEX, Image, digest_of, single
from support.shaky import Shaky, Ways, shaky


class Told:
    """Keeps the retries and the warnings."""

    def __init__(self) -> None:
        self.retries: list[str] = []
        self.warnings: list[str] = []

    def tell(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self.retries.append(event.what)
        if isinstance(event, Warned):
            self.warnings.append(event.message)


def carry(source: Shaky, target: Shaky, tag: str = "1") -> list[str]:
    """Copy an image; return what was tried again."""
    return carried(source, target, tag).retries


def carried(source: Shaky, target: Shaky, tag: str = "1") -> Told:
    """Copy an image; return what was told."""
    told = Told()
    ends = (f"{source.address}/app:1", f"{target.address}/app:{tag}")
    copy(*ends, options=CopyOptions(retry=IMPATIENT, jobs=2), reporter=told)
    return told


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, in seconds; none is made."""
    asked: list[float] = []

    def pause(_: Workers, seconds: float) -> None:
        if seconds:
            asked.append(seconds)

    monkeypatch.setattr(Workers, "pause", pause)
    return asked


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


@pytest.mark.parametrize("shown", [[], [403], [405], [""]])
def test_a_tag_that_shows_what_was_put_or_cannot_be_read_is_good_at_once(
    shown: list[int | str], pauses: list[float]
) -> None:
    with shaky() as source, shaky(Ways()) as target:
        source.keep(single(), "1")
        target.ways.shown = _AfterPut(target, shown)
        carry(source, target)
        assert not target.ways.shown
    assert pauses == []


@pytest.mark.parametrize("shown", [404, digest_of(b"another")])
@pytest.mark.parametrize("looks", [1, 3, 5])
def test_a_tag_that_shows_late_is_good(shown: int | str, looks: int, pauses: list[float]) -> None:
    with shaky() as source, shaky(Ways()) as target:
        source.keep(single(), "1")
        target.ways.shown = _AfterPut(target, [shown] * looks)
        assert carried(source, target).warnings == []
        assert not target.ways.shown
    assert pauses == [0.5, 1.0, 1.5, 3.0, 4.0][:looks]


def test_a_tag_that_is_not_visible_yet_is_a_warning_if_its_digest_is_there(
    pauses: list[float],
) -> None:
    image = single()
    with shaky() as source, shaky(Ways()) as target:
        source.keep(image, "1")
        # Six looks, and one for the digest that the tag has.
        target.ways.shown = _AfterPut(target, [404] * 7)
        (warning,) = carried(source, target).warnings
        assert warning == (
            f"{target.address}/app has stored {image.root}, but its tag 1 is not visible yet, "
            "10 s after it was set"
        )
    assert sum(pauses) == 10
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("shown", [[404] * 8, [digest_of(b"another")] * 7])
def test_a_tag_that_shows_something_else_in_the_end_is_a_mismatch(shown: list[int | str]) -> None:
    """Another manifest is one, and so is none where the digest is not there either."""
    with shaky() as source, shaky(Ways()) as target:
        source.keep(single(), "1")
        target.ways.shown = _AfterPut(target, shown)
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
