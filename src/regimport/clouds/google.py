"""Google: access tokens for Artifact Registry and Container Registry.

google-auth's application default credentials find the login.
"""

from __future__ import annotations

import datetime as dt
import logging
import warnings
from typing import Any

import google.auth
import google.auth.exceptions
import google.auth.transport.requests

from regimport.clouds.login import NoLogin, TemporaryCredential
from regimport.models.credential import Credential

__all__ = ["get_credential"]

# The user name that goes with an access token (Artifact Registry, "Configure authentication").
_USERNAME = "oauth2accesstoken"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# How long a token is taken to be valid if it does not say, in seconds.
_DEFAULT_LIFE = 600.0

logging.getLogger("google.auth").addHandler(logging.NullHandler())


def get_credential(_registry: str) -> TemporaryCredential:
    """Return an access token for Google's registries, or raise `NoLogin`."""
    try:
        with warnings.catch_warnings():
            # The library warns about a user's own login, which is as good here as any other.
            warnings.simplefilter("ignore")
            credentials: Any = google.auth.default(scopes=[_SCOPE])[0]
            credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as error:
        raise NoLogin(error) from None
    if not credentials.token:
        raise NoLogin("the login has no access token")
    expiry = credentials.expiry
    life = _DEFAULT_LIFE
    if expiry is not None:
        life = (expiry.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
    return TemporaryCredential(Credential(_USERNAME, str(credentials.token)), life)
