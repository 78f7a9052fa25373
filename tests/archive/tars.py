"""Archives made for tests, entry by entry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from layout.images import Image
from regimport.layout.index import REF_NAME


def tar_of(files: Mapping[str, bytes | tarfile.TarInfo], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar with these files, or entries without content, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def layout_files(**images: Image) -> dict[str, bytes]:
    """The files of a layout with these images under these names."""
    entries, blobs = [], dict[str, bytes]()
    for name, image in images.items():
        root = image.root.descriptor
        entries.append(
            {
                "mediaType": root.media_type,
                "digest": root.digest,
                "size": root.size,
                "annotations": {REF_NAME: name},
            }
        )
        content = image.blobs | {manifest.digest: manifest.raw for manifest in image.manifests}
        blobs |= {
            f"blobs/{digest.algorithm}/{digest.encoded}": raw for digest, raw in content.items()
        }
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', **blobs, "index.json": index}


def saved_files(
    tags: list[str] | None, layers: list[bytes], compress: bool = False
) -> dict[str, bytes | tarfile.TarInfo]:
    """The files that `docker save` wrote for one image before it wrote layouts."""
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    files: dict[str, bytes | tarfile.TarInfo] = {name: config}
    for number, layer in enumerate(layers):
        files[f"{number:064x}/VERSION"] = b"1.0"
        files[f"{number:064x}/layer.tar"] = gzip.compress(layer, mtime=0) if compress else layer
    paths = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    listed = [{"Config": name, "RepoTags": tags, "Layers": paths}]
    return {**files, "manifest.json": json.dumps(listed).encode()}


def write(path: Path, files: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    path.write_bytes(tar_of(files))
    return path
