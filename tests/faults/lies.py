"""A source that serves documents which no honest registry would take."""

from __future__ import annotations

import json

from faults.actions import Status
from faults.proxy import ALWAYS, Fault
from support.images import OCI_MANIFEST, digest_of


def served(
    document: object, content_type: str | None = OCI_MANIFEST, path: str = "manifests/"
) -> list[Fault]:
    """The source serves `document` (bytes as they are) as its manifest, with the right digest."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"Docker-Content-Digest": digest_of(raw)}
    if content_type is not None:
        headers["Content-Type"] = content_type
    length = {"Content-Length": str(len(raw))}
    return [
        Fault("HEAD manifest", Status(200, {**headers, **length}), ALWAYS, path),
        Fault("GET manifest", Status(200, headers, raw), ALWAYS, path),
    ]


def descriptor(**changes: object) -> dict[str, object]:
    """A descriptor of a small layer, with some members changed; None leaves one out."""
    content = b"layer"
    members: dict[str, object] = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": digest_of(content),
        "size": len(content),
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def manifest(*layers: object, **more: object) -> dict[str, object]:
    """A manifest of these layers."""
    config = descriptor(mediaType="application/vnd.oci.image.config.v1+json")
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": list(layers),
        **more,
    }
