"""The images of the benchmark: made as they are sent, so that nothing large is held in memory."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Self

from benchmarks.registries import Listener, connect
from support.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest_of

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
TAG = "v1"


@dataclass(frozen=True, slots=True)
class Layer:
    """A gzip file around `size` bytes of noise that no compressor makes smaller.

    It is a real gzip file because skopeo compresses what is not compressed yet, which would
    change the image, and be no fair comparison.
    """

    seed: str
    size: int

    def content(self) -> Iterator[bytes]:
        """The file, in pieces."""
        noise = random.Random(self.seed).randbytes(min(self.size, MIB))
        pack = zlib.compressobj(level=0, wbits=31)
        for start in range(0, self.size, MIB):
            piece = start.to_bytes(8, "big") + noise[8:]
            yield pack.compress(piece[: self.size - start])
        yield pack.flush()


@cache
def measured(layer: Layer) -> tuple[str, int]:
    """The digest and the size in bytes of a layer's file."""
    hasher, size = hashlib.sha256(), 0
    for piece in layer.content():
        hasher.update(piece)
        size += len(piece)
    return f"sha256:{hasher.hexdigest()}", size


@dataclass(frozen=True, slots=True)
class Image:
    """An index of platforms, each with its layers."""

    name: str
    platforms: tuple[tuple[Layer, ...], ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Each layer once."""
        return tuple(dict.fromkeys(layer for layers in self.platforms for layer in layers))

    @property
    def size(self) -> int:
        """Bytes of all layers, each counted once."""
        return sum(measured(layer)[1] for layer in self.layers)


def _hello() -> Image:
    return Image("hello", tuple((Layer(f"hello-{n}", 2500),) for n in range(8)))


def _many() -> Image:
    shared = Layer("many", 5 * MIB)
    return Image(
        "many",
        tuple((shared, *(Layer(f"many-{n}-{i}", 20 * KIB) for i in range(3))) for n in range(40)),
    )


def _app() -> Image:
    sizes = (28 * MIB, 8 * MIB, 4 * MIB, 2 * MIB, 460 * KIB, 52 * KIB)
    return Image(
        "app",
        tuple(tuple(Layer(f"app-{n}-{size}", size) for size in sizes) for n in range(8)),
    )


def _big() -> Image:
    return Image("big", ((Layer("big", GIB),),))


IMAGES: dict[str, Callable[[], Image]] = {
    "hello": _hello,
    "many": _many,
    "app": _app,
    "big": _big,
}


def family(number: int) -> Image:
    """One of a family: three platforms on a layer that the whole family shares."""
    base = Layer("family", MIB)
    return Image(
        f"family{number}",
        tuple((base, Layer(f"family-{number}-{n}", 20 * KIB)) for n in range(3)),
    )


def push(registry: Listener, image: Image, repository: str, tag: str = TAG) -> str:
    """Put the image into the registry, straight: its digest."""
    with _Sender(registry, repository) as send:
        for layer in image.layers:
            digest, size = measured(layer)
            send.blob(digest, size, layer.content())
        children = []
        for number, layers in enumerate(image.platforms):
            config = json.dumps({"image": image.name, "number": number}).encode()
            send.blob(digest_of(config), len(config), [config])
            document = {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": _descriptor(OCI_CONFIG, digest_of(config), len(config)),
                "layers": [_descriptor(OCI_LAYER, *measured(layer)) for layer in layers],
            }
            raw = json.dumps(document).encode()
            send.manifest(OCI_MANIFEST, raw, digest_of(raw))
            platform = {"os": "linux", "architecture": f"arch{number}"}
            children.append(
                _descriptor(OCI_MANIFEST, digest_of(raw), len(raw)) | {"platform": platform}
            )
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
        raw = json.dumps(index).encode()
        send.manifest(OCI_INDEX, raw, tag)
        return digest_of(raw)


def digest_at(registry: Listener, repository: str) -> str | None:
    """The digest of what is tagged `TAG` there."""
    with _Sender(registry, repository) as send:
        return send.digest(TAG)


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


class _Sender:
    """One connection that puts blobs and manifests into one repository."""

    def __init__(self, registry: Listener, repository: str) -> None:
        self._connection = connect(registry)
        self._path = f"/v2/{repository}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def blob(self, digest: str, size: int, content: Iterable[bytes]) -> None:
        location = self._ask("POST", f"{self._path}/blobs/uploads/", [], 0, "text/plain", 202)
        joint = "&" if "?" in location else "?"
        where = f"{location}{joint}digest={digest}"
        self._ask("PUT", where, content, size, "application/octet-stream", 201)

    def manifest(self, media_type: str, raw: bytes, reference: str) -> None:
        where = f"{self._path}/manifests/{reference}"
        self._ask("PUT", where, [raw], len(raw), media_type, 201)

    def digest(self, tag: str) -> str | None:
        accept = {"Accept": OCI_INDEX}
        self._connection.request("HEAD", f"{self._path}/manifests/{tag}", headers=accept)
        with self._connection.getresponse() as answer:
            return answer.headers["Docker-Content-Digest"]

    def _ask(
        self, method: str, url: str, body: Iterable[bytes], size: int, kind: str, status: int
    ) -> str:
        headers = {"Content-Length": str(size), "Content-Type": kind}
        self._connection.request(method, url, body=body, headers=headers)
        with self._connection.getresponse() as answer:
            said = answer.read()
            assert answer.status == status, (method, url, answer.status, said)
            return answer.headers["Location"] or ""
