"""The places in the source where errors are made, and those whose message is not in the file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from regimport import errors

SOURCE = Path(errors.__file__).parent
_ERRORS = frozenset(errors.__all__) - {"Side"}


def sites() -> Iterator[tuple[Path, int, int, str]]:
    """Yield the file, the first and last line, and the function of each place."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or path.name == "errors.py":
                continue
            called = node.func
            name = called.id if isinstance(called, ast.Name) else ""
            if name not in _ERRORS or not (node.args or node.keywords):
                continue
            around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
            function = min(around, key=lambda f: (f.end_lineno or 0) - f.lineno).name
            yield path, node.lineno, node.end_lineno or node.lineno, function


def not_made(made: Iterable[tuple[str, int]]) -> list[str]:
    """Return `file: function` for each place where none of the errors `made` was made."""
    lines: dict[str, set[int]] = {}
    for name, line in made:
        lines.setdefault(name, set()).add(line)
    return sorted(
        f"{path.relative_to(SOURCE)}: {function}"
        for path, first, last, function in sites()
        if not lines.get(str(path), set()) & set(range(first, last + 1))
    )
