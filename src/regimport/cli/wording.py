"""The names of options, where an error that the library raises speaks of its parameters."""

from __future__ import annotations

import re

__all__ = ["with_options"]

# The parameters that are named in messages and hints, in backquotes.
_OPTIONS = {
    "attestations": "--no-attestations",
    "as_index": "--as-index",
    "create_repository": "--create-repository",
    "deadline": "--deadline",
    "jobs": "--jobs",
    "max_layer_size": "--max-layer-size",
    "max_manifests": "--max-manifests",
    "no_clobber": "--no-clobber",
    "plain_http": "--plain-http HOST",
    "platforms": "--platform",
}
_PARAMETER = re.compile(r"`([a-z_]+)`")


def with_options(text: str) -> str:
    """Return a message with the options of the command line in the place of parameters."""
    return _PARAMETER.sub(lambda match: _OPTIONS.get(match[1], match[0]), text)
