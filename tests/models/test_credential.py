import base64
import traceback

import pytest

from regimport.models.credential import Credential


@pytest.mark.parametrize(
    "credential",
    [
        Credential("user", "hunter2"),
        Credential("user", identity_token="hunter2"),
        Credential(registry_token="hunter2"),
        Credential("", "hunter2", entra_token="hunter2"),
    ],
)
def test_no_text_form_of_a_credential_shows_its_secret(credential: Credential) -> None:
    shown = [repr(credential), str(credential), f"{credential}", f"{[credential]}"]
    shown += traceback.format_exception(ValueError(credential))
    assert not [text for text in shown if "hunter2" in text]


def test_a_repr_tells_whose_it_is_and_of_which_kind() -> None:
    assert repr(Credential("user", "hunter2")) == "<Credential user 'user' with a password, hidden>"
    assert "token" in repr(Credential(identity_token="x"))


@pytest.mark.parametrize("pair", ["user:pass", "u:a:b:c", ":token", "ü:ß", "u:"])
def test_a_basic_authorization_is_the_pair_in_base64(pair: str) -> None:
    username, _, password = pair.partition(":")
    scheme, _, encoded = Credential(username, password).basic().partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == pair
