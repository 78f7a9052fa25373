"""The routes of manifests, and of the listings of tags, repositories and referrers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regimport.errors import InvalidManifest
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import OCI_INDEX, is_media_type
from regimport.models.tag import is_tag
from regimport.server.answers import Refusal, asked_digest, asked_repository
from regimport.server.store import Store

__all__ = ["Manifests"]

# Manifests of images have some kilobytes. Those above this size are few at a time in memory, and
# are parsed one after the other: as Python objects, they have many times their size.
LARGE_BYTES = 1024 * 1024
MAX_LARGE = 8
# How long a manifest may take to arrive: the slots for large ones must come free again.
BODY_SECONDS = 120


class Manifests:
    """Answers requests for manifests and for listings."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._large = asyncio.Semaphore(MAX_LARGE)
        self._parsing = asyncio.Lock()

    async def get(self, request: Request) -> Response:
        """Answer GET and HEAD of a manifest; it is never converted to what the client accepts."""
        name, reference = asked_repository(request), _reference(request)
        found = self._store.resolve(name, reference)
        if found is None:
            raise self._unknown(name, reference)
        headers = {
            "Content-Length": str(found.size),
            "Content-Type": _served_type(found.media_type),
            "Docker-Content-Digest": found.digest,
            "ETag": f'"{found.digest}"',
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        content = self._store.content(found.digest)
        if content is None:
            raise self._unknown(name, reference)
        headers["Content-Length"] = str(len(content))
        return Response(content, headers=headers)

    async def put(self, request: Request) -> Response:
        """Answer PUT of a manifest, under a tag, or by digest with tags in the query."""
        name, reference = asked_repository(request), _reference(request)
        by_digest = isinstance(reference, Digest)
        tags = request.query_params.getlist("tag") if by_digest else [reference]
        if not all(map(is_tag, tags)):
            raise Refusal(400, "MANIFEST_INVALID", "invalid tag in the query")
        manifest = await self._received(request, name, reference, tags)
        response = Response(status_code=201)
        response.headers["Location"] = f"/v2/{name}/manifests/{reference}"
        response.headers["Docker-Content-Digest"] = manifest.digest
        if manifest.subject is not None:
            response.headers["OCI-Subject"] = manifest.subject.digest
        for tag in tags if by_digest else ():
            response.headers.append("OCI-Tag", tag)
        return response

    async def delete(self, request: Request) -> Response:
        """Answer DELETE of a tag, or of a manifest with all its tags."""
        name, reference = asked_repository(request), _reference(request)
        if isinstance(reference, Digest):
            gone = await run_in_threadpool(self._store.delete_manifest, name, reference)
        else:
            gone = await run_in_threadpool(self._store.delete_tag, name, reference)
        if not gone:
            raise self._unknown(name, reference)
        return Response(status_code=202)

    async def tags(self, request: Request) -> Response:
        """Answer GET of a repository's tags."""
        name = asked_repository(request)
        if not self._store.exists(name):
            raise self._name_unknown(name)
        page, headers = _page(request, self._store.tags(name))
        return JSONResponse({"name": name, "tags": page}, headers=headers)

    async def catalog(self, request: Request) -> Response:
        """Answer GET of all repositories."""
        page, headers = _page(request, self._store.repositories())
        return JSONResponse({"repositories": page}, headers=headers)

    async def referrers(self, request: Request) -> Response:
        """Answer GET of the referrers of a subject, all or those of one artifactType."""
        name, subject = asked_repository(request), asked_digest(request.path_params["digest"])
        found = await run_in_threadpool(self._store.referrers, name, subject)
        headers = {}
        wanted = request.query_params.get("artifactType")
        if wanted:
            found = [referrer for referrer in found if referrer.get("artifactType") == wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return JSONResponse(index, headers=headers, media_type=OCI_INDEX)

    async def _received(
        self, request: Request, name: str, reference: Digest | str, tags: Sequence[str]
    ) -> Manifest:
        """Read the manifest of a request, and store it; large ones one after the other."""
        content_type = request.headers.get("content-type")
        async with AsyncExitStack() as turns:
            body = await self._body(request, turns)
            if len(body) > LARGE_BYTES:
                await turns.enter_async_context(self._parsing)
            return await run_in_threadpool(self._keep, name, body, content_type, reference, tags)

    async def _body(self, request: Request, turns: AsyncExitStack) -> bytes:
        """Return a request's body, or raise `Refusal` if it is too large or too slow.

        A large one waits for its turn, which ends with `turns`.
        """
        body, large = bytearray(), False
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.stream():
                    body += piece
                    if len(body) > MAX_MANIFEST_BYTES:
                        message = f"a manifest has at most {MAX_MANIFEST_BYTES} bytes"
                        raise Refusal(413, "SIZE_INVALID", message)
                    if len(body) > LARGE_BYTES and not large:
                        large = True
                        await turns.enter_async_context(self._large)
        except TimeoutError as error:
            message = f"the manifest was not received within {BODY_SECONDS} seconds"
            raise Refusal(408, "SIZE_INVALID", message) from error
        return bytes(body)

    def _keep(
        self,
        name: str,
        body: bytes,
        content_type: str | None,
        reference: Digest | str,
        tags: Sequence[str],
    ) -> Manifest:
        manifest = _parsed(body, content_type, reference)
        missing = self._store.missing(name, manifest)
        if missing:
            raise Refusal(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                f"{name} has not all that the manifest names: {', '.join(missing[:8])} missing",
                detail=[{"digest": digest} for digest in missing[:100]],
            )
        self._store.put_manifest(name, manifest, tags)
        return manifest

    def _unknown(self, name: str, reference: str) -> Refusal:
        if not self._store.exists(name):
            return self._name_unknown(name)
        detail = {"reference": reference}
        return Refusal(
            404, "MANIFEST_UNKNOWN", f"{name} has no manifest {reference}", detail=detail
        )

    def _name_unknown(self, name: str) -> Refusal:
        return Refusal(404, "NAME_UNKNOWN", f"there is no repository {name}", detail={"name": name})


def _reference(request: Request) -> Digest | str:
    reference: str = request.path_params["reference"]
    if ":" in reference:
        return asked_digest(reference)
    if not is_tag(reference):
        raise Refusal(400, "MANIFEST_INVALID", f"invalid tag {reference[:160]!r}")
    return reference


def _parsed(body: bytes, content_type: str | None, reference: Digest | str) -> Manifest:
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    try:
        manifest = Manifest.parse(body, content_type, algorithm=algorithm)
    except InvalidManifest as error:
        raise Refusal(400, "MANIFEST_INVALID", error.message) from error
    if isinstance(reference, Digest) and manifest.digest != reference:
        raise Refusal(400, "DIGEST_INVALID", f"the manifest hashes to {manifest.digest}")
    for member, text in (
        ("mediaType", manifest.media_type),
        ("artifactType", manifest.artifact_type),
    ):
        if text and not is_media_type(text):
            raise Refusal(400, "MANIFEST_INVALID", f"its {member} is no media type (RFC 6838)")
    return manifest


def _served_type(media_type: str) -> str:
    """Return the Content-Type of a manifest: a browser must not take it for a page or an image."""
    shown = is_media_type(media_type) and media_type.lower().startswith("application/")
    return media_type if shown else "application/octet-stream"


def _page(request: Request, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the page that `n` and `last` select, and a header that links to the next one."""
    limit, last = request.query_params.get("n"), request.query_params.get("last")
    if limit is not None and not (limit.isascii() and limit.isdigit() and len(limit) <= 9):
        raise Refusal(400, "UNSUPPORTED", f"n is not a number: {limit[:80]!r}")
    rest = [name for name in names if last is None or name > last]
    page = rest if limit is None else rest[: int(limit)]
    if not page or len(page) == len(rest):
        return page, {}
    query = urlencode({"n": limit, "last": page[-1]})
    return page, {"Link": f'<{request.url.path}?{query}>; rel="next"'}
