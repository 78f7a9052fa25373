"""What is for this program alone stays known to it while no other program is given it."""

from __future__ import annotations

import os
import threading

import pytest

from regimport.environment import environment, own_variables_hidden


def test_a_variable_that_is_hidden_from_others_is_never_taken_for_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGIMPORT_SOURCE_PASSWORD", "secret")
    seen: list[str | None] = []
    reader = threading.Thread(
        target=lambda: seen.append(environment().get("REGIMPORT_SOURCE_PASSWORD"))
    )
    with own_variables_hidden():
        assert "REGIMPORT_SOURCE_PASSWORD" not in os.environ
        reader.start()
    reader.join()
    assert seen == ["secret"]


def test_variables_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGIMPORT_SOURCE_PASSWORD", "secret")
    with pytest.raises(ValueError, match="no login"), own_variables_hidden():
        raise ValueError("no login")
    assert os.environ["REGIMPORT_SOURCE_PASSWORD"] == "secret"
