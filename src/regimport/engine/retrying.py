"""What is needed to try something again: the policy, who waits, and who is told."""

from __future__ import annotations

from regimport.engine.workers import Workers
from regimport.errors import RegimportError
from regimport.events import Reporter, Retrying
from regimport.options import RetryPolicy
from regimport.values import dataclass

__all__ = ["RetryContext"]


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Waits between the attempts at a blob or a manifest, and reports why."""

    policy: RetryPolicy
    workers: Workers
    reporter: Reporter

    def wait(
        self,
        what: str,
        attempt: int,
        cause: RegimportError,
        delay: float,
        *,
        attempts: int | None = None,
    ) -> None:
        """Report that `what` failed at attempt number `attempt`, and wait `delay` seconds.

        `attempts` is how many there are, if not as many as the policy allows. Raise `Interrupted`
        if the copy is stopped meanwhile.
        """
        allowed = self.policy.attempts if attempts is None else attempts
        self.reporter.tell(Retrying(cause.side, what, str(cause), attempt, allowed, delay))
        self.workers.pause(delay)
