"""What is wrong with a value that came from outside, in one line: its key, what was expected, what stood there."""

from __future__ import annotations

import re


class Got(str):
    """A ready-made description of what was found."""


NOTHING = Got("nothing")


class Problem(ValueError):
    """One value that is not what the schema expects."""

    def __init__(self, key: str, expected: str, got: object) -> None:
        self.key = key
        self.expected = expected
        self.got = got if isinstance(got, Got) else Got(describe(got))
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.got}"

    def under(self, key: str) -> Problem:
        """The same of a table's own key, where the table lies under ``key``."""
        return Problem(".".join(part for part in (key, self.key) if part), self.expected, self.got)


def describe(value: object) -> str:
    """A short, printable, one-line description of any TOML value."""
    if isinstance(value, dict):
        return f"a table of {len(value)}"
    if isinstance(value, list):
        inner = ", ".join(describe(v) for v in value[:4])
        return f"[{inner}{', ...' if len(value) > 4 else ''}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a whole number of {value.bit_length()} bits"
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def plain_key(name: str) -> str:
    """A key as it may stand in a message."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else describe(name)
