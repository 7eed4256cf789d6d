"""The screen: where tables and lines go, and text from a file made plain first: no markup, no control characters."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LINE_MOST = 10_000  # columns
PADDING = 2  # columns of the screen beside a cell, both sides together
PIPE_WIDTH = 140  # columns of a table that goes to a file or a pipe


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = PIPE_WIDTH
    return out


@cache
def _fitting_table() -> type[Table]:
    """rich's table, but one whose figures are never cut: where the screen is too narrow, row stands under row."""
    from rich.console import ConsoleOptions, RenderResult
    from rich.measure import Measurement
    from rich.table import Column, Table
    from rich.text import Text

    class FittingTable(Table):
        """A table that is wide, or has its headings wrapped, or is stacked; never short of a digit."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            widths = [self._widths(console, options, column) for column in self.columns]
            room = options.max_width
            if sum(natural for natural, _ in widths) <= room:
                yield from super().__rich_console__(console, options)
            elif sum(least for _, least in widths) <= room:
                # The widest are made narrower, all to one width, but none below what its figures or words need
                limit = max(natural for natural, _ in widths)
                while sum(max(least, min(natural, limit)) for natural, least in widths) > room:
                    limit -= 1
                for column, (natural, least) in zip(self.columns, widths, strict=True):
                    column.width = max(least, min(natural, limit)) - PADDING
                yield from super().__rich_console__(console, options)
            else:
                yield from self._stacked()

        def _widths(self, console: Console, options: ConsoleOptions, column: Column) -> tuple[int, int]:
            """(columns of the screen that a column would have, the least that it can have)."""
            wide = options.update(max_width=LINE_MOST)  # rich measures no further than it may print
            heading, *cells = (Measurement.get(console, wide, cell) for cell in (column.header, *column.cells))
            longest = max((cell.maximum for cell in cells), default=0)
            words = max((cell.minimum for cell in cells), default=0)
            whole = column.justify == "right" or column.no_wrap
            least = max(heading.maximum if column.no_wrap else heading.minimum, longest if whole else words)
            return max(heading.maximum, longest) + PADDING, least + PADDING

        def _stacked(self) -> RenderResult:
            if self.title:
                yield Text(str(self.title))
            headings = [Text.from_markup(str(column.header)) for column in self.columns]
            for cells in zip(*(column.cells for column in self.columns), strict=True):
                for heading, cell in zip(headings, cells, strict=True):
                    text = Text.from_markup(cell) if isinstance(cell, str) else cell
                    if str(text).strip():
                        label = f"{heading}: " if str(heading) else ""
                        yield Text.assemble(label, text, overflow="fold", no_wrap=False)
                yield Text("")

    return FittingTable


def new_table(
    words: Sequence[str],
    numbers: Sequence[str] = (),
    remarks: Sequence[str] = (),
    *,
    title: str | None = None,
    no_wrap: Container[str] = (),
) -> Table:
    """An empty table by its headings: words to the left, then numbers to the right, then remarks to the left again.

    A number stays on one line, and so does every cell of a column in ``no_wrap``; where the screen has no room for
    that, rows are printed one under the other.
    """
    made = _fitting_table()(box=None, padding=(0, 1), header_style="bold", title=title, title_justify="left")
    for place, heading in enumerate((*words, *numbers, *remarks)):
        is_number = len(words) <= place < len(words) + len(numbers)
        made.add_column(heading, justify="right" if is_number else "left", no_wrap=heading in no_wrap)
    return made


def plain(text: object) -> str:
    """One printable line without rich's markup."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in str(text))[:300])
