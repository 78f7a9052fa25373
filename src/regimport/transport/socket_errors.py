"""The errors of sockets, as httpx's exceptions."""

from __future__ import annotations

import errno
from types import TracebackType

import httpx

__all__ = ["CLOSED", "MapSocketErrors", "explain"]

# How a connection ends that the peer closed while it was idle.
CLOSED = (ConnectionResetError, BrokenPipeError, EOFError)


class MapSocketErrors:
    """Raises httpx's exceptions in the place of a socket's: `error`, or `timeout_error`."""

    __slots__ = ("_error", "_timeout_error")

    def __init__(
        self, error: type[httpx.TransportError], timeout_error: type[httpx.TransportError]
    ) -> None:
        self._error = error
        self._timeout_error = timeout_error

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, TimeoutError):
            raise self._timeout_error(str(error) or "timed out") from error
        if isinstance(error, CLOSED) and self._error is not httpx.ConnectError:
            raise httpx.RemoteProtocolError(explain(error)) from error
        if isinstance(error, (OSError, EOFError)):
            raise self._error(explain(error)) from error


def explain(error: BaseException) -> str:
    """Return what went wrong, without the number that the system has for it."""
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return "too many files are open; raise the limit with `ulimit -n`"
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__
