"""Error answers, in the form of the distribution specification."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regimport.errors import InvalidReference, RegimportError
from regimport.models.digest import Digest
from regimport.models.reference import is_repository

__all__ = [
    "Refusal",
    "answer_of",
    "asked_digest",
    "asked_repository",
    "broken",
    "failed",
    "refused",
]


class Refusal(Exception):
    """A request is refused, with an HTTP status and an error code of the specification."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        detail: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers


def refused(request: Request, error: Exception) -> Response:
    """Answer a `Refusal`."""
    del request
    assert isinstance(error, Refusal)
    return answer_of(error)


def answer_of(refusal: Refusal) -> Response:
    """Return the answer that says a `Refusal`."""
    return _answer(refusal.status, refusal.code, refusal.message, refusal.detail, refusal.headers)


def failed(request: Request, error: Exception) -> Response:
    """Answer a `RegimportError` of the layout, e.g. a full disk or a damaged file."""
    del request
    message = error.message if isinstance(error, RegimportError) else "internal error"
    return _answer(500, "UNKNOWN", message)


def broken(request: Request, error: Exception) -> Response:
    """End a request whose client has disconnected; nobody reads this answer."""
    del request, error
    return Response(status_code=400)


def asked_repository(request: Request) -> str:
    """Return the repository in the path, or raise `Refusal` if its name is not valid."""
    name: str = request.path_params["name"]
    if not is_repository(name):
        raise Refusal(400, "NAME_INVALID", f"invalid repository name {name[:300]!r}")
    return name


def asked_digest(text: str) -> Digest:
    """Read a digest of a request, or raise `Refusal` if it is not valid."""
    try:
        return Digest(text)
    except InvalidReference as error:
        raise Refusal(400, "DIGEST_INVALID", error.message) from error


def _answer(
    status: int,
    code: str,
    message: str,
    detail: object = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = {"code": code, "message": message, "detail": detail}
    return JSONResponse({"errors": [problem]}, status, headers)
