"""Pack the binaries of the example image into an OCI image layout, always to the same bytes.

Usage: assemble.py BINARIES LAYOUT PLATFORM...   (called by build.sh)
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

HERE = Path(__file__).resolve().parent

# 2024-01-01: layers and configs carry a date, and it must not be that of the build.
EPOCH = 1704067200
CREATED = "2024-01-01T00:00:00Z"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v0.2"
TITLE = "regimport example image"


def digest_of(content: bytes) -> str:
    """Return the sha256 digest of content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def dump(document: object) -> bytes:
    """Return JSON that is always the same for the same document."""
    return json.dumps(document, separators=(",", ":")).encode()


def tar_of(binary: bytes) -> bytes:
    """Return a tar archive with the binary as /hello, without owners and dates."""
    entry = tarfile.TarInfo("hello")
    entry.size, entry.mode, entry.mtime = len(binary), 0o755, EPOCH
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(binary))
    # tarfile fills up to 10 KiB; two empty blocks are the end that the format asks for.
    blocks = 1 + -(-len(binary) // tarfile.BLOCKSIZE) + 2
    return buffer.getvalue()[: blocks * tarfile.BLOCKSIZE]


def gzip_of(content: bytes) -> bytes:
    """Return content in the format of gzip, in stored blocks.

    What a compressor makes of it differs from one zlib to the next; what is stored does not.
    """
    body = b""
    pieces = [content[start : start + 65535] for start in range(0, len(content), 65535)]
    for number, piece in enumerate(pieces, 1):
        last = number == len(pieces)
        body += struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF) + piece
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + body + struct.pack("<II", zlib.crc32(content), len(content))


def replaceable(root: Path) -> bool:
    """Return whether a layout may be written there: it is new, empty, or the layout itself."""
    own = root.resolve() == HERE / "layout"
    return own or not root.exists() or (root.is_dir() and not any(root.iterdir()))


class Layout:
    """An OCI image layout that is being written."""

    def __init__(self, root: Path) -> None:
        if not replaceable(root):
            sys.exit(f"{root} is not an empty directory: it is left as it is")
        shutil.rmtree(root / "blobs", ignore_errors=True)
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)

    def add(self, media_type: str, content: bytes, **more: object) -> Json:
        """Store content, and return its descriptor."""
        digest = digest_of(content)
        (self.root / "blobs" / "sha256" / digest.partition(":")[2]).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def finish(self, root: Json, tag: str) -> None:
        """List the image under a tag."""
        entry = {**root, "annotations": {"org.opencontainers.image.ref.name": tag}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        (self.root / "oci-layout").write_bytes(dump({"imageLayoutVersion": "1.0.0"}))
        (self.root / "index.json").write_bytes(dump(index))


def platform_of(text: str) -> Json:
    """Return the platform of os/architecture[/variant]; arm64 without a variant is v8."""
    names = dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
    platform: Json = {"architecture": names["architecture"], "os": names["os"]}
    variant = names.get("variant") or ("v8" if names["architecture"] == "arm64" else None)
    return platform | ({"variant": variant} if variant else {})


def image(layout: Layout, platform: Json, binary: bytes) -> Json:
    """Store the image of a platform, and return its descriptor."""
    tar = tar_of(binary)
    layer = layout.add(LAYER, gzip_of(tar))
    config = layout.add(
        CONFIG,
        dump(
            {
                **platform,
                "created": CREATED,
                "config": {"Entrypoint": ["/hello"], "Labels": {"title": TITLE}},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(tar)]},
                "history": [{"created": CREATED, "created_by": "COPY hello /hello"}],
            }
        ),
    )
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return layout.add(MANIFEST, dump(manifest), platform=platform)


def attestation(layout: Layout, subject: Json, source: bytes) -> Json:
    """Store where an image comes from, in the form in which BuildKit attaches it to an index."""
    statement = dump(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": PROVENANCE,
            "subject": [
                {
                    "name": "hello-world",
                    "digest": {"sha256": subject["digest"].partition(":")[2]},
                }
            ],
            "predicate": {
                "builder": {"id": ""},
                "buildType": "examples/hello-world/build.sh",
                "materials": [
                    {
                        "uri": "examples/hello-world/src/hello.c",
                        "digest": {"sha256": digest_of(source).partition(":")[2]},
                    }
                ],
            },
        }
    )
    layer = layout.add(IN_TOTO, statement, annotations={"in-toto.io/predicate-type": PROVENANCE})
    config = layout.add(
        CONFIG,
        dump(
            {
                "architecture": "unknown",
                "os": "unknown",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
            }
        ),
    )
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return layout.add(
        MANIFEST,
        dump(manifest),
        annotations={
            "vnd.docker.reference.digest": subject["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        },
        platform={"architecture": "unknown", "os": "unknown"},
    )


def main(binaries: str, target: str, *platforms: str) -> None:
    """Pack the binaries, and print the digest of the index."""
    layout = Layout(Path(target))
    source = (HERE / "src" / "hello.c").read_bytes()
    manifests = [
        image(layout, platform_of(name), (Path(binaries) / name.replace("/", "-")).read_bytes())
        for name in platforms
    ]
    manifests.append(attestation(layout, manifests[0], source))
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    root = layout.add(INDEX, dump(index))
    layout.finish(root, "latest")
    print(root["digest"])


if __name__ == "__main__":
    main(*sys.argv[1:])
