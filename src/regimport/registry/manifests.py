"""Manifests at a registry: finding, reading and putting them, always as bytes."""

from __future__ import annotations

from http import HTTPStatus

from regimport.errors import (
    AccessDenied,
    ContentMismatch,
    InvalidReference,
    NotFound,
    RegimportError,
    RegistryError,
    Side,
    TagExists,
    Unreachable,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import ACCEPT_MANIFESTS, essence
from regimport.registry.repository_client import RepositoryClient
from regimport.transport.answers import Answer, error_of

__all__ = ["get_manifest", "head_manifest", "points_to", "put_manifest"]

_ACCEPT = {"Accept": ACCEPT_MANIFESTS}


def head_manifest(client: RepositoryClient, reference: str) -> Descriptor | None:
    """Return what a tag or digest points to; None if it does not exist.

    HEAD is not counted as a pull. If the answer is incomplete, GET is sent; a target that refuses
    the request is taken not to have the manifest, because writing it will tell.
    """
    session = client.session
    answer = client.ask("HEAD", f"manifests/{reference}", _ACCEPT)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.ok:
        found = _descriptor(answer, reference)
        if found is not None:
            return found
    elif answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        if session.side is Side.TARGET and session.refused is None:
            return None
        raise error_of(answer)
    elif session.side is Side.TARGET:
        return None
    try:
        return get_manifest(client, reference).descriptor
    except NotFound:
        return None


def get_manifest(client: RepositoryClient, reference: str) -> Manifest:
    """Return a manifest, or raise `NotFound`, or `ContentMismatch` if the digest is wrong.

    If the digest is wrong, the manifest is requested once more: an answer without a length may
    have been truncated.
    """
    wanted = _digest(reference)
    answer = _read(client, reference)
    said = wanted or _digest(answer.headers.get("docker-content-digest", ""))
    if said is not None and Digest.of(answer.body, said.algorithm) != said:
        answer = _read(client, reference)
    algorithm = wanted.algorithm if wanted else "sha256"
    actual = Digest.of(answer.body, algorithm)
    if wanted is not None and actual != wanted:
        raise ContentMismatch(
            f"the registry was asked for manifest {wanted}, but its answer hashes to {actual}",
            expected=wanted,
            got=actual,
            hint="the registry, or a cache in front of it, serves other content",
        )
    return Manifest.parse(answer.body, answer.headers.get("content-type"), algorithm=algorithm)


def _read(client: RepositoryClient, reference: str) -> Answer:
    answer = client.ask("GET", f"manifests/{reference}", _ACCEPT, limit=MAX_MANIFEST_BYTES)
    if not answer.ok:
        raise error_of(answer)
    return answer


def put_manifest(client: RepositoryClient, manifest: Manifest, reference: str) -> None:
    """Store a manifest under a tag or its digest, or raise `TagExists` for an immutable tag.

    If the registry keeps failing, it is asked whether it has stored the manifest: a proxy may
    have lost the answer.
    """
    headers = {"Content-Type": manifest.media_type}
    try:
        answer = client.retry_once_if_forbidden(
            "PUT", f"manifests/{reference}", headers, body=manifest.raw
        )
    except Unreachable:
        if _is_stored(client, manifest, reference):
            return
        raise
    if answer.ok:
        return
    error = error_of(answer)
    if (
        answer.status in {400, 405, 409, 412}
        and _digest(reference) is None
        and _says_immutable(answer)
    ):
        if _is_stored(client, manifest, reference):
            return
        raise TagExists(
            f"the tag {reference} exists and is immutable: {error.message}",
            method="PUT",
            status=answer.status,
            hint="push under another tag, or allow overwriting in the registry's settings",
        )
    if isinstance(error, RegistryError) and not isinstance(error, AccessDenied):
        error.message += f" (putting a manifest of type {manifest.media_type})"
        error.args = (error.message,)
    raise error


def _is_stored(client: RepositoryClient, manifest: Manifest, reference: str) -> bool:
    try:
        held = head_manifest(client, reference)
    except RegimportError:
        return False
    return held is not None and held.digest == manifest.digest


def points_to(client: RepositoryClient, manifest: Manifest, reference: str) -> bool:
    """Return whether a tag or a digest points to this manifest; True if unclear."""
    path = f"manifests/{reference}"
    answer = client.ask("HEAD", path, _ACCEPT)
    if answer.status == HTTPStatus.NOT_FOUND:
        return False
    if not answer.ok:
        return True
    named = answer.headers.get("docker-content-digest", "")
    if named.startswith(f"{manifest.digest.algorithm}:"):
        return named == manifest.digest
    # Without a digest of this algorithm, the bytes are compared.
    answer = client.ask("GET", path, _ACCEPT, limit=MAX_MANIFEST_BYTES)
    return not answer.ok or answer.body == manifest.raw


def _says_immutable(answer: Answer) -> bool:
    body = answer.body[:4096].lower()
    return b"immutable" in body or b"imagetagalreadyexists" in body or b"tag_invalid" in body


def _descriptor(answer: Answer, reference: str) -> Descriptor | None:
    """Return the descriptor in a HEAD answer; None if the answer is incomplete."""
    digest = _digest(reference) or _digest(answer.headers.get("docker-content-digest", ""))
    length = answer.headers.get("content-length", "")
    media_type = essence(answer.headers.get("content-type"))
    if digest is None or not length.isdecimal() or not media_type:
        return None
    return Descriptor(media_type, digest, int(length))


def _digest(text: str) -> Digest | None:
    if ":" not in text:
        return None
    try:
        return Digest(text)
    except InvalidReference:
        return None
