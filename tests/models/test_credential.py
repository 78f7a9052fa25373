import base64
import re
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


_NOT_SENDABLE = [
    (Credential("us\ner", "hunter2"), "the user name contains a line break"),
    (Credential("us\x07er", "hunter2"), "the user name contains a control character"),
    (Credential("us:er", "hunter2"), "the user name contains a colon"),
    (Credential("user", "hunter2\udcff"), "the password contains bytes that are not UTF-8"),
    (Credential(identity_token="hunter2\n"), "the identity token contains a line break"),
    (Credential(registry_token="hunter2\r\nX: y"), "the bearer token .* contains a line break"),
    (Credential(registry_token="hunter2\u0142"), "the bearer token .* that is not ASCII"),
    (Credential("", "hunter2\n", entra_token="hunter2\n"), "Microsoft Entra contains a line break"),
]


@pytest.mark.parametrize(("credential", "flaw"), _NOT_SENDABLE)
def test_a_credential_that_cannot_be_sent_says_why_without_its_secret(
    credential: Credential, flaw: str
) -> None:
    assert credential.flaw is not None
    assert re.search(flaw, credential.flaw)
    assert "hunter2" not in credential.flaw


def test_a_password_may_have_any_text_and_several_lines() -> None:
    assert Credential("_json_key", '{\n "key": "\u0142"\n}').flaw is None
