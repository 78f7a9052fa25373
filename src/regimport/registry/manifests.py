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
from regimport.large import one_large
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import ACCEPT_MANIFESTS, SCHEMA1_TYPES, essence
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of

__all__ = [
    "delete_manifest",
    "find_manifest",
    "find_tag",
    "get_manifest",
    "head_manifest",
    "points_to",
    "put_manifest",
]

_ACCEPT = {"Accept": ACCEPT_MANIFESTS}
_FORBIDDEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def head_manifest(client: RepositoryClient, reference: str) -> Descriptor | None:
    """Return what a tag or digest points to; None if it does not exist.

    HEAD is not counted as a pull. GET is sent where the answer to it is incomplete, and where it is
    a refusal: some registries, proxies and signed URLs know GET alone. A target that refuses the
    request is taken not to have the manifest, because writing it will tell; `find_tag` does not.
    """
    session = client.session
    at_target = session.side is Side.TARGET
    answer = _ask_head(client, reference) if at_target else _head(client, reference)
    found = _descriptor(answer, reference, at_target=at_target)
    if found is not None:
        return found
    if at_target and answer is not None and not answer.ok:
        if answer.status in _FORBIDDEN and session.refused is not None:
            raise error_of(answer)
        return None
    return _described_by_get(client, reference)


def find_manifest(client: RepositoryClient, reference: str) -> Descriptor | None:
    """Return what a tag or digest points to; None only where the registry says that it is absent.

    What HEAD does not find is asked for with GET; raise the error of an answer that says neither.
    """
    found = _descriptor(_head(client, reference), reference, at_target=False)
    return _described_by_get(client, reference) if found is None else found


def find_tag(client: RepositoryClient, tag: str) -> Descriptor | None:
    """Return what a tag points to; None only where the registry says that it does not exist.

    Raise `TagExists` if the registry says neither, and the error of an answer that says more
    (`AccessDenied`, `RateLimited`, `Unreachable`).
    """
    found = _descriptor(_head(client, tag), tag, at_target=True)
    try:
        return _described_by_get(client, tag) if found is None else found
    except RegistryError as error:
        if type(error) is not RegistryError:
            raise
        raise TagExists(
            f"the registry does not say whether the tag {tag} exists: {error.message}",
            method=error.method,
            url=error.url,
            status=error.status,
            hint="nothing was written there; leave `no_clobber` out to put the tag all the same",
        ) from error


def get_manifest(client: RepositoryClient, reference: str) -> Manifest:
    """Return a manifest, or raise `NotFound`, or `ContentMismatch` if the digest is wrong.

    If the digest is wrong, the manifest is requested once more: an answer without a length may
    have been truncated.
    """
    with one_large():
        return _get_manifest(client, reference)


def _get_manifest(client: RepositoryClient, reference: str) -> Manifest:
    wanted = _digest(reference)
    answer = _read(client, reference)
    said = wanted or _digest(answer.headers.get("docker-content-digest", ""))
    if said is not None and Digest.of(answer.body, said.algorithm) != said:
        answer = _read(client, reference)
    algorithm = wanted.algorithm if wanted else "sha256"
    actual = Digest.of(answer.body, algorithm)
    if wanted is not None and actual != wanted:
        if _is_schema1(answer):
            # Its digest leaves out the signatures in it, so this is no mismatch.
            Manifest.parse(answer.body, answer.headers.get("content-type"))
        raise ContentMismatch(
            f"the registry was asked for manifest {wanted}, but its answer hashes to {actual}",
            expected=wanted,
            got=actual,
            hint="the registry, or a cache in front of it, serves other content",
        )
    return Manifest.parse(answer.body, answer.headers.get("content-type"), algorithm=algorithm)


def _is_schema1(answer: Answer) -> bool:
    return essence(answer.headers.get("content-type")) in SCHEMA1_TYPES


def _head(client: RepositoryClient, reference: str) -> Answer | None:
    """Return the answer to HEAD; None where the registry keeps failing at it."""
    try:
        return _ask_head(client, reference)
    except Unreachable as error:
        if error.status is None:
            raise
        return None


def _ask_head(client: RepositoryClient, reference: str) -> Answer:
    return client.ask("HEAD", f"manifests/{reference}", _ACCEPT)


def _described_by_get(client: RepositoryClient, reference: str) -> Descriptor | None:
    try:
        return get_manifest(client, reference).descriptor
    except NotFound:
        return None


def _ask_get(client: RepositoryClient, reference: str) -> Answer:
    return client.ask("GET", f"manifests/{reference}", _ACCEPT, limit=MAX_MANIFEST_BYTES)


def _read(client: RepositoryClient, reference: str) -> Answer:
    answer = _ask_get(client, reference)
    if not answer.ok:
        raise error_of(answer)
    return answer


def put_manifest(client: RepositoryClient, manifest: Manifest, reference: str) -> bool:
    """Store a manifest under a tag or its digest, or raise `TagExists` for an immutable tag.

    Return whether the registry lists it for its subject, if it has one, which `OCI-Subject` says
    (OCI distribution specification, "Pushing Manifests with Subject"). If the registry keeps
    failing, it is asked whether it has stored the manifest: a proxy may have lost the answer.
    """
    headers = {"Content-Type": manifest.media_type}
    try:
        answer = client.retry_once_if_forbidden(
            "PUT", f"manifests/{reference}", headers, body=manifest.raw
        )
    except Unreachable:
        if _is_stored(client, manifest, reference):
            return manifest.subject is None
        raise
    if answer.ok:
        named = answer.headers.get("oci-subject")
        return manifest.subject is None or named == manifest.subject.digest
    error = error_of(answer)
    if (
        answer.status in {400, 405, 409, 412}
        and _digest(reference) is None
        and _says_immutable(answer)
    ):
        if _is_stored(client, manifest, reference):
            return manifest.subject is None
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


def delete_manifest(client: RepositoryClient, reference: str) -> None:
    """Ask the registry to delete a tag, or a manifest by digest with all its tags.

    Raise the error of its answer, with the status (OCI distribution specification, "Content
    Management"): many registries take a digest alone, and some nothing at all.
    """
    scopes = (f"repository:{client.repository}:pull,delete",)
    url = f"{client.repository}/manifests/{reference}"
    answer = client.session.ask(Request("DELETE", url, scopes))
    if not answer.ok:
        raise error_of(answer)


def _is_stored(client: RepositoryClient, manifest: Manifest, reference: str) -> bool:
    try:
        held = head_manifest(client, reference)
    except RegimportError:
        return False
    return held is not None and held.digest == manifest.digest


def points_to(client: RepositoryClient, manifest: Manifest, reference: str) -> bool | None:
    """Return whether a tag or a digest points to this manifest; None if the registry says neither.

    Where HEAD is refused, or names no digest of this algorithm, the bytes that GET returns decide.
    """
    answer = _head(client, reference)
    if answer is not None and answer.status == HTTPStatus.NOT_FOUND:
        return False
    if answer is not None and answer.ok:
        named = answer.headers.get("docker-content-digest", "")
        if named.startswith(f"{manifest.digest.algorithm}:"):
            return named == manifest.digest
    answer = _ask_get(client, reference)
    if answer.status == HTTPStatus.NOT_FOUND:
        return False
    return answer.body == manifest.raw if answer.ok else None


def _says_immutable(answer: Answer) -> bool:
    body = answer.body[:4096].lower()
    return b"immutable" in body or b"imagetagalreadyexists" in body or b"tag_invalid" in body


def _descriptor(answer: Answer | None, reference: str, *, at_target: bool) -> Descriptor | None:
    """Return the descriptor in a HEAD answer; None if the answer is a refusal, or incomplete.

    Its size is what HEAD says, which is not always the length of what GET returns.
    """
    if answer is None or not answer.ok:
        return None
    digest = _digest(reference) or _digest(answer.headers.get("docker-content-digest", ""))
    if at_target and digest is not None and ":" not in reference:
        # What a target's tag points to is compared with an image that is named by sha256.
        digest = digest if digest.algorithm == "sha256" else None
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
