"""Digests and sizes as no honest registry would have them."""

from __future__ import annotations

from faults.lies import descriptor, manifest, served
from faults.table import SIZE, Row, Stage, run_row, table
from regimport.errors import ContentMismatch, InvalidManifest, LimitExceeded
from support.images import (
    OCI_CONFIG,
    OCI_INDEX,
    Image,
    artifact,
    digest_of,
    sha512_layer,
    some_bytes,
)

HEX = "ab" * 32


def with_size(change: int) -> Image:
    """An image whose layer has another size than its descriptor says."""
    image = Image()
    layer = image.blob(some_bytes("sized", 300_000))
    layer["size"] = 300_000 + change
    image.manifest(image.blob(b"{}", OCI_CONFIG), [layer])
    return image


def repeated() -> Image:
    """A manifest that names its layer three times, and its config as a layer too."""
    image = Image()
    config = image.blob(b"{}", OCI_CONFIG)
    layer = image.blob(some_bytes("repeated", SIZE))
    children = [
        image.manifest(config, [layer, layer, layer, config], annotations={"n": str(number)})
        for number in range(3)
    ]
    image.index(children)
    return image


GRAMMAR = [
    Row(
        title=f"a layer's digest is {text!r}"[:60],
        source=served(manifest(descriptor(digest=text))),
        error=InvalidManifest,
        says="digest",
        most={"source GET blob": 0, "target POST upload": 0},
    )
    for text in (
        "",
        "sha256:",
        HEX,
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha256:{HEX}0",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:{HEX[:-1]}٣",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        f"sha512:{HEX}",
        f"sha256+b64:{HEX}",
        "sha256:../../../../v2/secret/blobs/x",
        f"sha256:{'/'.join(HEX)}"[:71],
        "sha256:%2e%2e%2f",
        "sha256:\x1b]0;pwned\x07",
    )
]
SIZES = [
    *(
        Row(
            title=f"a layer's size is {size!r}",
            source=served(manifest(descriptor(size=size))),
            error=InvalidManifest,
            says="size",
            most={"source GET blob": 0, "target POST upload": 0},
        )
        for size in (-2, 2**62, 2**53, True, 1.0, "5", [5])
    ),
    Row(
        title="a layer's size is more than the limit lets through",
        source=served(manifest(descriptor(size=2**52, digest=digest_of(b"huge")))),
        error=LimitExceeded,
        most={"source GET blob": 0, "target POST upload": 0},
    ),
    Row(
        title="a layer is one byte longer than its size", image=with_size(-1), error=ContentMismatch
    ),
    Row(
        title="a layer is one byte shorter than its size", image=with_size(1), error=ContentMismatch
    ),
    Row(
        title="one digest with two sizes",
        source=served(manifest(descriptor(), descriptor(size=6))),
        error=ContentMismatch,
        says="5 and 6",
        most={"source GET blob": 0, "target POST upload": 0},
    ),
    Row(
        title="a descriptor that is no object",
        source=served(manifest([1, 2])),
        error=InvalidManifest,
    ),
    Row(
        title="a media type with a line break",
        source=served(manifest(descriptor(mediaType="a/b\r\nX-Injected: 1"))),
        error=InvalidManifest,
        says="mediaType",
    ),
    Row(
        title="a manifest's own media type with a line break",
        source=served({**manifest(descriptor()), "mediaType": "a/b\r\nX-Injected: 1"}, None),
        error=InvalidManifest,
        says="mediaType",
    ),
    Row(
        title="an index whose child's digest leads elsewhere",
        source=served(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [descriptor(digest="sha256:../../../v2/x/manifests/y")],
            },
            OCI_INDEX,
        ),
        error=InvalidManifest,
        says="digest",
    ),
]
FINE = [
    Row(title="a layer by its sha512", image=sha512_layer(), most={"target PUT upload": 2}),
    Row(title="a blob of no bytes", image=artifact(), most={"target PUT upload": 3}),
    Row(
        title="a layer named twelve times, and a config that is a layer",
        image=repeated(),
        most={"target PUT upload": 2, "source GET blob": 2, "target POST upload": 2},
    ),
]


@table([*GRAMMAR, *SIZES])
def test_a_descriptor_that_cannot_be_true(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    assert result.target.count("PUT manifest") == 0
    assert result.error is not None
    assert result.error.message.isprintable() or "\n" in result.error.message
    for asked in (*result.source.log, *result.target.log):
        assert ".." not in asked.path
        assert asked.path.startswith((f"/v2/{repository}/", "/token?"))
        assert "x-injected" not in asked.headers


@table(FINE)
def test_descriptors_that_are_rare_but_true(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)
