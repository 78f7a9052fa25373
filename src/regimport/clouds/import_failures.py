"""What Azure says of an import that failed, in words that help.

An operation fails with the code `InvalidParameters`, and a message that may name the target where
the source is meant (Azure/azure-cli#31412), or say no more than "Error copying blobs"
(Azure/acr#632). The patterns are of messages that users have reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from regimport.errors import (
    AccessDenied,
    NotFound,
    RateLimited,
    RegimportError,
    RegistryError,
    Side,
    TagExists,
    Unreachable,
)
from regimport.redact import safe_text
from regimport.values import dataclass

__all__ = ["explained"]

_DIRECTLY = "copy the image without `server_side`"
_SEND = (
    "give `source_credential`, or send those that are found here with `send_credentials`; a source "
    "in Azure may be named by its resource ID (`source_registry`)"
)
_ROLE = (
    "the login needs the role Container Registry Data Importer and Data Reader at the target, and "
    "may read at a source in Azure"
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A failure that is known: how it is told, what it is here, and what to do about it."""

    pattern: str
    error: type[RegistryError]
    message: str
    hint: str
    side: Side = Side.SOURCE

    def told(self, said: str, status: int | None, codes: Sequence[str]) -> RegimportError:
        """Return the error, with what Azure said."""
        message = f"{self.message}: {said}" if said else self.message
        return self.error(message, status=status, codes=codes, hint=self.hint, side=self.side)


_KINDS = (
    _Kind(
        r"already exists in target registry",
        TagExists,
        "a target tag exists already",
        "leave out `no_clobber` to move it",
        Side.TARGET,
    ),
    # MicrosoftDocs/azure-docs#115975: the address was to be allowed at the source.
    _Kind(
        r"client with IP .* is not allowed access|aka\.ms/acr/firewall",
        AccessDenied,
        "the firewall of a registry does not let the import in; it is most often the source's, "
        "even if Azure names the target",
        "allow the address and trusted services in the networking of the source, and name a "
        "source in Azure by its resource ID (`source_registry`)",
    ),
    # Azure/acr#237: the rights to push do not include that to import.
    _Kind(
        r"AuthorizationFailed|does not have authorization|LinkedAuthorizationFailed",
        AccessDenied,
        "the login at Azure may not import images into this registry",
        _ROLE,
        Side.TARGET,
    ),
    # Docker Hub, asked by one of Azure's addresses.
    _Kind(
        r"toomanyrequests|too many requests|rate limit",
        RateLimited,
        "the source limits how much Azure may pull from it",
        "give `source_credential`, which has a limit of its own, or wait",
    ),
    # Azure/acr#571.
    _Kind(r"Access to \S+ denied", AccessDenied, "a registry denied access to the import", _ROLE),
    # Azure/acr#449.
    _Kind(
        r"unauthorized|authentication required|Forbidden|\bDENIED\b",
        AccessDenied,
        "the source did not let the import in",
        _SEND,
    ),
    # MicrosoftDocs/azure-docs#120473.
    _Kind(
        r"RFC 7233|Unexpected response status code|Unexpected length of body",
        RegistryError,
        "the source does not serve parts of blobs (range requests), as an import needs",
        _DIRECTLY,
    ),
    _Kind(
        r"manifest unknown|MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest .*not found|tag .*not found",
        NotFound,
        "the source has no such image for the import",
        "check the spelling; a private image may look like a missing one without credentials",
    ),
    # Azure/acr#632: the maintainers know of several causes.
    _Kind(
        r"Error copying blobs",
        RegistryError,
        "the registry could not copy a blob of the image, and does not say why",
        "the source may serve no range requests, or lack the blob; " + _DIRECTLY,
    ),
    _Kind(
        r"SubscriptionNotFound|InvalidSubscriptionId|ResourceGroupNotFound|ResourceNotFound",
        NotFound,
        "Azure has no such subscription, resource group or registry for this login",
        "check `subscription` and `target_registry`, and who is logged in at Azure",
        Side.TARGET,
    ),
    _Kind(
        r"InvalidAuthenticationToken|ExpiredAuthenticationToken|InvalidAuthenticationTokenTenant",
        AccessDenied,
        "Azure refused the login's token",
        "log in again (`az login`), in the tenant of the subscription",
        Side.TARGET,
    ),
)
# How a message of an operation begins: with the operation, and the target's resource ID.
_PREFIX = re.compile(r"^.*?Operation \S+ failed\. Resource \S+\s*", re.DOTALL)
_CORRELATION = "x-ms-correlation-request-id"


def explained(error: AzureError, registry: str, source: str) -> RegimportError:
    """Return the error of regimport for one of the client, with the place that it is about."""
    found = _explained(error)
    place = source if found.side is Side.SOURCE and source else registry
    side = found.side or Side.TARGET
    found.side = None
    return found.located(side, place)


def _explained(error: AzureError) -> RegimportError:
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        return Unreachable(
            f"Azure Resource Manager could not be reached: {safe_text(str(error), 300)}",
            hint="check the network, and $HTTPS_PROXY",
        )
    response = getattr(error, "response", None)
    if isinstance(error, ClientAuthenticationError) and response is None:
        lines = str(error.message).strip().splitlines()
        return AccessDenied(
            f"nobody is logged in at Azure: {safe_text(lines[0] if lines else '', 200)}",
            hint="log in with `az login`, or set the variables of a service principal",
        )
    code, said = _said(error)
    status = response.status_code if response is not None else None
    codes = () if code is None else (code,)
    # An answer of this status is Resource Manager's own limit, not the source's.
    kinds = () if status == 429 else _KINDS
    kind = next((each for each in kinds if _fits(each, code, said)), None)
    found = _by_status(status, said, codes) if kind is None else kind.told(said, status, codes)
    return found.because(_correlation(response))


def _fits(kind: _Kind, code: str | None, said: str) -> bool:
    return re.search(kind.pattern, f"{code} {said}", re.IGNORECASE) is not None


def _by_status(status: int | None, said: str, codes: Sequence[str]) -> RegimportError:
    message = f"Azure answered: {said or f'status {status}'}"
    if status == 429:
        return RateLimited(message, status=status, codes=codes, hint="try again later")
    if status in {401, 403}:
        return AccessDenied(message, status=status, codes=codes, hint=_ROLE)
    if status == 404:
        return NotFound(message, status=status, codes=codes, hint="check `target_registry`")
    if status is not None and status >= 500:
        return Unreachable(message, status=status, hint="try again later")
    return RegistryError(message, status=status, codes=codes, hint=_DIRECTLY)


def _said(error: AzureError) -> tuple[str | None, str]:
    """Return the code and the message of Azure, without what is the same in all messages."""
    detail: Any = error.error if isinstance(error, HttpResponseError) else None
    code = getattr(detail, "code", None)
    message = getattr(detail, "message", None) or str(error.message)
    return (
        None if code is None else safe_text(str(code), 80),
        safe_text(_PREFIX.sub("", str(message)), 600),
    )


def _correlation(response: Any) -> str | None:
    """Return the number under which Azure's support finds the request."""
    found = None if response is None else response.headers.get(_CORRELATION)
    return None if not found else f"correlation ID at Azure: {safe_text(str(found), 80)}"
