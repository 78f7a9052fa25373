"""Each way in which users have seen an import fail, with Azure's words, and what we say of it."""

from __future__ import annotations

import pytest

from regimport import (
    AccessDenied,
    Credential,
    NotFound,
    RateLimited,
    RegimportError,
    RegistryError,
    TagExists,
    Unreachable,
)
from support.azure_cloud import HOST, Cloud
from support.miniature import as_json
from support.resource_manager import failure, resource_id

SOURCE = "registry.example/team/app:1"
_PREFIX = (
    "Operation registries-4254c91c-f47d-11e9-95e8-186024958e56 failed. "
    f"Resource {resource_id('myregistry')} "
)
_DENIED = (
    'Invalid message Forbidden Forbidden {"errors":[{"code":"DENIED","message":"client with IP '
    "'20.0.0.1' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.\"}]}"
)
_UNAUTHORIZED = (
    'Invalid message Unauthorized Unauthorized {"errors":[{"code":"UNAUTHORIZED","message":"Access '
    'to the requested resource is not authorized"}]}'
)
_LIMITED = 'Invalid message 429 {"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}'
# What Azure says, the error here, where it is, and a word of the hint.
CASES = {
    "Azure/azure-cli#10938": (
        "app:1 Tag app:1 already exists in target registry.",
        TagExists,
        "target",
        "no_clobber",
    ),
    "MicrosoftDocs/azure-docs#115975": (_DENIED, AccessDenied, "source", "trusted services"),
    "Azure/acr#449": (_UNAUTHORIZED, AccessDenied, "source", "send_credentials"),
    "Azure/acr#571": (
        "Access to other.azurecr.io denied.",
        AccessDenied,
        "source",
        "Data Importer",
    ),
    "Azure/acr#632": ("Error copying blobs", RegistryError, "source", "range requests"),
    "azure-docs#120473, compliance": (
        "The remote server may not be RFC 7233 compliant",
        RegistryError,
        "source",
        "without `server_side`",
    ),
    "azure-docs#120473, status": (
        "Unexpected response status code",
        RegistryError,
        "source",
        "without `server_side`",
    ),
    "azure-docs#120473, length": (
        "Unexpected length of body in response",
        RegistryError,
        "source",
        "without `server_side`",
    ),
    "Docker Hub's limit": (_LIMITED, RateLimited, "source", "source_credential"),
    "no such image": ("manifest unknown", NotFound, "source", "spelling"),
}


@pytest.mark.parametrize("by_location", [True, False], ids=["status", "operation"])
@pytest.mark.parametrize("case", CASES)
def test_a_failure_that_users_report_is_told_so_that_it_can_be_mended(
    cloud: Cloud, case: str, by_location: bool
) -> None:
    said, kind, side, hint = CASES[case]
    error = failed(cloud, _PREFIX + said, by_location=by_location)
    assert type(error) is kind
    assert (error.side, hint in (error.hint or "")) == (side, True)
    place = HOST if side == "target" else "registry.example"
    assert error.registry == place
    assert isinstance(error, RegistryError)
    assert error.codes == ("InvalidParameters",)
    # Without what is the same in all of them, and with what Azure's support asks for.
    assert "Operation registries-" not in error.message
    assert said in error.message
    assert "correlation ID at Azure: abc-1" in error.message


def test_a_failure_that_nobody_has_seen_is_shown_as_azure_tells_it(cloud: Cloud) -> None:
    error = failed(cloud, _PREFIX + "The moon is full", code="Moon")
    assert type(error) is RegistryError
    assert error.message.startswith("Azure answered: The moon is full")
    assert error.exit_code == 1


def test_no_secret_that_was_sent_comes_back_in_an_error(cloud: Cloud) -> None:
    given = Credential("ci", "s3cret-of-the-source")
    said = "Invalid message Unauthorized: ci:s3cret-of-the-source"
    error = failed(cloud, _PREFIX + said, source_credential=given)
    assert "s3cret-of-the-source" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "TooManyRequests", RateLimited),
        (401, "ExpiredAuthenticationToken", AccessDenied),
        (403, "Other", AccessDenied),
        (404, "SubscriptionNotFound", NotFound),
        (404, "Other", NotFound),
        (503, "ServerBusy", Unreachable),
        (409, "Conflict", RegistryError),
    ],
)
def test_a_refusal_to_start_has_the_exit_code_of_its_kind(
    cloud: Cloud, status: int, code: str, kind: type[RegimportError]
) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.refusing = as_json({"error": failure("no", code)}, status)
    report = cloud.run(SOURCE, f"{HOST}/app", check=False)
    (error,) = report.failures
    assert type(error) is kind
    assert (error.side, error.registry) == ("target", HOST)


def failed(
    cloud: Cloud,
    said: str,
    *,
    code: str = "InvalidParameters",
    by_location: bool = True,
    **more: object,
) -> RegimportError:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.failing = failure(said, code)
    cloud.manager.by_location = by_location
    (error,) = cloud.run(SOURCE, f"{HOST}/app", check=False, **more).failures
    return error
