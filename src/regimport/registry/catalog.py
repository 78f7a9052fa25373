"""The list of repositories of a registry: what Docker's registry calls its catalog."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from regimport.errors import RegimportError, RegistryError
from regimport.models.reference import is_repository
from regimport.registry.listing import Listed, list_pages
from regimport.registry.session import Session

__all__ = ["catalog_pages"]

_REPOSITORIES = Listed("repositories", "repository", is_repository)
# The scope that Docker's registry asks for, and the largest page that it sends (distribution,
# "Listing Repositories"); others send less, and name the next page.
_SCOPES = ("registry:catalog:*",)
_PAGE = "_catalog?n=1000"
# How registries answer that do not have the list, or keep it from users.
_NOT_LISTED = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)


def catalog_pages(session: Session) -> Iterator[list[str]]:
    """Yield the repositories of a registry page by page, as `list_pages` does.

    Many registries have no such list, or keep it to administrators: then the error says so.
    """
    registry = session.registry
    try:
        yield from list_pages(session, registry, _PAGE, _SCOPES, _REPOSITORIES)
    except RegimportError as error:
        error.located(session.side, registry)
        if isinstance(error, RegistryError) and error.status in _NOT_LISTED:
            error.because(f"{registry} does not list its repositories for this user")
        raise
