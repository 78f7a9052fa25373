"""Copies images through registries that fail at random: `sh tests/soak/run.sh --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.table import Stage
from regimport.server.run import serving
from soak.copies import BrokenPromise, copy_through_chaos


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1800.0, help="stop after so long")
    parser.add_argument("--seed", default=str(int(time.time())), help="for the same lots again")
    parser.add_argument("--one", metavar="SEED", help="the one copy that a report names")
    wanted = parser.parse_args()
    seeds = [wanted.one] if wanted.one else [f"{wanted.seed}/{n}" for n in range(wanted.copies)]
    codes: Counter[int] = Counter()
    broken, faults, until = 0, 0, time.monotonic() + wanted.seconds
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
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
