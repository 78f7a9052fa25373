"""The places where credentials are looked for, and what was found there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from regimport.clouds.hosts import is_azure
from regimport.credentials.dockerconfig import DockerConfig, load
from regimport.credentials.helper import BrokenHelper, Helper
from regimport.errors import InvalidConfig, InvalidOptions
from regimport.models.credential import ANYBODY, Credential
from regimport.network import host_name

__all__ = ["File", "Given", "Helpers", "Looked", "Outcome", "Place"]

_FOREVER = float("inf")


class Outcome(StrEnum):
    """What came of looking at a place."""

    USED = "used"
    NOTHING = "nothing"
    FAILED = "failed"
    MISSING = "not installed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at one place.

    `detail` says it in words; `warning` is what the user should know even if all goes well;
    `life` is for how many seconds the credential is good; `implied` that nobody set it up for the
    registry in question.
    """

    place: str
    outcome: Outcome
    detail: str
    credential: Credential | None = field(default=None, repr=False)
    warning: str | None = None
    life: float = _FOREVER
    implied: bool = False


class Place(Protocol):
    """Where credentials may be."""

    @property
    def name(self) -> str:
        """What a user calls the place."""

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:
        """Tell what is there for a repository, up to a credential; `fresh`: not from memory."""


@dataclass(frozen=True, slots=True)
class Given:
    """A credential that was named for one side; `absent` says why there is none."""

    name: str
    credential: Credential | None
    absent: str

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:  # noqa: ARG002 - as in `Place`
        """Give it, whatever the registry: it is for those of its side.

        A password alone is an access token, which only Azure's registries take; raises
        `InvalidOptions` for another.
        """
        credential = self.credential
        if credential is None:
            yield Looked(self.name, Outcome.NOTHING, self.absent)
            return
        if not credential.username and credential.password:
            if not is_azure(registry):
                raise InvalidOptions(
                    f"there is a password for {registry}, and no user name",
                    hint="give the user name too, as the option or the variable beside the "
                    "password's; only Azure's registries take an access token alone",
                )
            token = credential.password
            credential = Credential(ANYBODY, token, entra_token=token)
        yield Looked(self.name, Outcome.USED, "for all registries of this side", credential)


class Helpers:
    """Runs credential helpers, once for each registry as long as their answer is not refused.

    `stop` ends the one that runs.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], Credential | BrokenHelper | None] = {}
        self.stop = threading.Event()

    def get(self, name: str, registry: str, *, fresh: bool) -> Credential | None:
        """Give what a helper keeps for a registry, None if nothing; raises `BrokenHelper`."""
        key = (name, host_name(registry))
        with self._lock:
            if fresh or key not in self._answers:
                try:
                    self._answers[key] = Helper(name, self._environ, stop=self.stop).get(registry)
                except BrokenHelper as error:
                    self._answers[key] = error
            answer = self._answers[key]
        if isinstance(answer, BrokenHelper):
            raise answer
        return answer


class File:
    """Docker's config.json or podman's auth.json, with the helpers that it names.

    `required` says that the user named the file, so that it must be there.
    """

    def __init__(self, name: str, path: Path, helpers: Helpers, *, required: bool = False) -> None:
        self.name = name
        self._path = path
        self._helpers = helpers
        self._required = required
        self._lock = threading.Lock()
        self._loaded: Callable[[], DockerConfig | None] | None = None

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:
        """Ask the registry's helper, or the one for all and then the entries; `InvalidConfig`.

        A registry that has a helper of its own has no entry: Docker keeps none for it.
        """
        config = self._config()
        if config is None:
            yield Looked(self.name, Outcome.NOTHING, "there is no such file")
            return
        own = config.helper(registry)
        helper = own or config.store
        if helper is not None:
            yield self._ask(helper, registry, fresh=fresh)
        if own is None:
            yield self._entry(config, registry, repository)

    def check(self) -> None:
        """Raise `InvalidConfig` if the user named the file, and it cannot be read."""
        if self._required:
            self._config()

    def _ask(self, helper: str, registry: str, *, fresh: bool) -> Looked:
        what = f"credential helper {helper!r}"
        try:
            found = self._helpers.get(helper, registry, fresh=fresh)
        except BrokenHelper as error:
            warning = f"the {what} of {self._path} is of no use for {registry}: {error}"
            return Looked(self.name, Outcome.FAILED, f"{what}: {error}", warning=warning)
        if found is None:
            return Looked(self.name, Outcome.NOTHING, f"{what} keeps nothing for {registry}")
        return Looked(self.name, Outcome.USED, what, found)

    def _entry(self, config: DockerConfig, registry: str, repository: str) -> Looked:
        entry = config.entry(registry, repository)
        if entry is None:
            return Looked(self.name, Outcome.NOTHING, f"no entry for {registry}/{repository}")
        warning = None
        if config.exposed:
            warning = f"{self._path} holds secrets, and others may read it: chmod 600 it"
        detail = f"entry {entry.key!r}"
        return Looked(self.name, Outcome.USED, detail, entry.credential, warning)

    def _config(self) -> DockerConfig | None:
        with self._lock:
            if self._loaded is None:
                config = load(self._path)
                self._loaded = lambda: config
            config = self._loaded()
        if config is None and self._required:
            raise InvalidConfig(
                f"{self.name} names {self._path}, which is not there",
                hint="check the path, or write it with `regimport login --authfile FILE REGISTRY`",
            )
        return config
