"""The embedded registry: the OCI distribution API for a folder with an image layout."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from regimport.errors import RegimportError
from regimport.server.answers import Refusal, broken, failed, refused
from regimport.server.blobs import Blobs
from regimport.server.manifests import Manifests
from regimport.server.store import Store

__all__ = ["create_app"]


def create_app(directory: str | Path) -> Starlette:
    """Return the ASGI application that serves `directory`; a new folder becomes a layout.

    Raise `UsageError` for a folder with other content. There is no authentication.
    """
    store = Store(directory)
    return Starlette(
        routes=_routes(Manifests(store), Blobs(store)),
        exception_handlers={
            Refusal: refused,
            RegimportError: failed,
            ClientDisconnect: broken,
            HTTPException: _unsupported,
        },
    )


def _routes(manifests: Manifests, blobs: Blobs) -> list[Route]:
    """Return the endpoints, those with the most requests first.

    A repository's name may contain a part `blobs` or `manifests`: the longest possible name is
    matched.
    """
    blob, session = "/v2/{name:path}/blobs/{digest}", "/v2/{name:path}/blobs/uploads/{session}"
    manifest = "/v2/{name:path}/manifests/{reference}"
    return [
        Route("/v2/{name:path}/blobs/uploads/", blobs.start, methods=["POST"]),
        Route("/v2/{name:path}/blobs/uploads", blobs.start, methods=["POST"]),
        Route(session, blobs.status, methods=["GET"]),
        Route(session, blobs.append, methods=["PATCH"]),
        Route(session, blobs.finish, methods=["PUT"]),
        Route(session, blobs.cancel, methods=["DELETE"]),
        Route(blob, blobs.get, methods=["GET", "HEAD"]),
        Route(blob, blobs.delete, methods=["DELETE"]),
        Route(manifest, manifests.get, methods=["GET", "HEAD"]),
        Route(manifest, manifests.put, methods=["PUT"]),
        Route(manifest, manifests.delete, methods=["DELETE"]),
        Route("/v2/{name:path}/referrers/{digest}", manifests.referrers, methods=["GET"]),
        Route("/v2/{name:path}/tags/list", manifests.tags, methods=["GET"]),
        Route("/v2/_catalog", manifests.catalog, methods=["GET"]),
        Route("/v2/", _version, methods=["GET"]),
        Route("/v2", _version, methods=["GET"]),
    ]


async def _version(request: Request) -> Response:
    """Answer the request by which clients recognise a registry."""
    del request
    return JSONResponse({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})


async def _unsupported(request: Request, error: Exception) -> Response:
    """Answer a request without a route: an unknown path, or a method that it does not allow."""
    assert isinstance(error, HTTPException)
    problem = {
        "code": "UNSUPPORTED" if error.status_code == 405 else "NAME_UNKNOWN",
        "message": f"{request.method} of this path: {error.detail}",
        "detail": None,
    }
    return JSONResponse({"errors": [problem]}, error.status_code, error.headers)
