"""Creates repositories at registries that do not create them when something is pushed: ECR."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from regimport.clouds.hosts import ECR_PUBLIC, ecr_host
from regimport.errors import InvalidOptions
from regimport.installation import install_command

__all__ = ["creation_of"]


def creation_of(registry: str, repository: str) -> Callable[[], object] | None:
    """Return a function that creates a repository in ECR, None for any other registry.

    Raise `InvalidOptions` without the library of AWS.
    """
    if registry != ECR_PUBLIC and ecr_host(registry) is None:
        return None
    try:
        # Imported for a registry of AWS: the library is large.
        from regimport.clouds.aws import create_repository  # noqa: PLC0415
    except ImportError as error:
        raise InvalidOptions(
            f"to create a repository at {registry}, the library of AWS is needed",
            hint=install_command("aws"),
        ) from error
    return partial(create_repository, registry, repository)
