"""What a projection stands on besides records and a cluster file: numbers with a source, and published claims."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.project.inputs.cluster import Range
from bench.shot.table import Table

HERE = Path(__file__).parent
Published = dict[str, Any]  # a claim or a fact: text, source and unit, and value, or low and high


class Assumption(Table):
    """One number that was not measured. ``fast`` makes the answer short, ``slow`` makes it long."""

    name: str = Field(min_length=1, description="its key in the file")
    text: str = Field(min_length=1, description="what it is")
    unit: str = Field(min_length=1, description="its unit, or share")
    fast: float = Field(description="what makes the answer short")
    likely: float
    slow: float = Field(description="what makes the answer long")
    source: str = Field(min_length=1, description="where it comes from, or the word assumption")

    @property
    def range(self) -> Range:
        """From short to long; the lower end of the range may be the larger number."""
        return Range(self.fast, self.likely, self.slow)


@cache
def assumptions() -> dict[str, Assumption]:
    """All of ``assumptions.toml`` by name."""
    return _read("assumptions.toml")


@cache
def farm_assumptions() -> dict[str, Assumption]:
    """All of ``farm_assumptions.toml`` by name."""
    return _read("farm_assumptions.toml")


def _read(file: str) -> dict[str, Assumption]:
    table = tomllib.loads((HERE / file).read_text(encoding="utf-8"))
    return {name: Assumption(name=name, **entry) for name, entry in table.items()}


@cache
def _published() -> dict[str, dict[str, Published]]:
    return tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))


def claims() -> dict[str, Published]:
    """All claims of ``claims.toml`` by name."""
    return _published()["claim"]


def facts() -> dict[str, Published]:
    """What else was published and a verdict needs, by name."""
    return _published()["fact"]
