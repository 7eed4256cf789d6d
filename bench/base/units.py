"""SI in, text out: the only file that multiplies by a thousand."""

from __future__ import annotations

import math

UNKNOWN = "unknown"
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def _three_digits(value: float) -> str:
    """Three significant digits, never in exponent form."""
    if value == 0.0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def seconds(value: float | None) -> str:
    """``0.00123`` -> ``1.23 ms``; long times as days, hours and minutes."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if size == 0.0:
        return "0 s"
    if size < 999.5e-9:
        return f"{_three_digits(value * 1e9)} ns"
    if size < 999.5e-6:
        return f"{_three_digits(value * 1e6)} µs"
    if size < 0.9995:
        return f"{_three_digits(value * 1e3)} ms"
    if size < 119.95:
        return f"{_three_digits(value)} s"
    if size < 7200.0:
        return f"{int(value // 60)} min {int(value % 60):02d} s"
    if size < 48 * 3600.0:
        return f"{int(value // 3600)} h {int(value % 3600 // 60):02d} min"
    if size < 730 * 86400.0:
        return f"{_three_digits(value / 86400.0)} days"
    return f"{_three_digits(value / (365.25 * 86400.0))} years"


_BRIEF = ((730 * 86400.0, 365.25 * 86400.0, "years"), (48 * 3600.0, 86400.0, "days"), (7200.0, 3600.0, "h"))


def brief_seconds(value: float | None) -> str:
    """Two or three digits and one unit: for a time that is not known better."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for least, unit_s, name in (*_BRIEF, (120.0, 60.0, "min")):
        if value >= least:
            shown = value / unit_s
            return f"{shown:,.0f} {name}" if shown >= 9.95 else f"{shown:.1f} {name}"
    return f"{value:.0f} s" if value >= 9.95 else seconds(value)


def brief_span(low: float | None, high: float | None) -> str:
    """``22 – 56 min``: the unit once where both have the same."""
    first, last = brief_seconds(low), brief_seconds(high)
    if first.partition(" ")[2] == last.partition(" ")[2]:
        first = first.partition(" ")[0]
    return f"{first} – {last}"


def count(value: float | None) -> str:
    """``1.3e8`` -> ``130 M``: a number of things."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for factor, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * factor:
            return f"{_three_digits(value / factor)} {prefix}"
    return f"{value:.0f}" if float(value).is_integer() else _three_digits(value)


def rate(value: float | None, item: str) -> str:
    """Items a second: ``29.7 M particle-sound-steps/s``."""
    if value is None:
        return UNKNOWN
    return f"{count(value)} {item}/s"


def byte_size(value: float | None) -> str:
    """Bytes with binary prefixes: ``1.50 GiB``."""
    if value is None:
        return UNKNOWN
    size, power = float(value), 0
    while abs(size) >= 1023.5 and power < len(_BINARY) - 1:
        size /= 1024.0
        power += 1
    return f"{size:.0f} B" if power == 0 else f"{_three_digits(size)} {_BINARY[power]}"


def share(value: float | None) -> str:
    """A fraction of one as per cent."""
    return UNKNOWN if value is None else f"{100.0 * value:.1f} %"


def ratio(value: float | None) -> str:
    """A factor: ``8.40 x``."""
    return UNKNOWN if value is None else f"{_three_digits(value)} x"


def short_hash(digest: str | None) -> str:
    """The first twelve digits of a SHA-256."""
    return UNKNOWN if not digest else digest[:12]
