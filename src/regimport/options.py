"""The settings of a copy, as frozen values with their defaults beside them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from regimport.errors import InvalidOptions
from regimport.models.credential import Credential
from regimport.models.platform import Platform, Selection
from regimport.network import Network
from regimport.values import dataclass, field

__all__ = [
    "ALL_REFERRERS",
    "MAX_LAYER_SIZE",
    "MAX_MANIFESTS",
    "CopyOptions",
    "ForeignLayers",
    "Limits",
    "RetryPolicy",
    "Timeouts",
    "check_kinds",
]

# The documented limits of Azure's `az acr import`.
MAX_MANIFESTS = 50
MAX_LAYER_SIZE = 2 * 1024**3
ForeignLayers: TypeAlias = Literal["auto", "skip", "copy"]
# In the place of the artifact types of referrers: every one of them.
ALL_REFERRERS = "all"
# A media type (RFC 6838, section 4.2).
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
# The longest wait for anything, in seconds: a week.
_LONGEST = 7 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits for an image; None means no limit.

    `max_manifests` counts the manifests that the source's index names, nested ones included;
    `max_layer_size` is in bytes and applies to every layer of every platform.
    """

    max_manifests: int | None = MAX_MANIFESTS
    max_layer_size: int | None = MAX_LAYER_SIZE

    def __post_init__(self) -> None:
        _check_types(self, optional=("max_manifests", "max_layer_size"), whole=True)
        for name in ("max_manifests", "max_layer_size"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidOptions(f"{name} must not be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how soon a failed request is retried; times in seconds.

    `max_wait` is the longest `Retry-After` that is waited for: if a registry asks for more, the
    copy ends as rate limited.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 30.0
    max_wait: float = 300.0

    def __post_init__(self) -> None:
        _check_types(self, "attempts", whole=True)
        _check_types(self, "first_delay", "longest_delay", "max_wait")
        if self.attempts < 1:
            raise InvalidOptions("a request needs at least one attempt")
        if min(self.first_delay, self.longest_delay, self.max_wait) < 0:
            raise InvalidOptions("a delay must not be negative")

    def delay(self, attempt: int, retry_after: float | None = None, jitter: float = 1.0) -> float:
        """Return the seconds to wait after failed attempt number `attempt`, counted from 1.

        It is at least `retry_after`. `jitter`, from 0 to 1, spreads clients that failed at the
        same time.
        """
        backoff = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 30)) * jitter
        return backoff if retry_after is None else max(backoff, retry_after)

    def random_delay(self, attempt: int, retry_after: float | None = None) -> float:
        """Return `delay` with a random jitter, so that clients that failed together spread out."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return self.delay(attempt, retry_after, jitter)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long to wait for a peer, in seconds; a transfer in which bytes move never times out.

    `connect` bounds the wait for a connection, `idle` for the next bytes in either direction,
    `answer` for the answer once a whole body has been sent.
    """

    connect: float = 10.0
    idle: float = 60.0
    answer: float = 300.0

    def __post_init__(self) -> None:
        _check_types(self, "connect", "idle", "answer")
        if not all(0 < time <= _LONGEST for time in (self.connect, self.idle, self.answer)):
            raise InvalidOptions("a timeout must be more than 0 seconds, and at most a week")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyOptions:
    """All settings of a copy.

    `jobs` is how many blobs and manifests are transferred at once; None chooses by the measured
    round trip. `no_clobber` never moves an existing target tag. `dry_run` stops after the plan.
    `plain_http` are the registries (`host` or `host:port`) that are reached without TLS, besides
    loopback addresses. `transport` is what carries the requests: regimport's pooled connections,
    or httpx's own transport, to find out which of two a fault belongs to. `authfile` is a
    credentials file in the form of podman's auth.json, which is searched before those of Docker
    and podman. `create_repository` creates a missing target repository in AWS, where a push does
    not. `network` is how registries are reached. `verify` reads back what was written.
    `limit_rate` is the most bytes to read in a second, over all transfers; None means no limit.
    `deadline` is how long the whole run may take, in seconds; None means no limit. `platforms` are
    those to copy, verify or inspect; empty means all; texts such as `linux/arm64` are read with
    `Platform.parse`, several of them with commas between. One platform is its manifest alone, with
    `as_index` a new index; several are a new index, with their attestations unless `attestations`
    is false, which leaves out those of all platforms, too. `cache` is whether manifests are kept
    for later runs, and taken from earlier ones.
    `referrers` are the signatures, SBOMs and
    attestations that come along with an image: "all", "none", or those of some artifact types; None
    copies none, and tells a reporter once what is left behind. `foreign_layers` is which layers
    that must not be distributed are copied: "auto" those that the source serves, "skip" none,
    "copy" all, if need be from the URLs that the image has for them. `repair` looks at everything
    that a target has of the image, and sends what is missing or wrong. `backup` is the tag that
    keeps the old image of a tag that moves, with the fields `{tag}`, `{date}`, `{time}` (UTC) and
    `{digest}`: `{tag}-{date}`; None keeps none.

    Raise `InvalidOptions` for a value of another type, or out of range.
    """

    limits: Limits = field(default_factory=Limits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    jobs: int | None = None
    no_clobber: bool = False
    dry_run: bool = False
    plain_http: frozenset[str] = frozenset()
    transport: Literal["pooled", "httpx"] = "pooled"
    authfile: str | None = None
    create_repository: bool = False
    network: Network = field(default_factory=Network)
    verify: bool = False
    limit_rate: float | None = None
    deadline: float | None = None
    platforms: tuple[Platform, ...] = ()
    as_index: bool = False
    attestations: bool = True
    cache: bool = True
    referrers: tuple[str, ...] | None = None
    foreign_layers: ForeignLayers = "auto"
    repair: bool = False
    backup: str | None = None

    def __post_init__(self) -> None:
        _check_types(self, optional=("limit_rate", "deadline"))
        for name, kind in _KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidOptions(
                    f"{name} must be of type {kind.__name__}, not {getattr(self, name)!r}"
                )
        if self.jobs is not None and (type(self.jobs) is not int or not 1 <= self.jobs <= 256):
            raise InvalidOptions(f"jobs must be from 1 to 256, not {self.jobs!r}")
        if self.limit_rate is not None and self.limit_rate < 1:
            raise InvalidOptions("limit_rate must be at least one byte a second")
        if self.deadline is not None and not 0 < self.deadline <= _LONGEST:
            raise InvalidOptions("a deadline must be more than 0 seconds, and at most a week")
        if isinstance(self.plain_http, str):
            raise InvalidOptions(
                f"plain_http must be a set of registries, not the string {self.plain_http!r}",
                hint=f"write plain_http=frozenset({{{self.plain_http!r}}})",
            )
        if self.foreign_layers not in get_args(ForeignLayers):
            raise InvalidOptions(
                f"foreign_layers must be auto, skip or copy, not {self.foreign_layers!r}"
            )
        object.__setattr__(self, "platforms", _platforms(self.platforms))
        object.__setattr__(self, "referrers", _referrers(self.referrers))
        if self.backup is not None:
            from regimport.models.backup import check_template  # noqa: PLC0415 - most have none

            check_template(self.backup)
        if self.as_index and not self.platforms:
            raise InvalidOptions(
                "`as_index` makes an index of one platform, and none is named",
                hint="name it with `platforms`; without it, the whole index is copied",
            )

    @property
    def selection(self) -> Selection:
        """The part of the image that is wanted."""
        platforms = tuple(dict.fromkeys(self.platforms))
        return Selection(platforms, as_index=self.as_index, attestations=self.attestations)


# The fields of `CopyOptions` that are of one type.
_KINDS: Mapping[str, type] = {
    "limits": Limits,
    "retry": RetryPolicy,
    "timeouts": Timeouts,
    "network": Network,
    "no_clobber": bool,
    "dry_run": bool,
    "create_repository": bool,
    "verify": bool,
    "repair": bool,
    "as_index": bool,
    "attestations": bool,
    "cache": bool,
}


def _check_types(
    options: object, *names: str, optional: tuple[str, ...] = (), whole: bool = False
) -> None:
    """Raise `InvalidOptions` unless each of the named fields is a number, or None if `optional`."""
    wanted = int if whole else (int, float)
    for name in (*names, *optional):
        value = getattr(options, name)
        if value is None and name in optional:
            continue
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise InvalidOptions(
                f"{name} must be a number, not {value!r}",
                hint="a time is in seconds, a size in bytes, and a rate in bytes per second",
            )


def _platforms(given: Platform | str | Iterable[Platform | str]) -> tuple[Platform, ...]:
    """Return platforms, of which callers who check no types may give texts, or one alone."""
    if not isinstance(given, (str, Platform, Iterable)):
        raise InvalidOptions(f"platforms must be a tuple of platforms, not {given!r}")
    several = [given] if isinstance(given, (str, Platform)) else list(given)
    found: list[Platform] = []
    for platform in several:
        if isinstance(platform, str):
            found += map(Platform.parse, platform.split(","))
        elif isinstance(platform, Platform):
            found.append(platform)
        else:
            raise InvalidOptions(f"a platform must be a Platform or a string, not {platform!r}")
    return tuple(found)


def _referrers(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the artifact types of the referrers to copy: none, all of them, or some."""
    if given is None:
        return None
    types = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    if types == ("none",):
        return ()
    for kind in types:
        alone = kind == ALL_REFERRERS and len(types) == 1
        if not alone and _TYPE.fullmatch(str(kind)) is None:
            raise InvalidOptions(
                f"invalid `referrers` {kind!r}: write all, none, or artifact types",
                hint="an artifact type is a media type, such as application/spdx+json",
            )
    return types


def check_kinds(
    options: object, reporter: object, credentials: Iterable[object], stop: object
) -> None:
    """Raise `InvalidOptions` for a value of another type, which is not shown: it may be secret."""
    if not isinstance(options, CopyOptions):
        raise _other_type("options", "CopyOptions", options)
    if not hasattr(reporter, "tell"):
        raise _other_type("reporter", "a Reporter, with a method `tell`", reporter)
    if not (stop is None or hasattr(stop, "is_set")):
        raise _other_type("stop", "a threading.Event", stop)
    for credential in credentials:
        if not (credential is None or isinstance(credential, Credential)):
            raise _other_type("a credential", "a Credential", credential)


def _other_type(name: str, wanted: str, value: object) -> InvalidOptions:
    return InvalidOptions(f"{name} must be {wanted}, not of type {type(value).__name__}")
