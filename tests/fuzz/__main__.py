"""Feeds parsers with input made to break them: each may refuse it, with an error of its own.

What broke one is kept in tests/fuzz/corpus, and tried first the next time.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.strategies import SearchStrategy

from fuzz.parsers import PARSERS
from fuzz.routes import run_routes

_CORPUS = Path(__file__).parent / "corpus"
# No input of a few kilobytes may take longer, in seconds, on a machine that does much else.
_MOST_SECONDS = 2.0
_EXAMPLES = 500
SETTINGS = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    database=DirectoryBasedExampleDatabase(_CORPUS),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join([*PARSERS, 'routes'])}")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each")
    wanted = parser.parse_args()
    broken = 0
    for name in wanted.names or [*PARSERS, "routes"]:
        rounds, error = _fuzz(name, wanted.seconds)
        sys.stdout.write(f"{name}: {rounds * _EXAMPLES} inputs, {error or 'none broke it'}\n")
        sys.stdout.flush()
        broken += error is not None
    return 1 if broken else 0


def _fuzz(name: str, seconds: float) -> tuple[int, str | None]:
    """Feed one parser for some time; return how often, and what broke it."""
    until = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < until:
        try:
            if name == "routes":
                run_routes(SETTINGS)
            else:
                _feed(*PARSERS[name])
        except Exception:  # whatever a parser lets out is what is looked for
            return rounds, traceback.format_exc()
        rounds += 1
    return rounds, None


def _feed(inputs: SearchStrategy[object], parse: Callable[[object], object]) -> None:
    @SETTINGS
    @given(inputs)
    def one(text: object) -> None:
        started = time.process_time()
        parse(text)
        took = time.process_time() - started
        assert took < _MOST_SECONDS, f"it took {took:.1f} s"

    one()


if __name__ == "__main__":
    sys.exit(main())
