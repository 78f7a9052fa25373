"""The names in JSON documents that several tools read, each in its own way.

A Go program takes the last of several members whose names are equal, and also one whose name
differs from the field of the specification in case alone: `LAYERS` after `layers` would be the
layers to it, and unknown to everybody else (the family of CVE-2021-41190).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from regimport.errors import InvalidManifest
from regimport.redact import safe_text

__all__ = ["DESCRIPTOR", "MANIFEST", "PLATFORM", "Members", "check_names", "valid_text"]

# OCI image specification, manifest.md, image-index.md and descriptor.md; `blobs` is of the
# artifact manifests before 1.1, the last of a descriptor's platform of Docker's manifest lists.
MANIFEST = frozenset(
    {
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "blobs",
        "manifests",
        "subject",
        "annotations",
    }
)
DESCRIPTOR = frozenset(
    {
        "mediaType",
        "digest",
        "size",
        "urls",
        "annotations",
        "data",
        "artifactType",
        "platform",
    }
)
PLATFORM = frozenset({"architecture", "os", "os.version", "os.features", "variant", "features"})


class Members(dict[str, object]):
    """A JSON object in which a name occurs twice; `twice` is that name."""

    def __init__(self, pairs: list[tuple[str, object]], twice: str) -> None:
        super().__init__(pairs)
        self.twice = twice

    @classmethod
    def of(cls, pairs: list[tuple[str, object]]) -> dict[str, object]:
        """Return an object as `json.loads` has read it, as its `object_pairs_hook`."""
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        counts = Counter(name for name, _ in pairs)
        return cls(pairs, counts.most_common(1)[0][0])


def check_names(value: Mapping[str, object], fields: frozenset[str], where: str) -> None:
    """Raise `InvalidManifest` if tools would not agree on the members of an object.

    That is where a name occurs twice, or is one of the `fields` but for its case. `where` is how
    the message calls the object.
    """
    if isinstance(value, Members):
        raise InvalidManifest(
            f"{where} has the member {safe_text(value.twice, 60)!r} twice: tools would not agree "
            "on what it says"
        )
    unknown = value.keys() - fields
    if not unknown:
        return
    folded = {field.casefold(): field for field in fields}
    for name in sorted(unknown):
        field = folded.get(name.casefold())
        if field is not None:
            raise InvalidManifest(
                f"{where} has the member {safe_text(name, 60)!r}, which some tools take for "
                f"{field!r}, and others ignore"
            )


def valid_text(value: object) -> str | None:
    """Return a string of a JSON document as it can be printed and stored; None for anything else.

    JSON can write half of a surrogate pair (RFC 8259, section 8.2), which no UTF-8 text holds.
    """
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()
