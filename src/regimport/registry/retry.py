"""What is worth repeating, and the loop that repeats it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from regimport.errors import RateLimited, RegimportError, Unreachable
from regimport.options import RetryPolicy
from regimport.redact import safe_text
from regimport.transport.wire import ProtocolError, TransportError, TransportTimeout, words_of

if TYPE_CHECKING:
    import tenacity

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

    Before each repetition `on_retry` gets the failure, the number of the failed attempt and the
    delay in seconds. Raises the last failure's error, or `RateLimited` at once where the registry
    asks for more patience than `policy.max_wait`.
    """
    try:
        return attempt()
    except Transient as failure:
        first = failure
    return _again(first, attempt, policy, sleep, on_retry)


def _again(
    first: Transient,
    attempt: Callable[[], _T],
    policy: RetryPolicy,
    sleep: Callable[[float], None],
    on_retry: Callable[[Transient, int, float], None],
) -> _T:
    """Go on after the first attempt, which ended with `first`."""
    import tenacity  # noqa: PLC0415 - takes 7 ms to load, and most copies need no retry

    failures = [first]

    def next_attempt() -> _T:
        if failures:
            raise failures.pop()
        return attempt()

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
        return retrying(next_attempt)
    except Transient as last:
        raise final_error(last, policy.attempts) from last


def unreachable(error: TransportError, registry: str) -> RegimportError | Transient:
    """Say what a transport error means: an error that stays, or one that may pass."""
    # Imported where something failed: most copies meet nothing of the kind.
    from regimport.transport.diagnosis import diagnose, root_cause  # noqa: PLC0415
    from regimport.transport.proxy import ProxyError  # noqa: PLC0415

    lasting = diagnose(error, registry)
    if lasting is not None:
        return lasting
    if isinstance(error, TransportTimeout):
        reason = "it did not answer in time"
    else:
        # What was said by a peer that does not speak HTTP, or by a proxy, may be among this.
        own_words = isinstance(error, (ProtocolError, ProxyError))
        said = words_of(error if own_words else root_cause(error))
        reason = safe_text(said) or type(error).__name__
    return Transient(
        Unreachable(
            f"{registry} could not be reached: {reason}",
            hint="check the name, the port and the network",
        )
    )


def _failure(state: tenacity.RetryCallState) -> Transient:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, Transient)
    return error


def final_error(last: Transient, attempts: int) -> RegimportError:
    """Give the error to raise once a request is not to be made again, after `attempts`."""
    error = last.error
    if isinstance(error, Unreachable):
        error.attempts = attempts
    if isinstance(error, RateLimited):
        error.retry_after = last.retry_after
    return error
