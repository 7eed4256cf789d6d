"""The screen: where tables and lines go, and text from a file made plain first: no markup, no control characters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 140  # columns of a table that goes to a file or a pipe


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = PIPE_WIDTH
    return out


def plain(text: object) -> str:
    """One printable line without rich's markup."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in str(text))[:300])
