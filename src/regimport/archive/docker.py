"""The tars of `docker save`: their images as those of a layout.

Docker's newer tars are layouts with a manifest.json beside their index.json, and are read as
layouts. The older ones have configs and uncompressed layers, and no manifests. The manifest of such
an image is made here from its config, byte for byte as it is, and its layers as they are; the same
image has the same digest every time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from regimport.archive.contents import Store, TarContents
from regimport.archive.members import Member
from regimport.errors import InvalidManifest, InvalidReference, UsageError
from regimport.layout.files import blob_parts
from regimport.layout.index import IMAGE_NAME, REF_NAME
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_INDEX, OCI_MANIFEST
from regimport.models.reference import image_named
from regimport.values import dataclass

__all__ = ["DockerContents"]

_MAX_JSON = 16 * 1024 * 1024
_MAX_IMAGES = 1000
_MAX_LAYERS = 10_000
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
# What `docker load` takes for a compressed layer, and OCI has a media type for.
_SUFFIXES = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd"}


class DockerContents(TarContents):
    """The files that the layout of a `docker save` tar has, or would have."""

    def __init__(self, tar: Store) -> None:
        super().__init__(tar)
        self._lock = threading.Lock()
        self._made: _Made | None = None

    def check(self) -> None:
        """Raise `NotFound` if there is no archive, `UsageError` if it is not of this kind."""
        names = ("index.json", "manifest.json")
        if all(self._tar.find(name) is None for name in names):
            raise UsageError(
                f"{self.name} is not a tar of `docker save`: it has no file manifest.json",
                hint="tars of Docker before 1.10 are not read: load and save the image again",
            ).located(None, self.name)

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        if (content := self._made_content(parts)) is not None:
            return len(content)
        return super().size(*parts)

    def read(self, *parts: str, limit: int) -> bytes | None:
        """Read a whole file, but at most `limit` + 1 bytes; None if it does not exist."""
        content = self._made_content(parts)
        return super().read(*parts, limit=limit) if content is None else content

    @contextmanager
    def stream(self, *parts: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """Open a file: its size, and its bytes from `start` on; None if it does not exist."""
        if (content := self._made_content(parts)) is not None:
            yield len(content), iter([content[start:]])
            return
        with super().stream(*parts, start=start) as found:
            yield found

    def _made_content(self, parts: tuple[str, ...]) -> bytes | None:
        made = self._images()
        return None if made is None else made.content.get("/".join(parts))

    def _find(self, parts: tuple[str, ...]) -> Member | None:
        made, path = self._images(), "/".join(parts)
        return self._tar.find(path) if made is None else made.members.get(path)

    def _images(self) -> _Made | None:
        """Return the files that are made for the images; None where the tar is a layout."""
        with self._lock:
            if self._made is None and self._tar.find("index.json") is None:
                self._made = _make(self._tar)
            return self._made


@dataclass(frozen=True, slots=True)
class _Made:
    """A layout's files: those that are made, and those that are in the tar under other names."""

    content: dict[str, bytes]
    members: dict[str, Member]


def _make(tar: Store) -> _Made:
    made, digests = _Made({}, {}), dict[Member, Digest]()
    entries: list[object] = []
    for number, image in enumerate(_listed(tar), 1):
        where = f"manifest.json: image {number}"
        if not isinstance(image, dict):
            raise InvalidManifest(f"{where} is not an object").located(None, tar.name)
        manifest = _manifest(tar, image, where, made, digests)
        described = _descriptor(OCI_MANIFEST, Digest.of(manifest), len(manifest))
        made.content[_path(Digest.of(manifest))] = manifest
        entries += [{**described, **names} for names in _names(image.get("RepoTags"))]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    made.content["index.json"] = _json(index)
    return made


def _listed(tar: Store) -> list[object]:
    document = _load(tar, "manifest.json")
    if not isinstance(document, list) or len(document) > _MAX_IMAGES:
        raise InvalidManifest(
            f"manifest.json is not a list of at most {_MAX_IMAGES} images"
        ).located(None, tar.name)
    return document


def _manifest(
    tar: Store,
    image: Mapping[str, object],
    where: str,
    made: _Made,
    digests: dict[Member, Digest],
) -> bytes:
    """Return the manifest of an image, and note where its config and its layers are."""
    path, layers = image.get("Config"), image.get("Layers") or []
    if not isinstance(path, str) or not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise InvalidManifest(f"{where} has no valid config and layers").located(None, tar.name)
    config = _named(tar, path)
    raw = tar.read(config, _MAX_JSON)
    made.members[_path(Digest.of(raw))] = config
    diff_ids = _diff_ids(tar, path)
    if len(diff_ids) != len(layers):
        raise InvalidManifest(
            f"{where} has {len(layers)} layers, but its config {len(diff_ids)}"
        ).located(None, tar.name)
    described = [
        _layer(tar, name, diff_id, made, digests)
        for name, diff_id in zip(layers, diff_ids, strict=True)
    ]
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(_CONFIG, Digest.of(raw), len(raw)),
            "layers": described,
        }
    )


def _layer(
    tar: Store, name: object, diff_id: Digest, made: _Made, digests: dict[Member, Digest]
) -> Mapping[str, object]:
    """Return a layer's descriptor: its digest is its diff ID, unless it is compressed."""
    member = _named(tar, name)
    start = tar.read(Member(member.offset, min(member.size, 8)), 8)
    suffix = next((end for magic, end in _SUFFIXES.items() if start.startswith(magic)), "")
    digest = diff_id
    if suffix:
        if member not in digests:
            digests[member] = _hashed(tar, member)
        digest = digests[member]
    made.members.setdefault(_path(digest), member)
    return _descriptor(f"{_LAYER}{suffix}", digest, member.size)


def _hashed(tar: Store, member: Member) -> Digest:
    import hashlib  # noqa: PLC0415 - for compressed layers, which Docker does not write

    hasher = hashlib.sha256()
    for piece in tar.pieces(member):
        hasher.update(piece)
    return Digest(f"sha256:{hasher.hexdigest()}")


def _diff_ids(tar: Store, path: str) -> list[Digest]:
    """Return the digests of the uncompressed layers, which the config of an image lists."""
    document = _load(tar, path)
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if listed is not None and not isinstance(listed, list):
        raise InvalidManifest(f"{path} has no list of layers").located(None, tar.name)
    try:
        return [Digest(str(diff_id)) for diff_id in listed or []]
    except InvalidReference as error:
        raise InvalidManifest(f"{path} has an {error.message}").located(None, tar.name) from error


def _names(tags: object) -> Iterator[Mapping[str, object]]:
    """Yield the annotations of an image's entries: one for each of its names, or one without."""
    images = [
        full
        for tag in (tags if isinstance(tags, list) else [])
        if isinstance(tag, str) and (full := image_named(tag)) is not None and full.tag
    ]
    for image in images:
        yield {"annotations": {IMAGE_NAME: str(image), REF_NAME: str(image.tag)}}
    if not images:
        yield {}


def _named(tar: Store, path: object) -> Member:
    """Return the file that manifest.json names, or raise `InvalidManifest`."""
    member = tar.find(path) if isinstance(path, str) else None
    if member is None:
        raise InvalidManifest(
            f"manifest.json names {path!r:.160}, which is not in the archive",
            hint="the archive is incomplete: make or download it again",
        ).located(None, tar.name)
    return member


def _load(tar: Store, path: str) -> object:
    member = _named(tar, path)
    if member.size > _MAX_JSON:
        message = f"{path[:160]} has more than {_MAX_JSON} bytes"
        raise InvalidManifest(message).located(None, tar.name)
    try:
        document: object = json.loads(tar.read(member, _MAX_JSON))
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"{path[:160]} is not JSON: {str(error)[:200]}").located(
            None, tar.name
        ) from error
    return document


def _descriptor(media_type: str, digest: Digest, size: int) -> Mapping[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _path(digest: Digest) -> str:
    return "/".join(blob_parts(digest))


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
