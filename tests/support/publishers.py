"""What publishers push: images, and what belongs to them, as the programs of each write it.

Built after the public descriptions of the formats: BuildKit's "Image attestation storage", cosign's
SIGNATURE_SPEC.md, the Notary Project's signature specification, the ORAS, Helm and ko manuals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from support.client import Client
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    single,
    some_bytes,
    with_attestation,
)
from support.miniature import entry_of

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SPDX = "text/spdx+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
CYCLONEDX = "application/vnd.cyclonedx+json"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@dataclass
class Extra:
    """What belongs to an image: it names its subject, or has a digest tag."""

    content: Image
    tag: str | None = None


@dataclass
class Published:
    """An image, and what belongs to it, subjects first."""

    image: Image
    extras: list[Extra] = field(default_factory=list)

    def everything(self) -> Iterator[Image]:
        yield self.image
        for extra in self.extras:
            yield extra.content

    def push(self, client: Client, repository: str, *tags: str, listed: bool = False) -> None:
        """Push it as its publishers do; `listed`: they see to the fallback tags themselves."""
        client.push(repository, self.image, *tags)
        for extra in self.extras:
            client.push(repository, extra.content, *([] if extra.tag is None else [extra.tag]))
        if not listed:
            return
        for subject, found in self.by_subject().items():
            entries = [entry_of(one.root, one.media_type, one.raw) for one in found]
            raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
            client.put_manifest(repository, fallback(subject), OCI_INDEX, raw.encode())

    def by_subject(self) -> dict[str, list[Image]]:
        """What names a subject, by that."""
        found: dict[str, list[Image]] = {}
        for extra in self.extras:
            subject = json.loads(extra.content.raw).get("subject")
            if subject is not None:
                found.setdefault(subject["digest"], []).append(extra.content)
        return found

    def tags(self) -> dict[str, str]:
        return {extra.tag: extra.content.root for extra in self.extras if extra.tag is not None}


def fallback(digest: str) -> str:
    return digest.replace(":", "-")[:71]


def _subject(image: Image, digest: str = "") -> dict[str, object]:
    digest = digest or image.root
    media_type, raw = image.manifests[digest]
    return {"mediaType": media_type, "digest": digest, "size": len(raw)}


def tagged(image: Image, suffix: str, layer_type: str, digest: str = "") -> Extra:
    """What cosign attaches under a digest tag: an image whose layers are the things."""
    digest = digest or image.root
    content = Image()
    config = content.blob(json.dumps({"of": digest, "is": suffix}).encode(), OCI_CONFIG)
    layer = content.blob(f"{suffix} of {digest}".encode(), layer_type)
    layer["annotations"] = {"dev.cosignproject.cosign/signature": "MEUCIQ=="}
    content.manifest(config, [layer])
    return Extra(content, f"{fallback(digest)}{suffix}")


def referrer(
    image: Image,
    kind: str,
    text: str = "x",
    digest: str = "",
    media_type: str = OCI_MANIFEST,
) -> Extra:
    """An artifact that names its subject, as ORAS, cosign 3 and Notation write it."""
    content = Image()
    config = content.blob(b"{}", EMPTY)
    layer = content.blob(f"{kind} {text} {digest or image.root}".encode(), kind)
    content.manifest(
        config,
        [layer],
        media_type,
        artifactType=kind,
        subject=_subject(image, digest),
        annotations={"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "text": text},
    )
    return Extra(content)


def buildx() -> Published:
    """An index with provenance and SBOM in an attestation manifest."""
    return Published(with_attestation("buildx"))


def cosign_tags() -> Published:
    """Signatures, attestations and an SBOM under digest tags, also of a platform."""
    image = with_attestation("cosign-tags")
    platform = next(iter(image.manifests))
    return Published(
        image,
        [
            tagged(image, ".sig", SIMPLE_SIGNING),
            tagged(image, ".att", DSSE),
            tagged(image, ".sbom", SPDX),
            tagged(image, ".sig", SIMPLE_SIGNING, platform),
        ],
    )


def cosign_referrers() -> Published:
    """Sigstore bundles that refer to the image and to a platform."""
    image = with_attestation("cosign-referrers")
    platform = next(iter(image.manifests))
    return Published(
        image,
        [
            referrer(image, BUNDLE, "signature"),
            referrer(image, BUNDLE, "attestation"),
            referrer(image, BUNDLE, "signature", platform),
        ],
    )


def notation() -> Published:
    """A signature whose type is that of its config, as Notation writes it."""
    image = single("notation")
    content = Image()
    envelope = content.blob(b"\xd2\x84C", "application/cose")
    content.manifest(
        content.blob(b"{}", NOTATION),
        [envelope],
        subject=_subject(image),
        annotations={"io.cncf.notary.x509chain.thumbprint#S256": '["aa"]'},
    )
    return Published(image, [Extra(content)])


def oras() -> Published:
    """An SBOM that is attached to an image, and is signed itself."""
    image = single("oras")
    sbom = referrer(image, CYCLONEDX, "sbom")
    return Published(image, [sbom, referrer(sbom.content, NOTATION, "of the sbom")])


def helm() -> Published:
    """A chart with its provenance file."""
    chart = Image()
    config = chart.blob(b'{"name":"signed"}', "application/vnd.cncf.helm.config.v1+json")
    layers = [
        chart.blob(some_bytes("c", 200), "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
        chart.blob(b"-----BEGIN PGP", "application/vnd.cncf.helm.chart.provenance.v1.prov"),
    ]
    chart.manifest(config, layers)
    return Published(chart, [tagged(chart, ".sig", SIMPLE_SIGNING)])


def ko() -> Published:
    """An index of Go binaries over one base, with an SBOM for each under a digest tag."""
    image = Image()
    base = image.blob(some_bytes("distroless", 800))
    children = []
    for architecture in ("amd64", "arm64"):
        config = image.blob(json.dumps({"architecture": architecture}).encode(), OCI_CONFIG)
        layers = [base, image.blob(some_bytes(f"ko-{architecture}", 500))]
        platform = {"os": "linux", "architecture": architecture}
        children.append(image.manifest(config, layers, platform=platform))
    image.index(children, annotations={"org.opencontainers.image.base.name": "distroless"})
    sboms = [tagged(image, ".sbom", SPDX, str(child["digest"])) for child in children]
    return Published(image, [*sboms, tagged(image, ".sbom", SPDX)])


def jib() -> Published:
    """A Docker manifest of many small layers, of which one is empty of files."""
    image = Image()
    layers = [image.blob(some_bytes(f"jib-{n}", 40 * n + 30), DOCKER_LAYER) for n in range(5)]
    image.manifest(image.blob(b'{"created":"1970"}', DOCKER_CONFIG), layers, DOCKER_MANIFEST)
    return Published(image)


def buildah() -> Published:
    """An OCI image with zstd layers and annotations, and no mediaType of its own."""
    image = Image()
    config = image.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG)
    layer = image.blob(some_bytes("zstd", 900), "application/vnd.oci.image.layer.v1.tar+zstd")
    document = {"schemaVersion": 2, "config": config, "layers": [layer]}
    document["annotations"] = {"org.opencontainers.image.base.digest": "sha256:" + "0" * 64}
    image.put(OCI_MANIFEST, json.dumps(document).encode())
    return Published(image)


def windows(*, served: bool = False, url: str = "https://mcr.example/layer") -> Published:
    """A Docker manifest list over a base layer that is not to be distributed."""
    image = Image()
    base = image.blob(some_bytes("nanoserver", 1200), FOREIGN)
    base["urls"] = [url]
    own = image.blob(some_bytes("on-top", 300), DOCKER_LAYER)
    config = image.blob(b'{"os":"windows"}', DOCKER_CONFIG)
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1"}
    child = image.manifest(config, [base, own], DOCKER_MANIFEST, platform=platform)
    image.index([child], DOCKER_LIST)
    if not served:
        del image.blobs[str(base["digest"])]
    return Published(image)


PUBLISHERS: dict[str, Callable[[], Published]] = {
    "buildx": buildx,
    "cosign with tags": cosign_tags,
    "cosign with referrers": cosign_referrers,
    "Notation": notation,
    "ORAS": oras,
    "Helm": helm,
    "ko": ko,
    "jib": jib,
    "buildah": buildah,
    "Windows": windows,
}
