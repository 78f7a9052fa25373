"""How a page of the help is rendered on a terminal."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Page"]


class WholeWords(TableElement):
    """A table that cuts nothing off: the words of its first column, names mostly, stay whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                for column in part.columns:
                    column.overflow = "fold"
                first = part.columns[0]
                words = (Measurement.get(console, options, cell).minimum for cell in first.cells)
                # Where an even share is too narrow for the longest word, others get less.
                if (longest := max(words)) > options.max_width // len(part.columns) - 3:
                    first.width = min(longest, options.max_width // 2)
            yield part


class Page(Markdown):
    """A page in Markdown."""

    elements = Markdown.elements | {"table_open": WholeWords}
