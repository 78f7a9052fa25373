"""Manifests at a registry: asked for, read, and put, always as bytes."""

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
from regimport.registry.access import Access
from regimport.transport.answers import Answer, error_of

__all__ = ["get_manifest", "head_manifest", "points_to", "put_manifest"]

_ACCEPT = {"Accept": ACCEPT_MANIFESTS}


def head_manifest(access: Access, reference: str) -> Descriptor | None:
    """Ask what a tag or digest points to; None if it is not there.

    HEAD costs no pull at registries that count them. One that answers it badly is asked with
    GET; a target that forbids the question is taken not to have the manifest, since writing
    will tell for sure.
    """
    session = access.session
    answer = access.ask("HEAD", f"manifests/{reference}", _ACCEPT)
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
        return get_manifest(access, reference).descriptor
    except NotFound:
        return None


def get_manifest(access: Access, reference: str) -> Manifest:
    """Read a manifest; raises `NotFound`, and `ContentMismatch` for other bytes than asked for.

    Bytes that are not what they should be are asked for once more: an answer without a length may
    have been cut off.
    """
    wanted = _digest(reference)
    answer = _read(access, reference)
    said = wanted or _digest(answer.headers.get("docker-content-digest", ""))
    if said is not None and Digest.of(answer.body, said.algorithm) != said:
        answer = _read(access, reference)
    algorithm = wanted.algorithm if wanted else "sha256"
    actual = Digest.of(answer.body, algorithm)
    if wanted is not None and actual != wanted:
        raise ContentMismatch(
            f"asked for manifest {wanted}, got bytes that hash to {actual}",
            expected=wanted,
            got=actual,
            hint="the registry, or a cache in front of it, serves something else",
        )
    return Manifest.parse(answer.body, answer.headers.get("content-type"), algorithm=algorithm)


def _read(access: Access, reference: str) -> Answer:
    answer = access.ask("GET", f"manifests/{reference}", _ACCEPT, limit=MAX_MANIFEST_BYTES)
    if not answer.ok:
        raise error_of(answer)
    return answer


def put_manifest(access: Access, manifest: Manifest, reference: str) -> None:
    """Store a manifest under a tag or its digest; raises `TagExists` for a tag that is fixed.

    A registry that keeps failing is asked whether it has stored the manifest all the same: a
    proxy may have lost the answer.
    """
    headers = {"Content-Type": manifest.media_type}
    try:
        answer = access.retry_once_if_forbidden(
            "PUT", f"manifests/{reference}", headers, body=manifest.raw
        )
    except Unreachable:
        if _is_stored(access, manifest, reference):
            return
        raise
    if answer.ok:
        return
    error = error_of(answer)
    if answer.status in {400, 405, 409, 412} and _digest(reference) is None and _is_fixed(answer):
        if _is_stored(access, manifest, reference):
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


def _is_stored(access: Access, manifest: Manifest, reference: str) -> bool:
    try:
        held = head_manifest(access, reference)
    except RegimportError:
        return False
    return held is not None and held.digest == manifest.digest


def points_to(access: Access, manifest: Manifest, reference: str) -> bool:
    """Ask whether a tag or a digest points to this manifest.

    True also where the registry does not say.
    """
    path = f"manifests/{reference}"
    answer = access.ask("HEAD", path, _ACCEPT)
    if answer.status == HTTPStatus.NOT_FOUND:
        return False
    if not answer.ok:
        return True
    named = answer.headers.get("docker-content-digest", "")
    if named.startswith(f"{manifest.digest.algorithm}:"):
        return named == manifest.digest
    # It does not say, or by another algorithm: the bytes do.
    answer = access.ask("GET", path, _ACCEPT, limit=MAX_MANIFEST_BYTES)
    return not answer.ok or answer.body == manifest.raw


def _is_fixed(answer: Answer) -> bool:
    body = answer.body[:4096].lower()
    return b"immutable" in body or b"imagetagalreadyexists" in body or b"tag_invalid" in body


def _descriptor(answer: Answer, reference: str) -> Descriptor | None:
    """Read a HEAD answer; None unless it says all there is to know."""
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
