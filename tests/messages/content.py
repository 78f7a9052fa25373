"""What images contain, and limits."""

from __future__ import annotations

import json
from collections.abc import Callable

from messages.stage import Stage, refuse
from support.images import OCI_INDEX, OCI_MANIFEST, digest_of, many_platforms, single
from support.scripted import Heard, Say

CASES: list[Callable[[Stage], None]] = []


def _case(case: Callable[[Stage], None]) -> Callable[[Stage], None]:
    CASES.append(case)
    return case


@_case
def limits(stage: Stage) -> None:
    """Limits"""
    stage.image = many_platforms(platforms=3)
    stage.registry("app")
    stage.run("regimport copy --max-manifests 2 registry.example/app oci:b")
    stage.run("regimport copy --max-layer-size 1KiB registry.example/app oci:b")
    stage.run("regimport copy --deadline 1ms registry.example/app oci:b")


@_case
def platforms(stage: Stage) -> None:
    """Platforms that the image is not for"""
    stage.image = many_platforms(platforms=2)
    stage.registry("app")
    stage.run("regimport copy --platform linux/s390x registry.example/app oci:b")
    stage.registry(name="other.example").hold("app", single())
    stage.run("regimport copy --platform linux/s390x other.example/app oci:b")


@_case
def manifests(stage: Stage) -> None:
    """Manifests that cannot be copied"""
    digest = "sha256:" + "1" * 64
    blob = {"mediaType": "application/x", "digest": digest, "size": 1}
    documents: list[object] = [
        "<html>",
        [],
        {"schemaVersion": 1},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {**blob, "digest": "md5:1"}},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {**blob, "size": -1}},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"size": 1}},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": 5, "layers": []},
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": 5},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob,
         "layers": [{**blob, "size": 2}]},
    ]  # fmt: skip
    for number, document in enumerate(documents):
        raw = document if isinstance(document, str) else json.dumps(document)
        kind = document.get("mediaType", OCI_MANIFEST) if isinstance(document, dict) else ""
        registry = stage.registry(name=f"odd{number}.example")
        registry.manifests["app"] = {
            name: (str(kind or OCI_MANIFEST), raw.encode())
            for name in ("latest", digest_of(raw.encode()))
        }
        stage.run(f"regimport copy odd{number}.example/app oci:b")


@_case
def other_content(stage: Stage) -> None:
    """Content that is not what its digest says"""

    def wrong(heard: Heard) -> Say | None:
        blob = heard.method == "GET" and "/blobs/" in heard.path
        return Say(200, body=b"x" * 3000) if blob else None

    stage.registry("app", door=wrong)
    stage.run("regimport copy --jobs 1 registry.example/app oci:b")

    def short(heard: Heard) -> Say | None:
        blob = heard.method == "GET" and "/blobs/" in heard.path
        return Say(200, body=b"x") if blob else None

    stage.registry("app", name="short.example", door=short)
    stage.run("regimport copy --jobs 1 short.example/app oci:b")

    def manifest(heard: Heard) -> Say | None:
        by_digest = heard.method == "GET" and "/manifests/sha256" in heard.path
        return Say(200, {"Content-Type": OCI_MANIFEST}, b"{}") if by_digest else None

    stage.registry("app", name="cache.example", door=manifest)
    stage.run("regimport copy cache.example/app oci:b")
    stage.registry("app", name="absent.example", door=refuse(404, b"", "GET /v2/app/blobs"))
    stage.run("regimport copy --jobs 1 absent.example/app oci:b")


@_case
def differences(stage: Stage) -> None:
    """Targets that differ from their source"""
    stage.registry("app", name="source.example")
    target = stage.registry(name="target.example")
    target.hold("app", single("another"))
    target.hold("same", stage.image)
    layer = next(iter(stage.image.blobs))
    target.blobs["same"][layer] = b"other"
    stage.run("regimport verify source.example/app target.example/app")
    stage.run("regimport verify source.example/app target.example/same")
    stage.run("regimport verify source.example/app target.example/none")
    stage.run("regimport copy --verify source.example/app target.example/same:2")
