"""The referrers of a manifest, as a registry lists them."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from regimport.errors import InvalidManifest, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import ACCEPT_MANIFESTS, OCI_INDEX, essence
from regimport.models.referrers import COSIGN_SUFFIXES, fallback_tag
from regimport.redact import safe_text, safe_url
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import next_page

__all__ = ["list_referrers", "peek"]

# More than any registry sends of what is allowed here, and an end for one that pages for ever.
_MAX_PAGES = 100
# How registries say that they do not know the API: 404 is the specification's word, the others are
# those of proxies and of older ones.
_UNSUPPORTED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_ACCEPTABLE,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)
_ACCEPT = {"Accept": OCI_INDEX}
# How much of an artifact type is shown, in characters.
_SHOWN = 80


def list_referrers(
    client: RepositoryClient, subject: Digest, artifact_type: str | None = None
) -> tuple[Descriptor, ...] | None:
    """Return the manifests that refer to `subject`, each once; None if there is no such API.

    The API is that of the OCI distribution specification 1.1, "Listing Referrers". With an
    `artifact_type`, the registry may leave out others, which it says in `OCI-Filters-Applied`; the
    caller has to look anyway, as entries may lack their type. Raise `RegistryError` or
    `InvalidManifest` for a list that cannot be read to its end.
    """
    query = "" if artifact_type is None else "?" + urlencode({"artifactType": artifact_type})
    url: str | None = f"{client.repository}/referrers/{subject}{query}"
    found: dict[Digest, Descriptor] = {}
    read: set[str] = set()
    while url is not None:
        answer = client.session.ask(
            Request("GET", url, client.scopes, _ACCEPT, limit=MAX_MANIFEST_BYTES)
        )
        page = _page(answer)
        if page is None and not read and (answer.ok or answer.status in _UNSUPPORTED):
            return None
        if page is None:
            raise error_of(answer) if not answer.ok else _endless(client, "a page is not an index")
        read.add(answer.url)
        found |= {entry.digest: entry for entry in page}
        url = next_page(answer.url, answer.headers.get("link", ""))
        if url in read:
            raise _endless(client, f"its next page is one that was read before, {safe_url(url)}")
        if url is not None and len(read) >= _MAX_PAGES:
            raise _endless(client, f"it has more than {_MAX_PAGES} pages")
    return tuple(found.values())


def peek(client: RepositoryClient, subject: Digest) -> list[str]:
    """Return in words what belongs to a manifest, without a request that counts as a pull.

    Each question is asked once, and what is not answered is left out.
    """
    url = f"{client.repository}/referrers/{subject}"
    answer = client.session.peek(
        Request("GET", url, client.scopes, _ACCEPT, limit=MAX_MANIFEST_BYTES)
    )
    try:
        page = None if answer is None else _page(answer)
    except InvalidManifest:
        return []
    if page is not None:
        types = (entry.artifact_type or "a referrer" for entry in page)
        found = list(dict.fromkeys(safe_text(kind, _SHOWN) for kind in types))
    elif answer is not None and (answer.ok or answer.status in _UNSUPPORTED):
        found = ["referrers"] if _lists_referrers(client, subject) else []
    else:
        # No answer: the next questions would have none either.
        return []
    tags = [f"{fallback_tag(subject)}{suffix}" for suffix in COSIGN_SUFFIXES]
    heads = [(tag, _head(client, tag)) for tag in tags if subject.algorithm == "sha256"]
    return found + [f"the tag {tag}" for tag, head in heads if head is not None and head.ok]


def _lists_referrers(client: RepositoryClient, subject: Digest) -> bool:
    """Return whether a registry without the API has a list of the referrers of `subject`."""
    head = _head(client, fallback_tag(subject))
    if head is None or not head.ok:
        return False
    is_index = essence(head.headers.get("content-type")) == OCI_INDEX
    return is_index and head.headers.get("docker-content-digest") != subject


def _head(client: RepositoryClient, tag: str) -> Answer | None:
    url = f"{client.repository}/manifests/{tag}"
    return client.session.peek(Request("HEAD", url, client.scopes, {"Accept": ACCEPT_MANIFESTS}))


def _page(answer: Answer) -> tuple[Descriptor, ...] | None:
    """Return the entries of an answer; None if it is not an index.

    Raise `InvalidManifest` for what is called an index, and cannot be read as one.
    """
    if not answer.ok:
        return None
    try:
        index = Manifest.parse(answer.body, OCI_INDEX)
    except InvalidManifest:
        if essence(answer.headers.get("content-type")) == OCI_INDEX:
            raise
        return None
    return index.manifests if index.media_type == OCI_INDEX else None


def _endless(client: RepositoryClient, reason: str) -> RegistryError:
    return RegistryError(
        f"the list of referrers of {client.name} cannot be read to its end: {reason}",
        hint="copy without `referrers`, or ask who runs the registry",
    )
