"""The place of last resort: the login that a user has at the cloud whose registry it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from regimport.clouds.hosts import ECR_PUBLIC, ecr_host, is_azure, is_google
from regimport.clouds.lease import CloudLogin, Lease, NoLogin
from regimport.credentials.places import Looked, Outcome
from regimport.network import host_name

__all__ = ["Clouds"]

# A clock that is wrong may make any lease look over; one is good for this long in any case.
_SHORTEST_LIFE = 60.0
# The part of its life in which a lease is given out again.
_USABLE = 0.8


@dataclass(frozen=True, slots=True)
class _Cloud:
    """A cloud; `extra` names what is to be installed for it, and the module that logs in."""

    name: str
    extra: str
    owns: Callable[[str], bool]


_CLOUDS = (
    _Cloud("Azure", "azure", is_azure),
    _Cloud("AWS", "aws", lambda host: host == ECR_PUBLIC or ecr_host(host) is not None),
    _Cloud("Google Cloud", "google", is_google),
)


class Clouds:
    """Asks the cloud that a registry belongs to, by its host name; others are never asked."""

    name = "the cloud's own login"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, tuple[Lease, float]] = {}

    def look(self, registry: str, repository: str, *, fresh: bool) -> Iterator[Looked]:  # noqa: ARG002 - as in `Place`
        """Give a credential that lasts for a while, if somebody is logged in at the cloud."""
        host = host_name(registry)
        cloud = next((cloud for cloud in _CLOUDS if cloud.owns(host)), None)
        if cloud is None:
            detail = f"{registry} is none of Azure's, AWS's or Google's"
            yield Looked(self.name, Outcome.NOTHING, detail)
            return
        try:
            lease = self._lease(cloud, host, fresh=fresh)
        except ImportError:
            detail = (
                f"to enter {registry} as who is logged in at {cloud.name}: "
                f"pip install 'regimport[{cloud.extra}]'"
            )
            yield Looked(self.name, Outcome.MISSING, detail)
            return
        except NoLogin as error:
            detail = f"the login at {cloud.name} is of no use for {registry}: {error}"
            yield Looked(self.name, Outcome.FAILED, detail)
            return
        yield Looked(
            self.name,
            Outcome.USED,
            f"logged in at {cloud.name}",
            lease.credential,
            life=lease.seconds,
            implied=True,
        )

    def _lease(self, cloud: _Cloud, host: str, *, fresh: bool) -> Lease:
        with self._lock:
            lease, until = self._leases.get(host, (None, 0.0))
            if fresh or lease is None or time.monotonic() > until:
                # The libraries of clouds are large, and most copies need none of them.
                module = import_module(f"regimport.clouds.{cloud.extra}")
                given = cast("CloudLogin", module).lease(host)
                lease = Lease(given.credential, max(given.seconds, _SHORTEST_LIFE))
                self._leases[host] = lease, time.monotonic() + lease.seconds * _USABLE
            return lease
