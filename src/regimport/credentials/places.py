"""The places where credentials are looked for, and what was found there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from regimport.clouds.hosts import is_azure
from regimport.credentials.dockerconfig import DockerConfig, load
from regimport.credentials.helper import BrokenHelper, Helper
from regimport.errors import InvalidConfig, InvalidOptions
from regimport.models.credential import ANYBODY, Credential
from regimport.network import host_name
from regimport.values import dataclass, field

__all__ = ["File", "Given", "Helpers", "Looked", "Outcome", "Place", "Variable"]

_FOREVER = float("inf")


class Outcome(StrEnum):
    """The result of looking at a place."""

    USED = "used"
    NOTHING = "nothing"
    FAILED = "failed"
    MISSING = "not installed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at one place.

    `detail` is the same in words; `warning` is for the user, even if the copy succeeds; `life` is
    for how many seconds the credential is valid; `implied` is whether the user never configured it
    for this registry.
    """

    place: str
    outcome: Outcome
    detail: str
    credential: Credential | None = field(default=None, repr=False)
    warning: str | None = None
    life: float = _FOREVER
    implied: bool = False


class Place(Protocol):
    """A place where credentials may be found."""

    @property
    def name(self) -> str:
        """The name of the place in messages."""

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:
        """Yield what is found for a repository, a credential last; `fresh` bypasses caches."""


@dataclass(frozen=True, slots=True)
class Given:
    """A credential that the user gave for one side; `absent` says why there is none."""

    name: str
    credential: Credential | None
    absent: str

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:  # noqa: ARG002 - as in `Place`
        """Yield the credential: it is for every registry of its side.

        A password alone is an access token, which only Azure's registries accept. Raise
        `InvalidOptions` for another registry, and for a credential that cannot be sent.
        """
        credential = self.credential
        if credential is None:
            yield Looked(self.name, Outcome.NOTHING, self.absent)
            return
        if not credential.username and credential.password:
            if not is_azure(registry):
                raise InvalidOptions(
                    f"there is a password for {registry}, but no user name",
                    hint="give the user name too, with the option or variable that belongs to the "
                    "password's; only Azure's registries accept an access token alone",
                )
            token = credential.password
            credential = Credential(ANYBODY, token, entra_token=token)
        if (flaw := credential.flaw) is not None:
            raise InvalidOptions(
                f"the credentials for {registry} from {self.name} cannot be used: {flaw}",
                hint="check the user name and the password; a file or a variable with a password "
                "must contain nothing else",
            )
        yield Looked(self.name, Outcome.USED, "for all registries of this side", credential)


class Helpers:
    """Runs credential helpers, once for each registry unless a new answer is asked for.

    `stop` ends the helper that is running.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], Credential | BrokenHelper | None] = {}
        self.stop = threading.Event()

    def get(self, name: str, registry: str, *, fresh: bool) -> Credential | None:
        """Return a helper's credential for a registry, None if none, or raise `BrokenHelper`."""
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

    `named` is whether the user named the place, which then must be readable: any other file that
    cannot be reached is skipped. `required` is whether the file must exist, too.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        helpers: Helpers,
        *,
        named: bool = False,
        required: bool = False,
    ) -> None:
        self.name = name
        self._path = path
        self._helpers = helpers
        self._named = named or required
        self._required = required
        self._lock = threading.Lock()
        self._loaded: Callable[[], DockerConfig | None] | None = None

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:
        """Yield what the registry's own helper has, or else the common helper and the entries.

        If a registry has its own helper, Docker stores no entry for it. Raise `InvalidConfig`.
        """
        try:
            config = self._config()
        except InvalidConfig as error:
            if self._named or not isinstance(error.__cause__, OSError):
                raise
            # A home of another user, for example, under sudo or in a container.
            warning = f"{error.message}; credentials in it are not used"
            yield Looked(self.name, Outcome.FAILED, error.message, warning=warning)
            return
        if config is None:
            yield Looked(self.name, Outcome.NOTHING, "there is no such file")
            return
        own = config.helper(registry)
        helper = own or config.store
        if helper is not None:
            yield self._ask(config, helper, registry, fresh=fresh)
        if own is None:
            yield self._entry(config, registry, repository)

    def check(self) -> None:
        """Raise `InvalidConfig` if the user named the file, and it cannot be read."""
        if self._named:
            self._config()

    def _ask(self, config: DockerConfig, helper: str, registry: str, *, fresh: bool) -> Looked:
        what = f"credential helper {helper!r}"
        try:
            found = self._helpers.get(helper, registry, fresh=fresh)
        except BrokenHelper as error:
            warning = f"the {what} of {config.where} cannot be used for {registry}: {error}"
            return Looked(self.name, Outcome.FAILED, f"{what}: {error}", warning=warning)
        if found is None:
            return Looked(self.name, Outcome.NOTHING, f"{what} has nothing for {registry}")
        return Looked(self.name, Outcome.USED, what, found)

    def _entry(self, config: DockerConfig, registry: str, repository: str) -> Looked:
        entry = config.entry(registry, repository)
        if entry is None:
            return Looked(self.name, Outcome.NOTHING, f"no entry for {registry}/{repository}")
        if (flaw := entry.credential.flaw) is not None:
            raise InvalidConfig(
                f"the entry {entry.key!r} in {config.where} cannot be used: {flaw}",
                hint=f"log in again: regimport login {registry}",
            )
        warning = None
        if config.exposed:
            warning = f"{config.where} contains secrets that other users may read: chmod 600 it"
        detail = f"entry {entry.key!r}"
        return Looked(self.name, Outcome.USED, detail, entry.credential, warning)

    def _load(self) -> DockerConfig | None:
        return load(self._path)

    def _config(self) -> DockerConfig | None:
        with self._lock:
            if self._loaded is None:
                config = self._load()
                self._loaded = lambda: config
            config = self._loaded()
        if config is None and self._required:
            raise InvalidConfig(
                f"{self.name.partition(' (')[0]} names {self._path}, which does not exist",
                hint="check the path, or create it with `regimport login --authfile FILE REGISTRY`",
            )
        return config


class Variable(File):
    """The content of a config.json in an environment variable, as CI services set it."""

    def __init__(self, name: str, content: str, helpers: Helpers) -> None:
        super().__init__(f"${name}", Path(name), helpers, named=True)
        self._content = content

    def _load(self) -> DockerConfig:
        return DockerConfig.parse(self._content, self.name)
