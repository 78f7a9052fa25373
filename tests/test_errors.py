import ast
from pathlib import Path

import pytest

from regimport import errors
from regimport.errors import (
    AccessDenied,
    BrokenTransfer,
    ContentMismatch,
    DeadlineExceeded,
    Interrupted,
    InvalidConfig,
    InvalidManifest,
    InvalidOptions,
    InvalidReference,
    LimitExceeded,
    NotFound,
    RateLimited,
    RegimportError,
    RegistryError,
    Side,
    TagExists,
    Unreachable,
    UsageError,
)

_EXIT_CODES = {
    RegimportError: 1,
    RegistryError: 1,
    InvalidManifest: 1,
    DeadlineExceeded: 1,
    UsageError: 2,
    InvalidReference: 2,
    InvalidOptions: 2,
    InvalidConfig: 2,
    LimitExceeded: 3,
    AccessDenied: 4,
    NotFound: 5,
    Unreachable: 6,
    BrokenTransfer: 6,
    ContentMismatch: 7,
    RateLimited: 8,
    TagExists: 9,
}


@pytest.mark.parametrize(
    ("error", "code"), _EXIT_CODES.items(), ids=lambda value: getattr(value, "__name__", None)
)
def test_each_error_has_the_exit_code_of_the_design(error: type[RegimportError], code: int) -> None:
    assert error.exit_code == code


def test_every_public_error_is_in_the_table_of_exit_codes() -> None:
    public = {getattr(errors, name) for name in errors.__all__} - {Side}
    assert public == set(_EXIT_CODES) | {Interrupted}


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interruption_exits_with_128_and_the_signal(number: int, code: int) -> None:
    assert 128 + Interrupted(number).signal_number == code


def test_every_error_can_be_caught_as_one() -> None:
    assert all(issubclass(error, RegimportError) for error in _EXIT_CODES)


def test_a_limit_error_lists_every_offender() -> None:
    error = LimitExceeded(["layer a", "layer b"], hint="raise the limit")
    assert error.violations == ("layer a", "layer b")
    assert "layer a" in str(error)
    assert "layer b" in str(error)
    assert error.hint == "raise the limit"


def test_the_place_is_added_where_it_is_not_known_yet() -> None:
    error = RegimportError("gone").located(Side.SOURCE, "r.example:5000/a/b")
    assert (error.side, error.registry, error.repository) == ("source", "r.example:5000", "a/b")


def test_a_place_that_is_known_stays() -> None:
    error = RegimportError("gone", side=Side.TARGET, registry="t.example", repository="x")
    error.located(Side.SOURCE, "s.example/y")
    assert (error.side, error.registry, error.repository) == ("target", "t.example", "x")


def test_a_layout_is_a_place_without_a_repository() -> None:
    error = RegimportError("gone").located(Side.TARGET, "oci:images/alpine")
    assert (error.registry, error.repository) == ("oci:images/alpine", None)


def test_the_errors_import_nothing_of_ours() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in imported if module and module.startswith("regimport")]


def test_a_reason_is_added_once_on_a_line_of_its_own() -> None:
    error = errors.AccessDenied("no")
    assert error.because(None) is error
    for _ in range(2):
        error.because("the helper failed")
    assert error.message == str(error) == "no\n  the helper failed"
