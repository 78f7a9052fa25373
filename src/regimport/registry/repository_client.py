"""Requests about one repository of a registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from regimport.auth.tokens import Scopes
from regimport.errors import AccessDenied, RegimportError
from regimport.registry.request import SMALL, Request
from regimport.registry.session import Session
from regimport.transport.answers import Answer
from regimport.values import dataclass

__all__ = ["RepositoryClient"]


@dataclass(frozen=True, slots=True)
class RepositoryClient:
    """A repository, the session of its registry, and the token scopes for its requests."""

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
        """Send a small request about this repository; `path` follows the repository in the URL."""
        url = f"{self.repository}/{path}"
        return self.session.ask(
            Request(method, url, self.scopes, headers or {}, body=body, limit=limit)
        )

    def retry_once_if_forbidden(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, body: bytes = b""
    ) -> Answer:
        """Send a small write request, once more after a pause if it was forbidden.

        Some registries answer 403 now and then to what they allow a moment later (GHCR,
        Artifactory).
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
        """Add the repository to every error that passes through, and a reason to a refusal."""
        try:
            yield
        except RegimportError as error:
            error.located(self.session.side, self.name)
            if isinstance(error, AccessDenied):
                error.because(self.session.remark(self.repository))
            raise
