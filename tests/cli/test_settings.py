"""What the environment says, in the options that the library is called with."""

from __future__ import annotations

import pytest

from regimport.cli.settings import basic_options
from support.program import Program


@pytest.mark.parametrize(
    ("value", "transport"), [("httpx", "httpx"), ("pooled", "pooled"), ("", "pooled")]
)
def test_the_environment_names_what_carries_the_requests(
    value: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGIMPORT_TRANSPORT", value)
    assert basic_options(None).transport == transport


def test_requests_go_over_the_pooled_connections_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REGIMPORT_TRANSPORT", raising=False)
    assert basic_options(None).transport == "pooled"


@pytest.mark.parametrize("arguments", [("copy", "a/x", "b/x"), ("tags", "a/x"), ("logout", "a.b")])
def test_an_unknown_transport_is_wrong_usage(program: Program, arguments: tuple[str, ...]) -> None:
    ended = program(*arguments, REGIMPORT_TRANSPORT="curl")
    assert ended.code == 2, ended
    assert "invalid REGIMPORT_TRANSPORT 'curl'" in ended.err
    assert "set it to pooled or httpx" in ended.err


def test_the_command_line_has_no_option_for_the_transport(program: Program) -> None:
    ended = program("copy", "--transport", "httpx", "a/x", "b/x")
    assert ended.code == 2
    assert "No such option" in ended.err
