"""What is worth repeating, and the loop that repeats it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import httpx
import tenacity

from regimport.errors import RateLimited, RegimportError, Unreachable
from regimport.options import RetryPolicy
from regimport.redact import safe_text
from regimport.transport.diagnosis import diagnose, root_cause
from regimport.transport.socket_errors import explain

__all__ = ["RETRYABLE", "Transient", "final_error", "repeat", "unreachable"]

_T = TypeVar("_T")

# Statuses that say "not now"; RFC 9110, section 15, and what proxies answer for a backend.
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})


class Transient(Exception):
    """A failure that may pass. `retry_after` is what the registry asks to wait, in seconds."""

    def __init__(self, error: RegimportError, retry_after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after = retry_after


def repeat(
    attempt: Callable[[], _T],
    policy: RetryPolicy,
    sleep: Callable[[float], None],
    on_retry: Callable[[Transient, int, float], None],
) -> _T:
    """Call `attempt` until it succeeds, at most `policy.attempts` times.

    Before each repetition `on_retry` is told the failure, the number of the failed attempt and the
    delay in seconds. Raise the last failure's error, or `RateLimited` at once where the registry
    asks to wait for longer than `policy.max_wait`.
    """

    def delay(state: tenacity.RetryCallState) -> float:
        return policy.random_delay(state.attempt_number, _failure(state).retry_after)

    def stop(state: tenacity.RetryCallState) -> bool:
        asked = _failure(state).retry_after or 0.0
        return state.attempt_number >= policy.attempts or asked > policy.max_wait

    def tell(state: tenacity.RetryCallState) -> None:
        on_retry(_failure(state), state.attempt_number, state.upcoming_sleep)

    retrying = tenacity.Retrying(
        stop=stop,
        wait=delay,
        retry=tenacity.retry_if_exception_type(Transient),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except Transient as last:
        raise final_error(last, policy.attempts) from last


def unreachable(error: httpx.TransportError, registry: str) -> RegimportError | Transient:
    """Return what a transport error means: an error that stays, or one that may pass."""
    lasting = diagnose(error, registry)
    if lasting is not None:
        return lasting
    if isinstance(error, httpx.TimeoutException):
        reason = "it did not answer in time"
    else:
        # What was said by a peer that does not speak HTTP, or by a proxy, may be among this.
        own_words = isinstance(error, (httpx.RemoteProtocolError, httpx.ProxyError))
        reason = safe_text(explain(error if own_words else root_cause(error)))
    return Transient(
        Unreachable(
            f"{registry} could not be reached: {reason or type(error).__name__}",
            hint="check the name, the port and the network",
        )
    )


def final_error(last: Transient, attempts: int) -> RegimportError:
    """Return the error to raise once a request is not to be made again, after `attempts`."""
    error = last.error
    if isinstance(error, Unreachable):
        error.attempts = attempts
    if isinstance(error, RateLimited):
        error.retry_after = last.retry_after
    return error


def _failure(state: tenacity.RetryCallState) -> Transient:
    error = None if state.outcome is None else state.outcome.exception()
    if not isinstance(error, Transient):
        raise TypeError("only failures that may pass are repeated")
    return error
