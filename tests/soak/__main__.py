"""Copies images through registries that fail at random, interrupts the program, or attacks it.

`sh tests/soak/run.sh --help` says how often, and how to see a failure again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.table import Stage
from regimport.server.run import serving
from soak import hostile, interrupts
from soak.commands import Case, World, world
from soak.copies import BrokenPromise, copy_through_chaos


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument(
        "--interrupts", type=int, metavar="N", help="interrupt N commands, in place of the copies"
    )
    parser.add_argument(
        "--hostile",
        type=float,
        metavar="SECONDS",
        help="attack commands for so long",
    )
    parser.add_argument("--seconds", type=float, default=1800.0, help="stop after so long")
    parser.add_argument("--seed", default=str(int(time.time())), help="for the same lots again")
    parser.add_argument("--one", metavar="SEED", help="the one copy or command that a report names")
    wanted = parser.parse_args()
    if wanted.hostile:
        return 1 if attack(wanted.hostile, wanted.seed, wanted.one) else 0
    count = wanted.interrupts or wanted.copies
    seeds = [wanted.one] if wanted.one else [f"{wanted.seed}/{n}" for n in range(count)]
    run = interrupt_commands if wanted.interrupts else copy_images
    return 1 if run(seeds, time.monotonic() + wanted.seconds) else 0


def copy_images(seeds: Sequence[str], until: float) -> int:
    """Make a copy for each seed; return how many were not as promised."""
    codes: Counter[int] = Counter()
    broken, faults = 0, 0
    with TemporaryDirectory() as folder:
        stores = Path(folder)
        with serving(stores / "source") as source, serving(stores / "target") as target:
            stage = Stage(source.address, target.address, stores / "target")
            for number, seed in enumerate(seeds):
                if time.monotonic() > until:
                    say(f"the time is over after {number} copies")
                    break
                try:
                    copied = copy_through_chaos(stage, seed, f"soak/r{number}")
                except BrokenPromise as error:
                    broken += 1
                    say(f"BROKEN {error}")
                    continue
                codes[copied.code] += 1
                faults += copied.faults
    ends = ", ".join(f"{count} with code {code}" for code, count in sorted(codes.items()))
    say(f"{sum(codes.values())} copies as promised ({ends}), {faults} faults; {broken} broken")
    return broken


def attack(seconds: float, seed: str, one: str | None) -> int:
    """Attack commands for some time; return how many were not as promised."""
    with TemporaryDirectory() as folder:
        if one is not None:
            say(str(hostile.attack(one, Path(folder))))
            return 0
        codes, broken, largest = hostile.soak(seconds, seed, Path(folder))
    ends = ", ".join(f"{count} with code {code}" for code, count in sorted(codes.items()))
    most = 0.0 if largest is None else largest.mebibytes
    say(
        f"{sum(codes.values())} commands as promised ({ends}), {most:.0f} MiB at most; "
        f"{len(broken)} broken; seed {seed}"
    )
    return len(broken)


def interrupt_commands(seeds: Sequence[str], until: float) -> int:
    """Interrupt a command for each seed, two at a time; return how many ended badly."""
    # The number at the end of a seed says which command it is for.
    numbers = [int(seed.rpartition("/")[2]) for seed in seeds]
    commands = interrupts.cases(max(numbers) + 1)
    found: list[interrupts.Interrupted] = []

    def one(seed: str, command: Case, where: World) -> int:
        if time.monotonic() > until:
            return 0
        try:
            found.append(interrupts.interrupt(command, where, seed))
        except interrupts.BrokenPromise as error:
            say(f"BROKEN {error}")
            return 1
        return 0

    with (
        TemporaryDirectory() as folder,
        world(Path(folder)) as where,
        ThreadPoolExecutor(2) as pool,
    ):
        todo = [
            pool.submit(one, seed, commands[number], where)
            for seed, number in zip(seeds, numbers, strict=True)
        ]
        broken = sum(future.result() for future in todo)
    codes = Counter(ended.code or 0 for ended in found)
    ends = ", ".join(f"{count} with code {code}" for code, count in sorted(codes.items()))
    longest = max((ended.seconds for ended in found), default=0.0)
    say(f"{len(found)} interrupts as promised ({ends}), {longest:.2f} s at most; {broken} broken")
    return broken


if __name__ == "__main__":
    sys.exit(main())
