import ast
import copy
import pickle
from pathlib import Path
from typing import Any

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


def test_the_errors_import_nothing_of_ours_but_the_secrets_to_hide() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [module for module in imported if module and module.startswith("regimport")]
    assert ours == ["regimport.secrets_sent"]


def test_a_reason_is_added_once_on_a_line_of_its_own() -> None:
    error = errors.AccessDenied("no")
    assert error.because(None) is error
    for _ in range(2):
        error.because("the helper failed")
    assert error.message == str(error) == "no\n  the helper failed"


_PLACE: dict[str, Any] = {"side": Side.TARGET, "registry": "r.example", "repository": "a/b"}
_REQUEST: dict[str, Any] = {
    "method": "PUT",
    "url": "https://r.example/v2/",
    "status": 400,
    "codes": ["UNKNOWN"],
}


def _adapted() -> BrokenTransfer:
    error = BrokenTransfer("cut off", attempts=2, status=502, hint="wait", **_PLACE)
    error.adapted = True
    return error


def _lasting() -> ContentMismatch:
    error = ContentMismatch("too long", expected="1 bytes", got="2 bytes", **_PLACE)
    error.lasting = True
    return error


def _rate_limited() -> RateLimited:
    error = RateLimited("too many", **_REQUEST, **_PLACE)
    error.retry_after = 12.5
    return error


_EXAMPLES: list[RegimportError] = [
    RegimportError("gone", hint="look", **_PLACE),
    RegimportError("gone").located(Side.SOURCE, "oci:images").because("the disk is full"),
    UsageError("wrong", hint="read the manual"),
    InvalidReference("wrong"),
    InvalidOptions("wrong"),
    InvalidConfig("wrong"),
    InvalidManifest("wrong", **_PLACE),
    LimitExceeded(["layer a", "layer b"], hint="raise the limit"),
    RegistryError("no", digests=["sha256:1"], hint="ask", **_REQUEST, **_PLACE),
    AccessDenied("no", **_REQUEST),
    NotFound("no", **_REQUEST),
    _rate_limited(),
    TagExists("no", **_REQUEST),
    Unreachable("no", attempts=3, status=503, hint="wait", **_PLACE),
    _adapted(),
    _lasting(),
    DeadlineExceeded(2.5),
    Interrupted(15),
]


@pytest.mark.parametrize("error", _EXAMPLES, ids=repr)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_an_error_can_be_pickled_with_all_its_attributes(
    error: RegimportError, protocol: int
) -> None:
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is type(error)
    assert (str(back), back.args, back.exit_code) == (str(error), error.args, error.exit_code)
    assert vars(back) == vars(error)
    assert back == error
    assert hash(back) == hash(error)
    assert copy.copy(error) == error


def test_every_error_has_an_example_that_is_pickled() -> None:
    assert {type(error) for error in _EXAMPLES} == {*_EXIT_CODES, Interrupted}


def test_errors_that_differ_in_type_message_or_an_attribute_are_not_equal() -> None:
    error = NotFound("gone", status=404)
    assert error == NotFound("gone", status=404)
    assert error != NotFound("gone", status=410)
    assert error != NotFound("away", status=404)
    assert error != RegistryError("gone", status=404)
    assert error != "gone"
