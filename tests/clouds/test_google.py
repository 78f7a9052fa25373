"""Google's login gives an access token, with the user name that goes with it."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import google.auth
import google.auth.exceptions
import pytest

from regimport.clouds import google as ours
from regimport.clouds.login import NoLogin
from regimport.models.credential import Credential


class Person:
    """What application default credentials are to us."""

    token: str | None = None
    expiry: dt.datetime | None = None
    life: dt.timedelta | None = dt.timedelta(hours=1)

    def refresh(self, _request: object) -> None:
        self.token = "ya29"
        if self.life is not None:
            self.expiry = (dt.datetime.now(dt.UTC) + self.life).replace(tzinfo=None)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    found = Person()

    def default(scopes: list[str]) -> tuple[Person, str]:
        assert scopes == ["https://www.googleapis.com/auth/cloud-platform"]
        warnings.warn("a person's credentials, without a quota project", stacklevel=1)
        return found, "project"

    monkeypatch.setattr(google.auth, "default", default)
    return found


def test_an_access_token_is_a_password(person: Person) -> None:
    found = ours.get_credential("europe-west3-docker.pkg.dev")
    assert found.credential == Credential("oauth2accesstoken", "ya29")
    assert 3500 < found.seconds <= 3600


def test_a_token_that_does_not_say_when_it_ends_is_renewed_soon(person: Person) -> None:
    person.life = None
    assert ours.get_credential("gcr.io").seconds == 600


@pytest.mark.parametrize(
    "error", [google.auth.exceptions.DefaultCredentialsError, google.auth.exceptions.RefreshError]
)
def test_nobody_being_logged_in_is_told_in_a_line(
    person: Person, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise error("nobody is logged in\nmore")

    monkeypatch.setattr(Person, "refresh", refuse)
    with pytest.raises(NoLogin) as caught:
        ours.get_credential("gcr.io")
    assert str(caught.value).startswith("nobody is logged in")
