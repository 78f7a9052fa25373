"""One copy through two registries that fail at random, and what must hold of it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import Literal

from faults.locks import Basic, Bearer
from faults.proxy import ALWAYS, Fault
from faults.table import OLD, OPTIONS, Stage, run_copy
from regimport.options import RetryPolicy, Timeouts
from soak.chaos import Chaos, codes_of
from support.images import FORMS, Image, many_platforms, single

# Nothing about a copy of so little may take longer than this, in seconds.
LONGEST = 60.0
TRANSPORTS: tuple[Literal["pooled", "httpx"], ...] = ("pooled", "pooled", "httpx")


@dataclass(frozen=True)
class Copied:
    """How a copy ended: 0 or the exit code of its error; how many faults it met."""

    seed: str
    code: int
    faults: int
    seconds: float


class BrokenPromise(AssertionError):
    """What must never happen; says how to see it again."""


def copy_through_chaos(stage: Stage, seed: str, repository: str) -> Copied:
    """Copy an image while faults happen by lot, check the end, and copy again without any."""
    lot = random.Random(seed)
    image = some_image(lot)
    chance = lot.choice((0.03, 0.1, 0.2, 0.4, 0.6))
    source_chaos, target_chaos = Chaos(f"{seed}s", chance), Chaos(f"{seed}t", chance)
    before = OLD if lot.random() < 0.7 else None
    stage.set_up(repository, image, before)
    options = replace(
        OPTIONS,
        jobs=lot.choice((1, 2, 8)),
        transport=lot.choice(TRANSPORTS),
        retry=RetryPolicy(first_delay=0.002, longest_delay=0.01, max_wait=2.0),
        timeouts=Timeouts(connect=5.0, idle=0.5, answer=0.7),
    )
    with stage.between(
        [Fault("* *", source_chaos, ALWAYS)],
        [Fault("* *", target_chaos, ALWAYS)],
        (Basic(), Bearer()),
    ) as (source, target):
        started = time.monotonic()
        result = run_copy(source, target, repository, options)
        seconds = time.monotonic() - started
        source.faults.clear()
        target.faults.clear()
        story = [*source_chaos.done, "--", *target_chaos.done, "--", repr(result.error)]
        code = 0 if result.error is None else result.error.exit_code
        allowed = {0} | codes_of(source_chaos.harms | target_chaos.harms)
        state = stage.state(repository)
        old = before.content() if before else None
        expect(seconds < LONGEST, f"it took {seconds:.0f} s", seed, story)
        expect(code in allowed, f"it ended with {code}, not one of {allowed}", seed, story)
        expect(state in (old, image.content()), "the tag is part of an image", seed, story)
        expect(code != 0 or state == image.content(), "it said done, but it is not", seed, story)
        again = run_copy(source, target, repository, options)
        expect(again.error is None, f"the rerun failed: {again.error!r}", seed, story)
        expect(stage.state(repository) == image.content(), "the rerun is not whole", seed, story)
    return Copied(seed, code, len(source_chaos.done) + len(target_chaos.done), seconds)


def some_image(lot: random.Random) -> Image:
    """An image of any form."""
    name = f"soak{lot.randrange(1000)}"
    if lot.random() < 0.3:
        return single(name, size=lot.choice((0, 1, 100_000, 700_000)))
    if lot.random() < 0.3:
        return many_platforms(name, platforms=lot.randrange(1, 6), size=lot.choice((50, 90_000)))
    return lot.choice(list(FORMS.values()))(name)


def expect(truth: bool, what: str, seed: str, story: list[str]) -> None:
    if not truth:
        raise BrokenPromise(f"seed {seed}: {what}\n  " + "\n  ".join(story))
