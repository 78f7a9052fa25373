"""The order in which credentials are looked for, for each side of a copy separately."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from regimport.credentials.clouds import Clouds
from regimport.credentials.dockerconfig import config_path, containers_paths
from regimport.credentials.places import File, Given, Helpers, Looked, Outcome, Place, Variable
from regimport.environment import environment
from regimport.errors import InvalidOptions, Side, UsageError
from regimport.models.credential import Credential
from regimport.network import host_name
from regimport.values import dataclass

__all__ = ["Explanation", "Keychain", "check_one_registry"]

# A credential is used for this part of its lifetime; then a new one is fetched.
_USABLE = 0.8
_FOREVER = float("inf")
# A credential that is refused within this many seconds of its renewal has not expired.
_SOON = 60.0


@dataclass(frozen=True, slots=True)
class _Known:
    """The results of a search for a repository, and until when they are valid."""

    looked: tuple[Looked, ...]
    until: float

    @property
    def credential(self) -> Credential | None:
        return self.looked[-1].credential if self.looked else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found at each place; `error` is what ended the search, if an error did."""

    looked: tuple[Looked, ...]
    error: UsageError | None

    @property
    def used(self) -> Looked | None:
        """The result whose credential is used, None for anonymous access."""
        return next((found for found in self.looked if found.credential is not None), None)


class Keychain:
    """Finds credentials: given ones, the environment's, those in files, or a cloud's.

    Given credentials, and those of the environment, are for all registries of their side. `warn`
    is called once with each problem. `authfile` is the file that the user named.
    """

    def __init__(
        self,
        given: Mapping[Side, Credential | None],
        warn: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
        authfile: str | None = None,
    ) -> None:
        environ = environment() if environ is None else environ
        self._warn = warn
        self._lock = threading.RLock()
        self._known: dict[tuple[Side, str, str], _Known] = {}
        self._warned: set[str] = set()
        self._renewed: dict[tuple[Side, str, str], float] = {}
        self._helpers = Helpers(environ)
        shared = (*_files(environ, authfile, self._helpers), Clouds())
        self._places: dict[Side, tuple[Place, ...]] = {
            side: (*_of_side(side, given.get(side), environ), *shared) for side in Side
        }

    def close(self) -> None:
        """Stop a credential helper that is still running."""
        self._helpers.stop.set()

    def find(self, side: Side, registry: str, repository: str) -> Credential | None:
        """Return the credential for a repository, None for anonymous access; raise `UsageError`."""
        known = self._find(side, registry, repository)
        for found in known.looked:
            self._warn_of(found)
        return known.credential

    def peek(self, side: Side, registry: str, repository: str) -> Credential | None:
        """Return what `find` does, and warn of nothing: the registry may not ask for it."""
        return self._find(side, registry, repository).credential

    def renew(
        self, side: Side, registry: str, repository: str, rejected: Credential
    ) -> Credential | None:
        """Return what to use instead of a credential that was refused.

        That is another one, or the same if there is no other. None if it is a cloud's login, which
        the user did not configure for this registry, and a new one was refused too.
        """
        key = (side, host_name(registry), repository)
        with self._lock:
            known = self._find(side, registry, repository)
            if known.credential != rejected:
                return known.credential
            if time.monotonic() > self._renewed.get(key, -_FOREVER) + _SOON:
                self._renewed[key] = time.monotonic()
                known = self._look(side, registry, repository, fresh=True)
                for found in known.looked:
                    self._warn_of(found)
            if known.credential == rejected and known.looked[-1].implied:
                *before, last = known.looked
                detail = f"{last.detail}, but {registry} refused that login"
                refused = Looked(last.place, Outcome.FAILED, detail)
                known = self._known[key] = _Known((*before, refused), _FOREVER)
            return known.credential

    def remark(self, side: Side, registry: str, repository: str) -> str | None:
        """Return why places had no credential that can be used, None if there was no problem."""
        known = self._known.get((side, host_name(registry), repository))
        bad = {Outcome.FAILED, Outcome.MISSING}
        problems = (
            [] if known is None else [found for found in known.looked if found.outcome in bad]
        )
        return "; ".join(found.warning or found.detail for found in problems) or None

    def check(self, side: Side, registry: str) -> None:
        """Raise `UsageError` if what the user named cannot be used or read."""
        for place in self._places[side]:
            if isinstance(place, Given):
                tuple(place.look(registry, "", fresh=False))
            elif isinstance(place, File):
                place.check()

    def explain(self, side: Side, registry: str, repository: str) -> Explanation:
        """Search as `find` does; return the result of each place, those not asked included."""
        looked: list[Looked] = []
        error: UsageError | None = None
        for place in self._places[side]:
            if error is not None or any(found.credential is not None for found in looked):
                looked.append(Looked(place.name, Outcome.NOT_ASKED, ""))
                continue
            try:
                for found in place.look(registry, repository, fresh=False):
                    looked.append(found)
                    self._warn_of(found)
                    if found.credential is not None:
                        break
            except UsageError as caught:
                error = caught
                looked.append(Looked(place.name, Outcome.FAILED, caught.message))
        return Explanation(tuple(looked), error)

    def _find(self, side: Side, registry: str, repository: str) -> _Known:
        known = self._known.get((side, host_name(registry), repository))
        if known is None or time.monotonic() > known.until:
            with self._lock:
                known = self._known.get((side, host_name(registry), repository))
                if known is None or time.monotonic() > known.until:
                    known = self._look(side, registry, repository, fresh=False)
        return known

    def _look(self, side: Side, registry: str, repository: str, *, fresh: bool) -> _Known:
        looked: list[Looked] = []
        for found in self._walk(side, registry, repository, fresh=fresh):
            looked.append(found)
            if found.credential is not None:
                break
        life = looked[-1].life if looked else 0.0
        known = _Known(tuple(looked), time.monotonic() + life * _USABLE)
        self._known[side, host_name(registry), repository] = known
        return known

    def _warn_of(self, looked: Looked) -> None:
        if looked.warning is not None and looked.warning not in self._warned:
            self._warned.add(looked.warning)
            self._warn(looked.warning)

    def _walk(self, side: Side, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:
        for place in self._places[side]:
            yield from place.look(registry, repository, fresh=fresh)


def check_one_registry(
    side: Side, registries: Iterable[str], given: Credential | None, environ: Mapping[str, str]
) -> None:
    """Raise `InvalidOptions` where one given password would be sent to several registries.

    It is that of one of them, and the others must not see it.
    """
    names = sorted({host_name(registry) for registry in registries})
    prefix = f"REGIMPORT_{side.upper()}_"
    if len(names) > 1 and (given or _from_environment(environ, prefix)):
        raise InvalidOptions(
            f"the password for the {side}s is for one registry, but they are at {len(names)}: "
            + ", ".join(names),
            hint="nothing was sent; copy to each registry with a command of its own, or log in "
            "to each with `regimport login`",
        )


def _of_side(side: Side, given: Credential | None, environ: Mapping[str, str]) -> tuple[Place, ...]:
    prefix = f"REGIMPORT_{side.upper()}_"
    found = None if given else _from_environment(environ, prefix)
    return (
        Given(f"--{side}-username", given, "not given"),
        Given(f"${prefix}USERNAME", found, "not set"),
    )


def _from_environment(environ: Mapping[str, str], prefix: str) -> Credential | None:
    username, password = environ.get(f"{prefix}USERNAME"), environ.get(f"{prefix}PASSWORD")
    if not username and not password:
        return None
    if not password:
        raise InvalidOptions(
            f"{prefix}PASSWORD is not set",
            hint=f"set {prefix}USERNAME and {prefix}PASSWORD together, or neither",
        )
    return Credential(username or "", password)


def _files(environ: Mapping[str, str], authfile: str | None, helpers: Helpers) -> Iterator[Place]:
    named = authfile or environ.get("REGISTRY_AUTH_FILE")
    if named:
        name = "--authfile" if authfile else "$REGISTRY_AUTH_FILE"
        yield File(f"{name} ({named})", Path(named), helpers, required=True)
    # Docker and GitLab's runner read it before any file, too.
    if content := environ.get("DOCKER_AUTH_CONFIG", "").strip():
        yield Variable("DOCKER_AUTH_CONFIG", content, helpers)
    docker = config_path(environ)
    if docker is not None:
        yield File(str(docker), docker, helpers, named=bool(environ.get("DOCKER_CONFIG")))
    for path in containers_paths(environ):
        yield File(str(path), path, helpers)
