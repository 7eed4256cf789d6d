"""What a projection stands on besides records and a cluster file: numbers with a source, and published claims."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.project.inputs.cluster import Range

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Assumption:
    """One number that was not measured. ``fast`` makes the answer short, ``slow`` makes it long."""

    name: str
    text: str
    unit: str
    fast: float
    likely: float
    slow: float
    source: str  # where it comes from, or the word assumption

    @property
    def range(self) -> Range:
        """From short to long; the lower end of the range may be the larger number."""
        return Range(self.fast, self.likely, self.slow)


@cache
def assumptions() -> dict[str, Assumption]:
    """All of ``assumptions.toml`` by name."""
    table = tomllib.loads((HERE / "assumptions.toml").read_text(encoding="utf-8"))
    return {name: Assumption(name=name, **entry) for name, entry in table.items()}


@cache
def _published() -> dict[str, dict[str, dict[str, Any]]]:
    return tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))


def claims() -> dict[str, dict[str, Any]]:
    """All claims of ``claims.toml`` by name."""
    return _published()["claim"]


def facts() -> dict[str, dict[str, Any]]:
    """What else was published and a verdict needs, by name."""
    return _published()["fact"]
