"""One repository of one registry, and what it takes to ask there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from regimport.auth.tokens import Scopes
from regimport.errors import AccessDenied, RegimportError
from regimport.registry.request import SMALL, Request
from regimport.registry.session import Session
from regimport.transport.answers import Answer

__all__ = ["Access"]


@dataclass(frozen=True, slots=True)
class Access:
    """A repository, the session of its registry, and the scopes that are asked for there."""

    session: Session
    repository: str
    scopes: Scopes

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        limit: int = SMALL,
    ) -> Answer:
        """Make a small request about this repository; `path` is the part behind its name."""
        url = f"{self.repository}/{path}"
        return self.session.ask(
            Request(method, url, self.scopes, headers or {}, body=body, limit=limit)
        )

    def retry_once_if_forbidden(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, body: bytes = b""
    ) -> Answer:
        """Write something small, again after a pause if that was forbidden.

        Some registries forbid by chance what they allow a moment later (GHCR, Artifactory).
        """
        answer = self.ask(method, path, headers, body=body)
        if answer.status != HTTPStatus.FORBIDDEN:
            return answer
        self.session.pause()
        return self.ask(method, path, headers, body=body)

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.session.registry}/{self.repository}"

    @contextmanager
    def located(self) -> Iterator[None]:
        """Tell of every error that passes through where it happened, and of a refusal why."""
        try:
            yield
        except RegimportError as error:
            error.located(self.session.side, self.name)
            if isinstance(error, AccessDenied):
                error.because(self.session.remark(self.repository))
            raise
