"""AWS: passwords for Elastic Container Registry, private and public, and its repositories.

boto3 finds the login: the environment, profiles, a role of the machine.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from regimport.clouds.hosts import ECR_PUBLIC, ecr_host
from regimport.clouds.login import NoLogin, TemporaryCredential
from regimport.environment import own_variables_hidden
from regimport.errors import AccessDenied
from regimport.models.credential import Credential
from regimport.redact import safe_text

__all__ = ["create_repository", "get_credential"]

# The only region that issues passwords for the public registry (ECR's user guide).
_PUBLIC_REGION = "us-east-1"


def get_credential(registry: str) -> TemporaryCredential:
    """Return a user name and password for a registry of AWS, or raise `NoLogin`."""
    host = ecr_host(registry)
    try:
        if host is None:
            data = _client(registry).get_authorization_token()["authorizationData"]
        else:
            answer = _client(registry).get_authorization_token(registryIds=[host.account])
            data = answer["authorizationData"][0]
        pair = base64.b64decode(data["authorizationToken"]).decode()
        expires: dt.datetime = data["expiresAt"]
    except (BotoCoreError, ClientError, KeyError, IndexError, ValueError) as error:
        raise NoLogin(error) from None
    username, _, password = pair.partition(":")
    seconds = (expires - dt.datetime.now(dt.UTC)).total_seconds()
    return TemporaryCredential(Credential(username, password), seconds)


def create_repository(registry: str, repository: str) -> bool:
    """Create a repository in a registry of AWS; return False if it already exists.

    Raise `AccessDenied`.
    """
    # In the public registry, the first part is the registry's alias and not part of the name.
    name = repository.partition("/")[2] if registry == ECR_PUBLIC else repository
    try:
        with own_variables_hidden():
            _client(registry).create_repository(repositoryName=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "RepositoryAlreadyExistsException":
            return False
        raise _denied(registry, repository, error) from None
    except BotoCoreError as error:
        raise _denied(registry, repository, error) from None
    return True


def _client(registry: str) -> Any:
    host = ecr_host(registry)
    if host is None:
        return boto3.session.Session().client("ecr-public", region_name=_PUBLIC_REGION)
    config = Config(use_fips_endpoint=True) if host.fips else None
    return boto3.session.Session().client("ecr", region_name=host.region, config=config)


def _denied(registry: str, repository: str, error: Exception) -> AccessDenied:
    return AccessDenied(
        f"the repository could not be created: {safe_text(str(error))}",
        hint="check who is logged in at AWS, and the right ecr:CreateRepository",
        registry=registry,
        repository=repository,
    )
