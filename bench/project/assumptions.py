"""What a projection stands on besides a record: numbers with a source, each in three cases, and published claims."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = ("fast", "likely", "slow")  # all assumptions short, all likely, all long


@dataclass(frozen=True)
class Assumption:
    """One number that was not measured."""

    name: str
    text: str
    unit: str
    fast: float
    likely: float
    slow: float
    source: str  # where it comes from, or the word assumption

    def at(self, case: str) -> float:
        return float(getattr(self, case))


@cache
def assumptions() -> dict[str, Assumption]:
    """All of ``assumptions.toml`` by name."""
    table = tomllib.loads((HERE / "assumptions.toml").read_text(encoding="utf-8"))
    return {name: Assumption(name=name, **entry) for name, entry in table.items()}


@cache
def claims() -> dict[str, dict[str, Any]]:
    """All claims of ``claims.toml`` by name."""
    table = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))
    return dict(table["claim"])
