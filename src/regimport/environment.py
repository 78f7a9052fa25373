"""The variables that are for this program alone, which no other program is given."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["environment", "is_own", "own_variables_hidden"]

# Held while the variables are away, so that nobody takes them for variables that are not set.
_LOCK = threading.RLock()


def is_own(name: str) -> bool:
    """Whether a variable is regimport's, or has all credentials of a CI job."""
    return name.startswith("REGIMPORT_") or name == "DOCKER_AUTH_CONFIG"


def environment() -> Mapping[str, str]:
    """Return the variables as they are now, those that are hidden from others among them."""
    with _LOCK:
        return dict(os.environ)


@contextmanager
def own_variables_hidden() -> Iterator[None]:
    """Take regimport's variables out of the environment that programs inherit.

    That is for libraries which start programs themselves: azure-identity starts `az`, google-auth
    `gcloud`, and boto3 the `credential_process` of a profile.
    """
    with _LOCK:
        own = {name: os.environ.pop(name) for name in tuple(os.environ) if is_own(name)}
        try:
            yield
        finally:
            os.environ.update(own)
