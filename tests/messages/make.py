"""Make messages.md, and not-made.txt, the list of what it lacks: run this file."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from messages import content, files, network, registries, usage
from messages.sites import not_made
from messages.stage import Stage
from regimport.secrets_sent import SENT

FILE = Path(__file__).parent / "messages.md"
_SECTIONS = (usage, files, registries, network, content)
_HEAD = """\
# What regimport says when something is wrong

Each message is made by a real failure, with the command as it is typed. Addresses, dates and long
digests are written in one form, and waits between attempts are left out. `make.py` beside this file
writes it anew; a test compares it.
"""


def make() -> tuple[str, set[tuple[str, int]]]:
    """Return the text of the file, and the places that its messages come from."""
    parts, made = [_HEAD], set()
    for section in _SECTIONS:
        parts.append(f"## {(section.__doc__ or '').strip().rstrip('.')}\n")
        for case in section.CASES:
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="messages-")))
                home = folder / "home"
                home.mkdir()
                own = {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)}
                # Nothing else of who runs it: the same is said everywhere.
                stack.enter_context(patch.dict(os.environ, own, clear=True))
                # Passwords such as `x` are hidden from nobody else's texts.
                stack.enter_context(patch.dict(SENT._secrets, clear=True))
                stage = Stage(stack, folder)
                case(stage)
            title = (case.__doc__ or "").strip()
            parts.append(f"### {title}\n\n```console\n" + "\n".join(stage.lines) + "\n```\n")
            made |= stage.made
    return "\n".join(parts), made


if __name__ == "__main__":
    text, made = make()
    FILE.write_text(text)
    (FILE.parent / "not-made.txt").write_text("\n".join(sorted(set(not_made(made)))) + "\n")
