"""The loop of attempts, its delays, and what a transport's errors mean."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from regimport.errors import RateLimited, RegimportError, Unreachable
from regimport.options import RetryPolicy
from regimport.registry.retry import Transient, repeat, unreachable


def _failing(policy: RetryPolicy, failure: Exception) -> tuple[list[float], list[int]]:
    slept: list[float] = []
    told: list[int] = []

    def attempt() -> None:
        raise failure

    with pytest.raises(RegimportError if isinstance(failure, Transient) else type(failure)):
        repeat(attempt, policy, slept.append, lambda _, number, __: told.append(number))
    return slept, told


def test_delays_double_up_to_the_longest_and_spread() -> None:
    policy = RetryPolicy(attempts=6, first_delay=1, longest_delay=5)
    slept, told = _failing(policy, Transient(Unreachable("no")))
    assert told == [1, 2, 3, 4, 5]
    for delay, most in zip(slept, [1, 2, 4, 5, 5], strict=True):
        assert most / 2 <= delay <= most


def test_what_the_registry_asks_for_is_the_least_delay() -> None:
    policy = RetryPolicy(attempts=2, first_delay=1, max_wait=50)
    assert _failing(policy, Transient(RateLimited("slow"), 50.0)) == ([50.0], [1])
    assert _failing(policy, Transient(RateLimited("slow"), 50.1)) == ([], [])


def test_any_other_error_comes_through_at_once() -> None:
    assert _failing(RetryPolicy(), ValueError("mine")) == ([], [])


def _caused(cause: Exception) -> RegimportError | Transient:
    error = httpx.ConnectError("failed")
    error.__cause__ = cause
    return unreachable(error, "r.example:5000")


def test_what_no_waiting_mends_is_not_repeated() -> None:
    untrusted = ssl.SSLCertVerificationError("bad")
    untrusted.verify_message = "self-signed"
    no_tls = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong")
    no_tls.reason = "WRONG_VERSION_NUMBER"
    for cause, hint in (
        (untrusted, "`ca_file`"),
        (no_tls, "`plain_http=r.example:5000`"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "spelling"),
    ):
        error = _caused(cause)
        assert isinstance(error, Unreachable)
        assert hint in str(error.hint)


@pytest.mark.parametrize(
    "cause", [ConnectionRefusedError("no"), socket.gaierror(socket.EAI_AGAIN, "later")]
)
def test_what_may_pass_is_repeated(cause: Exception) -> None:
    assert isinstance(_caused(cause), Transient)
