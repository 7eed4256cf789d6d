"""The screen: where tables and lines go, and text from a file made plain first: no markup, no control characters."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 140  # columns of a table that goes to a file or a pipe


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = PIPE_WIDTH
    return out


def new_table(
    words: Sequence[str],
    numbers: Sequence[str] = (),
    remarks: Sequence[str] = (),
    *,
    title: str | None = None,
    no_wrap: Container[str] = (),
) -> Table:
    """An empty table by its headings: words to the left, then numbers to the right, then remarks to the left again.

    A column in ``no_wrap`` keeps each cell on one line.
    """
    from rich.table import Table

    made = Table(box=None, padding=(0, 1), header_style="bold", title=title, title_justify="left")
    for place, heading in enumerate((*words, *numbers, *remarks)):
        is_number = len(words) <= place < len(words) + len(numbers)
        made.add_column(heading, justify="right" if is_number else "left", no_wrap=heading in no_wrap)
    return made


def plain(text: object) -> str:
    """One printable line without rich's markup."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in str(text))[:300])
