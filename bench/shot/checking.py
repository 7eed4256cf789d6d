"""Strict reading of a TOML table into a frozen dataclass.

A dataclass field made by ``number``, ``whole``, ``text``, ``choice``, ``table`` ... carries its key's check.
``read_table`` refuses unknown and missing keys and every value that a check refuses, each as a ``Problem`` that names
the key's full path, what was expected and what stood there.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Read = Callable[[Any, str], Any]
MISSING = dataclasses.MISSING
LIST_MAX = 4096


class Problem(Exception):
    """One value that is not what the schema expects."""

    def __init__(self, key: str, expected: str, got: Any) -> None:
        self.key = key
        self.expected = expected
        self.got = got if isinstance(got, Got) else Got(describe(got))
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.got}"


class Got(str):
    """A ready-made description of what was found."""


NOTHING = Got("nothing")


def describe(value: Any) -> str:
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


def _field(read: Read, default: Any) -> Any:
    metadata = {"read": read}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _span(low: float, high: float, unit: str) -> str:
    return f"from {low:g} to {high:g}{' ' + unit if unit else ''}"


def read_number(low: float, high: float, unit: str = "") -> Read:
    def read(value: Any, key: str) -> float:
        expected = f"a number {_span(low, high, unit)}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Problem(key, expected, value)
        if isinstance(value, float) and not math.isfinite(value):
            raise Problem(key, expected, Got(str(value)))
        if not low <= value <= high:
            raise Problem(key, expected, value)
        return float(value)

    return read


def read_whole(low: int, high: int, multiple_of: int = 1) -> Read:
    def read(value: Any, key: str) -> int:
        of = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
        expected = f"a whole number from {low} to {high}{of}"
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high or value % multiple_of:
            raise Problem(key, expected, value)
        return value

    return read


def read_list(item: Read, low: int, high: int, of: str) -> Read:
    def read(value: Any, key: str) -> tuple[Any, ...]:
        count = f"{low}" if low == high else f"{low} to {high}"
        if not isinstance(value, list) or not low <= len(value) <= high:
            got = Got(f"a list of {len(value)}") if isinstance(value, list) else value
            raise Problem(key, f"a list of {count} {of}", got)
        return tuple(item(v, f"{key}[{i}]") for i, v in enumerate(value))

    return read


def number(low: float, high: float, default: Any = MISSING, unit: str = "") -> Any:
    return _field(read_number(low, high, unit), default)


def whole(low: int, high: int, default: Any = MISSING, multiple_of: int = 1) -> Any:
    return _field(read_whole(low, high, multiple_of), default)


def vector(length: int, low: float, high: float, default: Any = MISSING) -> Any:
    return _field(read_list(read_number(low, high), length, length, "numbers"), default)


def points(length: int, low: float, high: float, at_least: int, default: Any = MISSING) -> Any:
    """A list of points, each of ``length`` numbers."""
    inner = read_list(read_number(low, high), length, length, "numbers")
    return _field(read_list(inner, at_least, LIST_MAX, f"points of {length} numbers"), default)


def truth(default: Any = MISSING) -> Any:
    def read(value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise Problem(key, "true or false", value)
        return value

    return _field(read, default)


def text(pattern: str, meaning: str, default: Any = MISSING) -> Any:
    compiled = re.compile(pattern)

    def read(value: Any, key: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Problem(key, meaning, value)
        return value

    return _field(read, default)


def choice(*names: str, default: Any = MISSING) -> Any:
    def read(value: Any, key: str) -> str:
        if not isinstance(value, str) or value not in names:
            raise Problem(key, "one of " + ", ".join(f'"{n}"' for n in names), value)
        return value

    return _field(read, default)


def table(cls: Any, default: Any = MISSING) -> Any:
    """A sub-table that is read as ``cls``."""
    return _field(lambda value, key: read_table(cls, value, key), default)


def tables(cls: Any, at_most: int = 256, at_least: int = 0) -> Any:
    """An array of tables; absent means none."""
    inner = read_list(lambda value, key: read_table(cls, value, key), at_least, at_most, "tables")
    return _field(inner, () if at_least == 0 else MISSING)


def kinds(classes: Mapping[str, Any], default: Any = MISSING) -> Any:
    """A table whose ``kind`` says which class it is."""
    return _field(lambda value, key: read_kind(classes, value, key), default)


def kind_tables(classes: Mapping[str, Any], at_most: int = 256) -> Any:
    """An array of tables, each with its ``kind``."""
    return _field(read_list(lambda value, key: read_kind(classes, value, key), 0, at_most, "tables"), ())


def named_tables(cls: Any, names: Sequence[str]) -> Any:
    """A table of tables under some of the given names; at least one."""

    def read(value: Any, key: str) -> dict[str, Any]:
        expected = "tables under " + ", ".join(names)
        if not isinstance(value, dict) or not value:
            raise Problem(key, expected, value)
        for name in value:
            if name not in names:
                raise Problem(_join(key, name), expected, Got("an unknown key"))
        return {name: read_table(cls, value[name], _join(key, name)) for name in names if name in value}

    return _field(read, MISSING)


def _join(key: str, name: str) -> str:
    plain = name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else describe(name)
    return f"{key}.{plain}" if key else plain


def read_kind(classes: Mapping[str, Any], value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise Problem(key, "a table", value)
    kind = value.get("kind", NOTHING)
    if not isinstance(kind, str) or kind not in classes:
        raise Problem(_join(key, "kind"), "one of " + ", ".join(f'"{n}"' for n in classes), kind)
    return read_table(classes[kind], {k: v for k, v in value.items() if k != "kind"}, key)


def read_table(cls: Any, value: Any, key: str) -> Any:
    """``value`` as an instance of the dataclass ``cls``; raises ``Problem``."""
    if not isinstance(value, dict):
        raise Problem(key or "the file", "a table", value)
    fields = {f.name: f for f in dataclasses.fields(cls) if "read" in f.metadata}
    for name in value:
        if name not in fields:
            raise Problem(_join(key, name), "one of " + ", ".join(fields), Got("an unknown key"))
    found = {}
    for name, field in fields.items():
        if name in value:
            found[name] = field.metadata["read"](value[name], _join(key, name))
        elif field.default is MISSING:
            raise Problem(_join(key, name), "a value (the key is required)", NOTHING)
    made = cls(**found)
    check = getattr(made, "problem", None)
    if check is not None:
        wrong = check()
        if wrong is not None:
            name, expected, got = wrong
            raise Problem(f"{key}.{name}" if key else name, expected, got)
    return made
