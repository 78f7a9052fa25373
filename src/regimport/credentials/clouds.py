"""The last place to look: the user's login at the cloud that the registry belongs to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import cast

from regimport.clouds.hosts import ECR_PUBLIC, ecr_host, is_azure, is_google
from regimport.clouds.login import CloudLogin, NoLogin, TemporaryCredential
from regimport.credentials.places import Looked, Outcome
from regimport.environment import own_variables_hidden
from regimport.network import host_name
from regimport.values import dataclass

__all__ = ["Clouds"]

# A wrong clock can make a new credential look expired: each is used for at least this many seconds.
_SHORTEST_LIFE = 60.0
# A credential is used for this part of its lifetime; then a new one is fetched.
_USABLE = 0.8


@dataclass(frozen=True, slots=True)
class _Cloud:
    """A cloud; `extra` is the name of the extra to install, and of the module that logs in."""

    name: str
    extra: str
    owns: Callable[[str], bool]


_CLOUDS = (
    _Cloud("Azure", "azure", is_azure),
    _Cloud("AWS", "aws", lambda host: host == ECR_PUBLIC or ecr_host(host) is not None),
    _Cloud("Google Cloud", "google", is_google),
)


class Clouds:
    """Asks the cloud that a registry belongs to, by its host name; no other cloud is asked."""

    name = "the cloud's own login"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[TemporaryCredential, float]] = {}

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:  # noqa: ARG002 - as in `Place`
        """Yield a temporary credential, if the user is logged in at the cloud."""
        host = host_name(registry)
        cloud = next((cloud for cloud in _CLOUDS if cloud.owns(host)), None)
        if cloud is None:
            detail = f"{registry} belongs to neither Azure, AWS nor Google"
            yield Looked(self.name, Outcome.NOTHING, detail)
            return
        try:
            found = self._credential(cloud, host, fresh=fresh)
        except ImportError:
            from regimport.installation import install_command  # noqa: PLC0415 - for a hint

            detail = (
                f"to use a login at {cloud.name} for {registry}: {install_command(cloud.extra)}"
            )
            yield Looked(self.name, Outcome.MISSING, detail)
            return
        except NoLogin as error:
            detail = f"the login at {cloud.name} cannot be used for {registry}: {error}"
            yield Looked(self.name, Outcome.FAILED, detail)
            return
        yield Looked(
            self.name,
            Outcome.USED,
            f"logged in at {cloud.name}",
            found.credential,
            life=found.seconds,
            implied=True,
        )

    def _credential(self, cloud: _Cloud, host: str, *, fresh: bool) -> TemporaryCredential:
        with self._lock:
            found, until = self._known.get(host, (None, 0.0))
            if fresh or found is None or time.monotonic() > until:
                # The libraries of clouds are large, and most copies need none of them.
                module = import_module(f"regimport.clouds.{cloud.extra}")
                with own_variables_hidden():
                    issued = cast("CloudLogin", module).get_credential(host)
                if (flaw := issued.credential.flaw) is not None:
                    raise NoLogin(flaw)
                found = TemporaryCredential(issued.credential, max(issued.seconds, _SHORTEST_LIFE))
                self._known[host] = found, time.monotonic() + found.seconds * _USABLE
            return found
