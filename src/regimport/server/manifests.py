"""The routes of manifests, and of the listings of tags, repositories and referrers."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regimport.errors import InvalidManifest
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import OCI_INDEX
from regimport.models.tag import is_tag
from regimport.server.answers import Refusal, asked_digest, asked_repository
from regimport.server.store import Store

__all__ = ["Manifests"]


class Manifests:
    """Answers requests for manifests and for listings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, request: Request) -> Response:
        """Answer GET and HEAD of a manifest; it is never converted to what the client accepts."""
        name, reference = asked_repository(request), _reference(request)
        found = self._store.resolve(name, reference)
        if found is None:
            raise self._unknown(name, reference)
        headers = {
            "Content-Length": str(found.size),
            "Content-Type": found.media_type,
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
        manifest = _parsed(await _body(request), request, reference)
        missing = self._store.missing(name, manifest)
        if missing:
            raise Refusal(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                f"{name} has not all that the manifest names: {', '.join(missing[:8])} missing",
                detail=[{"digest": digest} for digest in missing[:100]],
            )
        await run_in_threadpool(self._store.put_manifest, name, manifest, tags)
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


async def _body(request: Request) -> bytes:
    """Return a request's body, or raise `Refusal` if it is too large for a manifest."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_MANIFEST_BYTES:
            message = f"a manifest has at most {MAX_MANIFEST_BYTES} bytes"
            raise Refusal(413, "SIZE_INVALID", message)
    return bytes(body)


def _parsed(body: bytes, request: Request, reference: Digest | str) -> Manifest:
    content_type = request.headers.get("content-type")
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    try:
        manifest = Manifest.parse(body, content_type, algorithm=algorithm)
    except InvalidManifest as error:
        raise Refusal(400, "MANIFEST_INVALID", error.message) from error
    if isinstance(reference, Digest) and manifest.digest != reference:
        raise Refusal(400, "DIGEST_INVALID", f"the manifest hashes to {manifest.digest}")
    return manifest


def _page(request: Request, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the page that `n` and `last` select, and a header that links to the next one."""
    limit, last = request.query_params.get("n"), request.query_params.get("last")
    if limit is not None and not (limit.isascii() and limit.isdigit()):
        raise Refusal(400, "UNSUPPORTED", f"n is not a number: {limit[:80]!r}")
    rest = [name for name in names if last is None or name > last]
    page = rest if limit is None else rest[: int(limit)]
    if not page or len(page) == len(rest):
        return page, {}
    query = urlencode({"n": limit, "last": page[-1]})
    return page, {"Link": f'<{request.url.path}?{query}>; rel="next"'}
