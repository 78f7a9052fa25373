"""The embedded registry: the OCI distribution API over a folder with an image layout."""

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
    """Give the ASGI application that serves `directory`, which is made a layout if it is new.

    Raises `UsageError` for a folder that holds something else. Nobody is asked who they are.
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
    """List the endpoints, those of the most requests first.

    A repository's name may itself have a part `blobs` or `manifests`; it is taken as long as it
    can be.
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
    """Say that this is a registry."""
    del request
    return JSONResponse({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})


async def _unsupported(request: Request, error: Exception) -> Response:
    """Answer what no route takes: an unknown path, or a method that a path does not have."""
    assert isinstance(error, HTTPException)
    problem = {
        "code": "UNSUPPORTED" if error.status_code == 405 else "NAME_UNKNOWN",
        "message": f"{request.method} of this path: {error.detail}",
        "detail": None,
    }
    return JSONResponse({"errors": [problem]}, error.status_code, error.headers)
