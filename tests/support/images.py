"""Images as values: every form that there is, made in memory, deterministic by seed."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"
EMPTY = "application/vnd.oci.empty.v1+json"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass
class Image:
    """Blobs and manifests by digest; manifests children first, the root last."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return list(self.manifests)[-1]

    @property
    def raw(self) -> bytes:
        return self.manifests[self.root][1]

    @property
    def media_type(self) -> str:
        return self.manifests[self.root][0]

    def content(self) -> dict[str, bytes]:
        """All bytes of the image, by digest."""
        return self.blobs | {digest: raw for digest, (_, raw) in self.manifests.items()}

    def blob(
        self, content: bytes, media_type: str = OCI_LAYER, algorithm: str = "sha256"
    ) -> dict[str, object]:
        digest = digest_of(content, algorithm)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def put(self, media_type: str, raw: bytes, **more: object) -> dict[str, object]:
        digest = digest_of(raw)
        self.manifests.pop(digest, None)
        self.manifests[digest] = (media_type, raw)
        return {"mediaType": media_type, "digest": digest, "size": len(raw), **more}

    def manifest(
        self,
        config: dict[str, object],
        layers: list[dict[str, object]],
        media_type: str = OCI_MANIFEST,
        **more: object,
    ) -> dict[str, object]:
        platform = more.pop("platform", None)
        annotations = more.pop("descriptor_annotations", None)
        document = {"schemaVersion": 2, "mediaType": media_type, "config": config} | {
            "layers": layers,
            **more,
        }
        extra: dict[str, object] = {"platform": platform} if platform else {}
        if annotations:
            extra["annotations"] = annotations
        return self.put(media_type, json.dumps(document).encode(), **extra)

    def index(
        self, children: list[dict[str, object]], media_type: str = OCI_INDEX, **more: object
    ) -> dict[str, object]:
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": children, **more}
        return self.put(media_type, json.dumps(document).encode())


def some_bytes(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _platform(number: int) -> dict[str, object]:
    return {"os": "linux", "architecture": f"arch{number}"}


def many_platforms(
    seed: str = "i", platforms: int = 3, size: int = 2000, *, docker: bool = False
) -> Image:
    """An index of platforms, each with a layer of its own and one shared by all."""
    image = Image()
    config_type, layer_type = (DOCKER_CONFIG, DOCKER_LAYER) if docker else (OCI_CONFIG, OCI_LAYER)
    shared = some_bytes(f"{seed}-shared", size)
    children = []
    for number in range(platforms):
        config = image.blob(json.dumps({"seed": seed, "n": number}).encode(), config_type)
        layers = [
            image.blob(shared, layer_type),
            image.blob(some_bytes(f"{seed}-{number}", size), layer_type),
        ]
        kind = DOCKER_MANIFEST if docker else OCI_MANIFEST
        children.append(image.manifest(config, layers, kind, platform=_platform(number)))
    image.index(children, DOCKER_LIST if docker else OCI_INDEX)
    return image


def docker_list(seed: str = "d") -> Image:
    return many_platforms(seed, docker=True)


def with_attestation(seed: str = "a") -> Image:
    image = Image()
    config = image.blob(json.dumps({"seed": seed}).encode(), OCI_CONFIG)
    child = image.manifest(
        config,
        [image.blob(some_bytes(seed, 900))],
        platform={"os": "linux", "architecture": "amd64"},
    )
    statement = image.blob(
        b'{"_type":"https://in-toto.io/Statement/v0.1"}', "application/vnd.in-toto+json"
    )
    attestation = image.manifest(
        image.blob(json.dumps({"attests": seed}).encode(), OCI_CONFIG),
        [statement],
        platform={"os": "unknown", "architecture": "unknown"},
        descriptor_annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": child["digest"],
        },
    )
    image.index([child, attestation])
    return image


def as_buildx(
    seed: str = "b",
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7"),
    media_type: str = OCI_INDEX,
    size: int = 700,
) -> Image:
    """An index as buildx makes it: the images first, then an attestation for each of them."""
    image = Image()
    kind = DOCKER_MANIFEST if media_type == DOCKER_LIST else OCI_MANIFEST
    children, attestations = [], []
    for text in platforms:
        platform = dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
        config = image.blob(json.dumps({"seed": seed, **platform}).encode(), OCI_CONFIG)
        layer = image.blob(some_bytes(f"{seed}{text}", size))
        child = image.manifest(config, [layer], kind, platform=platform)
        children.append(child)
        attestations.append(
            image.manifest(
                image.blob(json.dumps({"attests": text}).encode(), OCI_CONFIG),
                [image.blob(json.dumps({"subject": child["digest"]}).encode(), IN_TOTO)],
                platform={"os": "unknown", "architecture": "unknown"},
                descriptor_annotations={
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": child["digest"],
                },
            )
        )
    annotations = {"org.opencontainers.image.vendor": "\u00e9 & co", "org.example.a": "b"}
    image.index([*children, *attestations], media_type, annotations=annotations)
    return image


def nested(seed: str = "n") -> Image:
    image = Image()
    leaves = []
    for number in range(3):
        config = image.blob(json.dumps({"seed": seed, "n": number}).encode(), OCI_CONFIG)
        leaves.append(
            image.manifest(
                config,
                [image.blob(some_bytes(f"{seed}{number}", 500))],
                platform=_platform(number),
            )
        )
    inner = image.index(leaves[:2])
    image.index([inner, leaves[1], leaves[2]])
    return image


def single(seed: str = "s", *, docker: bool = False, size: int = 3000) -> Image:
    image = Image()
    if docker:
        config = image.blob(json.dumps({"seed": seed}).encode(), DOCKER_CONFIG)
        layer = image.blob(some_bytes(seed, size), DOCKER_LAYER)
        image.manifest(config, [layer], DOCKER_MANIFEST)
    else:
        config = image.blob(json.dumps({"seed": seed}).encode(), OCI_CONFIG)
        image.manifest(config, [image.blob(some_bytes(seed, size))])
    return image


def docker_single(seed: str = "ds") -> Image:
    return single(seed, docker=True)


def helm_chart(seed: str = "h") -> Image:
    image = Image()
    config = image.blob(
        json.dumps({"name": seed, "version": "1.0.0"}).encode(),
        "application/vnd.cncf.helm.config.v1+json",
    )
    chart = image.blob(some_bytes(seed, 700), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    image.manifest(config, [chart], annotations={"org.opencontainers.image.title": seed})
    return image


def artifact(seed: str = "x") -> Image:
    """An artifact of media types that nobody has heard of."""
    image = Image()
    config = image.blob(seed.encode(), "application/vnd.example.config.v9+cbor")
    layers = [
        image.blob(some_bytes(seed, 300), "application/vnd.example.thing.v9"),
        image.blob(b"", "application/vnd.example.nothing"),
    ]
    image.manifest(config, layers, artifactType="application/vnd.example.kind")
    return image


def without_layers(seed: str = "e") -> Image:
    """An artifact with the empty config and no layers."""
    image = Image()
    image.manifest(
        image.blob(b"{}", EMPTY),
        [],
        artifactType="application/vnd.example.kind",
        annotations={"seed": seed},
    )
    return image


def oddly_written(seed: str = "w") -> Image:
    """A manifest whose white space, key order and unknown fields nobody would reproduce."""
    image = Image()
    config = image.blob(json.dumps({"seed": seed}).encode(), OCI_CONFIG)
    layer = image.blob(some_bytes(seed, 400))
    raw = (
        f'\n{{ "zzz" : [1e2, "\\u00e9", null],\t"layers" :[ {json.dumps(layer, indent=5)} ],\n\n'
        f'  "config": {json.dumps(config)} , "schemaVersion":2, "mediaType":"{OCI_MANIFEST}" }}\n\n'
    )
    image.put(OCI_MANIFEST, raw.encode())
    return image


def sha512_layer(seed: str = "5") -> Image:
    image = Image()
    config = image.blob(json.dumps({"seed": seed}).encode(), OCI_CONFIG)
    layer = image.blob(some_bytes(seed, 600), algorithm="sha512")
    image.manifest(config, [layer])
    return image


FORMS = {
    "docker manifest list": docker_list,
    "OCI index": many_platforms,
    "index with an attestation": with_attestation,
    "nested index": nested,
    "OCI manifest": single,
    "docker manifest": docker_single,
    "Helm chart": helm_chart,
    "artifact of unknown types": artifact,
    "artifact without layers": without_layers,
    "oddly written manifest": oddly_written,
    "sha512 layer": sha512_layer,
}
# What skopeo 1.9 can copy: it knows neither nested indexes nor sha512 nor all artifacts.
FORMS_FOR_SKOPEO = (
    "docker manifest list",
    "OCI index",
    "index with an attestation",
    "OCI manifest",
    "docker manifest",
    "Helm chart",
    "oddly written manifest",
)
