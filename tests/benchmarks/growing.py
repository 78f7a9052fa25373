"""Copies tags 0 to N-1 through the Python API: `python -m benchmarks.growing SOURCE TARGET N`."""

from __future__ import annotations

import sys

from regimport import copy


def main() -> None:
    """Copy them one after the other."""
    source, target, number = sys.argv[1:]
    for tag in range(int(number)):
        copy(f"{source}:{tag}", f"{target}:{tag}")


if __name__ == "__main__":
    main()
