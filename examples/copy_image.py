"""Copy an image with the library: `python examples/copy_image.py SOURCE TARGET...`."""

from __future__ import annotations

import sys

from regimport import CopyOptions, LimitExceeded, Limits, RegimportError, copy, inspect


def main(source: str, *targets: str) -> int:
    """Print the size of the image, copy it, and return the exit code of the command."""
    options = CopyOptions(jobs=8, limits=Limits(max_layer_size=4 * 1024**3))
    try:
        image = inspect(source, options=options)
        print(f"{image.manifests} manifests, {image.unique_bytes} bytes")
        report = copy(source, *targets, options=options)
    except LimitExceeded as error:
        print("too large:", *error.violations, sep="\n  ")
        return error.exit_code
    except RegimportError as error:
        print(f"failed: {error.message} ({error.hint or 'no hint'})")
        return error.exit_code
    for target in report.targets:
        print(f"{target.pinned}: {target.status}, {target.tally.bytes_copied} bytes copied")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
