"""The public names: all are there, documented and typed, and every value can be pickled."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum

import httpx
import pytest

import regimport
from regimport import (
    AccessDenied,
    Action,
    ArchiveReference,
    BlobFinished,
    BlobStarted,
    BrokenTransfer,
    BytesMoved,
    Change,
    Checking,
    Comparison,
    ContentMismatch,
    CopyOptions,
    Credential,
    DeadlineExceeded,
    Deletion,
    Descriptor,
    Difference,
    Digest,
    Flaw,
    HistoryEntry,
    ImageConfig,
    ImageFinished,
    ImageReport,
    Inspection,
    Interrupted,
    InvalidConfig,
    InvalidManifest,
    InvalidOptions,
    InvalidReference,
    LayoutReference,
    LimitExceeded,
    Limits,
    Manifest,
    ManifestPut,
    ManifestUse,
    ManyReport,
    Network,
    Node,
    NotFound,
    OfImage,
    Part,
    Pin,
    Plan,
    Planned,
    Platform,
    RateLimit,
    RateLimited,
    ReadBack,
    ReadingManifests,
    Reference,
    Referrer,
    ReferrerNode,
    Referrers,
    ReferrersFound,
    ReferrerTree,
    RegimportError,
    RegistryError,
    RegistrySettings,
    Report,
    Resolved,
    Retrying,
    RetryPolicy,
    Side,
    Status,
    Step,
    Subset,
    TagExists,
    Tally,
    TargetReport,
    Timeouts,
    Tls,
    Unreachable,
    UsageError,
    Verification,
    Warned,
    events,
)
from regimport.models.mapping import FrozenMapping
from support.images import many_platforms

# What is no value: functions, what a caller implements, and the union of all events.
_FUNCTIONS = {
    "copy",
    "copy_many",
    "copy_tags",
    "delete",
    "diff",
    "diff_tags",
    "digest",
    "find_use",
    "inspect",
    "manifest",
    "repositories",
    "tags",
    "verify",
}
_NO_VALUES = _FUNCTIONS | {"Event", "Reporter", "__version__"}

_INDEX = "application/vnd.oci.image.index.v1+json"
_DIGEST = Digest.of(b"content")
_BLOB = Descriptor(
    "application/octet-stream",
    _DIGEST,
    7,
    Platform("linux", "arm64", "v8"),
    "application/vnd.example",
    FrozenMapping({"key": "value"}),
)
_LEAF = ReferrerNode(_DIGEST, _BLOB, "application/spdx+json", None, 9)
_REFERRER = Referrer(_DIGEST, _BLOB, "application/spdx+json", "sha256-0.sbom")
_PLAN = Plan((Step(_BLOB, Action.COPY),), (Step(_BLOB, Action.PRESENT),))
_SETTINGS = RegistrySettings(mirrors=("https://mirror.example",), request_rate=2.0)
_DIFFERENCE = Difference(Side.TARGET, Flaw.DIGEST, Part.LAYER, _DIGEST, _DIGEST, "other", _DIGEST)
_READ = ReadBack(Side.TARGET, "r.example/x", 1, 2, 3, 4, (_DIFFERENCE,))
_STEP = HistoryEntry(None, "RUN true", "", empty_layer=True)
_IMAGE = ImageConfig(user="nobody", labels=FrozenMapping({"a": "b"}), history=(_STEP,))
_NODE = Node(_BLOB, None, _BLOB, (_BLOB,), (), _IMAGE)
_LIMIT = RateLimit(100, 76, 21600, "192.0.2.1")


def _located(error: RegimportError) -> RegimportError:
    error.located(Side.SOURCE, "r.example/team/app").because("the helper failed")
    return error


def _rate_limited() -> RateLimited:
    error = RateLimited("wait", method="GET", url="https://r.example", status=429, codes=["X"])
    error.retry_after = 3.5
    return error


def _broken() -> BrokenTransfer:
    error = BrokenTransfer("broke", attempts=3, status=502)
    error.adapted = True
    return error


def _mismatch() -> ContentMismatch:
    error = ContentMismatch("other bytes", expected="a", got="b", hint="look")
    error.lasting = True
    return error


_TARGET = TargetReport(
    "r.example/x:1", "1", Status.FAILED, "r.example/x@d", Tally(1, 2), _mismatch(), _PLAN, _READ
)
_VALUES = [
    AccessDenied("no", method="GET", url="https://r.example", status=401, codes=["DENIED"]),
    Action.MOUNT,
    ArchiveReference("oci-archive", "x.tar", "tag", _DIGEST),
    BlobFinished(_BLOB, "copied", "r.example/x", Side.TARGET),
    BlobStarted(_BLOB, 3),
    _broken(),
    BytesMoved(_BLOB, 4),
    Checking(1, 2),
    _mismatch(),
    CopyOptions(
        jobs=3,
        plain_http=frozenset({"r.example"}),
        network=Network(registries={"r.example": _SETTINGS}),
        platforms=(Platform("linux", "amd64"),),
    ),
    Credential("user", "pw"),
    DeadlineExceeded(2.5),
    _BLOB,
    _DIFFERENCE,
    _DIGEST,
    Flaw.SIZE,
    Inspection(
        "r.example/x:1", _NODE, 1, 2, 3, 4, ("too large",), ReferrerTree((_LEAF,), complete=True)
    ),
    _LEAF,
    ReferrerTree((_LEAF,), complete=False),
    Interrupted(15),
    InvalidConfig("config", hint="mend it"),
    InvalidManifest("manifest"),
    InvalidOptions("options"),
    InvalidReference("reference"),
    LayoutReference("dir", "tag", _DIGEST),
    LimitExceeded(["layer a", "layer b"], hint="raise it"),
    Limits(max_manifests=None),
    Manifest.parse(many_platforms().raw, _INDEX),
    ManifestPut(_BLOB, "r.example/x", "1"),
    Network(registries={"r.example": _SETTINGS}, insecure=frozenset({"other.example"})),
    _NODE,
    NotFound("gone", status=404, digests=["d"]),
    Part.CONFIG,
    Pin.parse("r.example:443:192.0.2.1"),
    _PLAN,
    Planned(1, 2, 3),
    Platform("linux", "arm", "v7", "10.0"),
    _LIMIT,
    _rate_limited(),
    _READ,
    ReadingManifests(3),
    Reference("r.example", "x", "1", _DIGEST),
    _located(RegimportError("bad", hint="look")),
    RegistryError("refused", status=400),
    _REFERRER,
    Referrers((_REFERRER,), complete=False),
    ReferrersFound(2),
    _SETTINGS,
    Report("r.example/x@d", _BLOB, (_TARGET,), 1.5, rate_limit=_LIMIT),
    Resolved("r.example/x:1", _BLOB),
    RetryPolicy(attempts=2),
    Retrying(Side.SOURCE, "blob", "cause", 1, 5, 0.5),
    Side.SOURCE,
    Status.PLANNED,
    Step(_BLOB, Action.SKIP),
    Subset(_DIGEST, ("linux/arm64",), True, Manifest.parse(many_platforms().raw)),
    TagExists("there"),
    Tally(blobs_copied=1, bytes_copied=2),
    _TARGET,
    Timeouts(idle=3),
    Tls(ca_file="ca.pem"),
    Unreachable("away", attempts=4, status=503),
    UsageError("usage"),
    ManifestUse("r.example/x", "1", _DIGEST, ("1", "latest"), ("index",)),
    _STEP,
    _IMAGE,
    Change("linux/amd64", "label x", "1", None),
    Comparison("r.example/x@d", "r.example/y@d", (Change("", "tag 1", None, _DIGEST),)),
    Deletion("r.example/x", _DIGEST, ("1",), manifest=True),
    Verification("r.example/x@d", "t.example/x@d", _BLOB, (_READ,), 1.5),
    Warned("careful"),
    ImageFinished("copied", 1, 2),
    OfImage("r.example/x:1", Warned("careful")),
    ImageReport("r.example/x:1", ("s.example/x:1",), error=RegimportError("gone")),
    ManyReport((ImageReport("r.example/x:1", ("s.example/x:1",)),), 1.5),
]


def _kind(value: object) -> str:
    return type(value).__name__


@pytest.mark.parametrize("value", _VALUES, ids=_kind)
def test_a_value_that_was_pickled_comes_back_equal(value: object) -> None:
    back = pickle.loads(pickle.dumps(value))
    assert type(back) is type(value)
    assert back == value
    if isinstance(value, Exception) and isinstance(back, Exception):
        assert (str(back), back.args) == (str(value), value.args)
    assert not back != value  # noqa: SIM202 - both operators are the value's own
    if not isinstance(value, Enum | str):
        assert back is not value


def test_there_is_a_value_of_every_public_class() -> None:
    public = {name for name in regimport.__all__ if name not in _NO_VALUES}
    assert public == {_kind(value) for value in _VALUES}


def test_every_event_that_a_reporter_is_told_is_public() -> None:
    told = typing.get_args(events.Event)
    assert {event.__name__ for event in told} <= set(regimport.__all__)
    assert len(told) > 9


def test_errors_are_equal_by_what_they_say() -> None:
    assert NotFound("gone", status=404) == NotFound("gone", status=404)
    assert NotFound("gone", status=404) != NotFound("gone", status=410)
    assert NotFound("gone") != AccessDenied("gone")
    first, second = RegimportError("gone"), RegimportError("gone")
    assert len({first, second}) == 1
    second.located(Side.SOURCE, "r.example/x")
    assert first != second


def test_annotations_survive_being_pickled_and_stay_frozen() -> None:
    back = pickle.loads(pickle.dumps(_BLOB))
    assert (back.platform, back.artifact_type) == (_BLOB.platform, _BLOB.artifact_type)
    assert back.annotations == {"key": "value"}
    assert isinstance(back.annotations, FrozenMapping)


@pytest.mark.parametrize("name", sorted(regimport.__all__))
def test_every_public_name_is_documented(name: str) -> None:
    if name not in {"__version__", "Event"}:
        documented = getattr(regimport, name).__doc__
        assert documented
        # What a dataclass makes up for itself is no documentation.
        assert not documented.startswith(f"{name}(")


@pytest.mark.parametrize("name", sorted(set(regimport.__all__) - {"__version__", "Event"}))
def test_no_public_signature_has_any(name: str) -> None:
    for where, annotation in _annotations(getattr(regimport, name)):
        assert not _has_any(annotation), f"{name}.{where} is {annotation}"


def _annotations(public: object) -> Iterator[tuple[str, object]]:
    """Every annotation of a public function, or of a class, its fields and methods."""
    names = _namespace()
    if not isinstance(public, type):
        yield from typing.get_type_hints(public, localns=names).items()
        return
    if dataclasses.is_dataclass(public):
        yield from typing.get_type_hints(public, localns=names).items()
    for name, member in vars(public).items():
        function = member.fget if isinstance(member, property) else member
        function = function.__func__ if isinstance(function, classmethod) else function
        made = name == "__init__" and dataclasses.is_dataclass(public)
        if isinstance(function, types.FunctionType) and not (made or _is_generated(name)):
            for where, hint in typing.get_type_hints(function, localns=names).items():
                yield f"{name}.{where}", hint


def _namespace() -> Mapping[str, object]:
    """What stands under TYPE_CHECKING in our modules."""
    public = {name: getattr(regimport, name) for name in regimport.__all__}
    return {**public, "httpx": httpx}


def _is_generated(name: str) -> bool:
    return name.startswith("_") and name != "__init__"


def _has_any(annotation: object) -> bool:
    return annotation is typing.Any or any(map(_has_any, typing.get_args(annotation)))


def test_every_function_takes_the_same_keywords() -> None:
    common = {"options", "reporter", "transport"}
    for name in _FUNCTIONS:
        parameters = inspect.signature(getattr(regimport, name)).parameters
        assert common <= set(parameters)
        assert all(parameters[key].kind is inspect.Parameter.KEYWORD_ONLY for key in common)
