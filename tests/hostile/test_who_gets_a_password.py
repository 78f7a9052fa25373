"""A password goes to the registry that it is for, and to nobody else on the way."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import regimport
from regimport import Credential, InvalidOptions, InvalidReference
from regimport.auth.tokens import _Slot
from regimport.credentials.helper import Helper
from regimport.credentials.places import Given, Looked, Outcome
from regimport.models.reference import parse_end, registry_of
from regimport.options import Timeouts
from regimport.registry.request import Request, to_httpx
from regimport.secrets_sent import SENT, SentSecrets
from regimport.transport.answers import Answer
from regimport.transport.proxy import Proxies, Proxy
from support.images import single
from support.inprocess import Here
from support.miniature import BasicDoor, Miniature
from support.scripted import Scripted
from support.terminal import on_a_terminal

_SECRET = "hunter2secret"


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


@pytest.mark.parametrize("way", ["stdin", "environment"])
def test_one_password_for_targets_at_two_registries_is_sent_to_none(way: str, here: Here) -> None:
    users = {"ci": _SECRET}
    source = Miniature()
    source.hold("app", single())
    with (
        Scripted(source) as one,
        Scripted(Miniature(BasicDoor(users))) as two,
        Scripted(Miniature(BasicDoor(users))) as three,
    ):
        ends = [f"{server.address}/app" for server in (one, two, three)]
        given: list[str] = []
        environment: dict[str, str] = {}
        if way == "stdin":
            given = ["--target-username", "ci", "--target-password-stdin"]
        else:
            environment = {"REGIMPORT_TARGET_USERNAME": "ci", "REGIMPORT_TARGET_PASSWORD": _SECRET}
        ended = here("copy", *given, *ends, stdin=_SECRET, **environment)
        assert ended.code == 2, ended
        assert "for one registry, but they are at 2" in ended.err
        for server in (one, two, three):
            assert not server.heard
        with pytest.raises(InvalidOptions):
            regimport.copy(*ends, target_credential=Credential("ci", _SECRET))
        # Several targets at one registry are no question.
        again = here("copy", *given, *ends[:2], f"{ends[1]}:2", stdin=_SECRET, **environment)
        assert again.code == 0, again


def test_a_credential_helper_sees_no_secret_of_ours(tmp_path: Path) -> None:
    program = tmp_path / "docker-credential-nosy"
    answer = '{"Username":"u","Secret":"s"}'
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\necho '{answer}'")
    program.chmod(0o700)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "KEPT": "yes",
        "REGIMPORT_SOURCE_PASSWORD": _SECRET,
        "REGIMPORT_TARGET_PASSWORD": _SECRET,
        "DOCKER_AUTH_CONFIG": json.dumps({"auths": {"r.example": {"auth": _SECRET}}}),
    }
    assert Helper("nosy", environ).get("r.example") == Credential("u", "s")
    seen = (tmp_path / "seen").read_text()
    assert "KEPT=yes" in seen
    assert _SECRET not in seen
    assert "REGIMPORT_" not in seen


def test_a_proxy_that_a_header_of_a_web_request_named_is_not_used() -> None:
    environ = {"HTTP_PROXY": "http://evil.example:3128", "REQUEST_METHOD": "GET"}
    assert Proxies(environ).proxy_for("http", "r.example", 80) is None
    # No header makes a variable in small letters.
    named = {**environ, "http_proxy": "http://own.example:3128"}
    assert str(Proxies(named).proxy_for("http", "r.example", 80)) == "own.example:3128"
    del environ["REQUEST_METHOD"]
    assert str(Proxies(environ).proxy_for("http", "r.example", 80)) == "evil.example:3128"


@pytest.mark.parametrize(
    "typed",
    [
        f"https://u:{_SECRET}@registry.example",
        f"u:{_SECRET}@registry.example",
        f"https://u:{_SECRET}/x@registry.example",
        f"https://u:a@{_SECRET}@registry.example",
    ],
)
def test_a_password_in_the_name_of_a_registry_is_not_printed(typed: str, here: Here) -> None:
    for command in (["login", "-u", "u", "--password-stdin"], ["logout"], ["ratelimit"]):
        ended = here(*command, typed, stdin="x")
        assert ended.code == 2, ended
        assert _SECRET not in ended.out + ended.err
        assert "registry.example" in ended.err
    for command in (["copy", f"{typed}/app", "oci:x"], ["copy", "oci:x", f"{typed}/app"]):
        ended = here(*command)
        assert ended.code in {2, 5}, ended
        assert _SECRET not in ended.out + ended.err
    for read in (parse_end, registry_of):
        with pytest.raises(InvalidReference) as caught:
            read(f"{typed}/app" if read is parse_end else typed)
        assert _SECRET not in f"{caught.value} {caught.value!r} {caught.value.hint}"


def test_values_that_hold_secrets_do_not_show_them() -> None:
    credential = Credential("ci", _SECRET, _SECRET, _SECRET, _SECRET)
    url = f"https://r.example/v2/app/blobs/uploads/1?_state={_SECRET}"
    headers = {"Authorization": f"Basic {_SECRET}", "Location": url}
    request = Request("POST", url, headers=headers, body=_SECRET.encode())
    sent = SentSecrets()
    sent.add(_SECRET)
    values: list[object] = [
        credential,
        Given("given", credential, "none"),
        Looked("place", Outcome.USED, "found", credential),
        request,
        to_httpx(request, url, _SECRET, Timeouts(), own=True),
        Answer("POST", url, 202, headers, _SECRET.encode(), url),
        Proxy("proxy.example", 3128, user=("ci", _SECRET)),
        Helper("nosy", {"SECRET": _SECRET}),
        _Slot(token=_SECRET),
        sent,
        SENT,
    ]
    for value in values:
        assert _SECRET not in f"{value!r} {value}", type(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            assert _SECRET not in repr([value]), type(value)


def test_sent_secrets_take_bounded_memory_and_those_in_use_stay() -> None:
    sent = SentSecrets()
    sent.add("in-use-all-the-time")
    for number in range(3000):
        sent.add_url(f"https://r.example/u?_state=state-number-{number:05}")
        sent.add("in-use-all-the-time")
    assert repr(sent) == "<SentSecrets: 1024, hidden>"
    assert sent.removed_from("in-use-all-the-time state-number-02999") == "… …"


def test_a_short_password_is_taken_out_as_a_word_and_leaves_other_words_whole() -> None:
    sent = SentSecrets()
    sent.add_authorization("Basic Y2k6Y2k=")
    assert sent.removed_from("cipher ci: Y2k6Y2k= ci:ci") == "cipher …: … …"


def test_raw_bytes_are_exact_in_a_pipe_and_harmless_on_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07 \u202e \x9b31m"
    index = {"schemaVersion": 2, "manifests": [], "annotations": {"a": evil}}
    raw = json.dumps(index, ensure_ascii=False)
    registry = Miniature()
    media_type = "application/vnd.oci.image.index.v1+json"
    registry.manifests["app"] = {"latest": (media_type, raw.encode())}
    with Scripted(registry) as server:
        name = f"{server.address}/app"
        piped = subprocess.run(
            [sys.executable, "-m", "regimport", "inspect", "--raw", name],
            capture_output=True,
            check=True,
        )
        assert piped.stdout == raw.encode()
        shown = on_a_terminal(tmp_path, "inspect", "--raw", name)
    assert shown.code == 0, shown.output
    for character in ("\u202e", "\x9b"):
        assert character in raw
        assert character not in shown.output
    assert "\\u202e" in shown.output
