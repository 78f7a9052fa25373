"""Google: access tokens for Artifact Registry and Container Registry.

Who is logged in is found by google-auth's application default credentials.
"""

from __future__ import annotations

import datetime as dt
import logging
import warnings
from typing import Any

import google.auth
import google.auth.exceptions
import google.auth.transport.requests

from regimport.clouds.lease import Lease, NoLogin
from regimport.models.credential import Credential

__all__ = ["lease"]

# The user name that goes with an access token (Artifact Registry, "Configure authentication").
_USERNAME = "oauth2accesstoken"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# What is known of a token that does not say when it ends, in seconds.
_DEFAULT_LIFE = 600.0

logging.getLogger("google.auth").addHandler(logging.NullHandler())


def lease(_registry: str) -> Lease:
    """Give an access token for Google's registries; raises `NoLogin`."""
    try:
        with warnings.catch_warnings():
            # A person's own login is as good here as a service account's.
            warnings.simplefilter("ignore")
            credentials: Any = google.auth.default(scopes=[_SCOPE])[0]
            credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as error:
        raise NoLogin(error) from None
    expiry = credentials.expiry
    life = _DEFAULT_LIFE
    if expiry is not None:
        life = (expiry.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
    return Lease(Credential(_USERNAME, str(credentials.token)), life)
