"""Who did what when: one row a worker, one bar a piece of work, as a small SVG of our own.

The same run makes the same bytes. Colours are of Okabe and Ito (2008), told apart by whoever sees colours otherwise;
text, lines and ground follow a dark page. What did not come back well is hatched. Names are escaped: anybody's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple
from xml.sax.saxutils import escape

from bench.base import units
from bench.farm.report.actual import before_s
from bench.farm.report.compare import Report
from bench.farm.report.files import Made

WIDTH, LEFT, RIGHT, TOP, ROW, BAR, BOTTOM = 960, 118, 20, 76, 24, 16, 34
BARS_MOST, ROWS_MOST = 20_000, 200
NAME_MOST, TITLE_MOST = 16, 110  # characters
KINDS = {  # what, fill
    "start": "#999999",
    "simulate": "#0072B2",
    "load, surface": "#E69F00",
    "trace": "#009E73",
    "write": "#CC79A7",
}
WORDS = {
    "start": "start-up",
    "simulate": "simulate",
    "load, surface": "load, surface",
    "trace": "trace",
    "write": "write",
}
BAD = "failed, lost or given up"
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 604800)
STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#222}.t{font-size:13px;font-weight:600}.d{fill:#555}.g{stroke:#8884}"
    ".r{fill:#8881}.s{stroke:#d55e00;stroke-dasharray:4 3}.p{stroke:#222;stroke-dasharray:2 2}.i{fill:#0002}"
    ".b{fill:#fff}@media(prefers-color-scheme:dark){.b{fill:#161b22}text{fill:#ddd}.d{fill:#aaa}.p{stroke:#ddd}.i{fill:#fff2}}"
)


Scale = Callable[[float], float]  # seconds to pixels


class Bar(NamedTuple):
    """One piece of a row."""

    begin_s: float  # of the run's clock
    end_s: float
    what: str  # of KINDS, or BAD
    title: str


def drawing(found: Report) -> str:
    """The run as SVG."""
    rows = bars_of(found)
    names = list(rows)[:ROWS_MOST]
    total_s = max([found.actual.clock.total_s, *(bar.end_s for name in names for bar in rows[name]), 1e-3])
    high = found.line("makespan_s").projected
    axis_s = max([total_s, *(value for value in (high.p90,) if value is not None and value < 1.5 * total_s)]) * 1.01
    height = TOP + ROW * max(1, len(names)) + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / axis_s

    def x(seconds: float) -> float:
        return LEFT + seconds * scale

    floor = TOP + ROW * max(1, len(names))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img">',
        f"<title>{_text(_title(found))}</title><style>{STYLE}</style>",
        '<defs><pattern id="h" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="6" height="6" fill="#D55E0033"/><rect width="2.5" height="6" fill="#D55E00"/></pattern></defs>',
        f'<rect class="b" width="{WIDTH}" height="{height}"/>',
        f'<text x="12" y="22" class="t">{_text(_title(found))}</text>',
        *_legend(),
        *_interval(high.p10, high.p50, high.p90, axis_s, x, floor),
        *_axis(axis_s, x, floor),
    ]
    for place, name in enumerate(names):
        y = TOP + ROW * place
        if place % 2:
            out.append(f'<rect class="r" x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{ROW}"/>')
        label = _short(f"{name[0]}/{name[1]}", NAME_MOST)
        out.append(
            f'<text x="{LEFT - 8}" y="{y + ROW / 2 + 4:g}" text-anchor="end">{_text(label)}'
            f"<title>{_text(_short(' / '.join(name), 200))}</title></text>"
        )
        out += [_bar(bar, x, y + (ROW - BAR) / 2) for bar in rows[name]]
    for seam in found.actual.clock.seams_s:
        out.append(f'<line class="s" x1="{x(seam):.2f}" x2="{x(seam):.2f}" y1="{TOP}" y2="{floor}"/>')
    if len(rows) > len(names):
        out.append(f'<text x="12" y="{floor + 30}" class="d">and {len(rows) - len(names)} more workers</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _title(found: Report) -> str:
    it = found.foretold
    count = len(it.frames)
    took = units.seconds(found.actual.clock.total_s)
    return _short(f"{it.shot} {it.size}, {count} frame{'s' * (count != 1)} on {it.site}: {took}", TITLE_MOST)


def _legend() -> list[str]:
    out, at = [], LEFT
    for what, fill in [*((WORDS[kind], fill) for kind, fill in KINDS.items()), (BAD, "url(#h)")]:
        out.append(f'<rect x="{at}" y="36" width="12" height="12" fill="{fill}"/>')
        out.append(f'<text x="{at + 17}" y="46">{what}</text>')
        at += 36 + round(5.6 * len(what))
    return out


def _interval(
    low: float | None, middle: float | None, high: float | None, axis_s: float, x: Scale, floor: float
) -> list[str]:
    """Where the projection had the end: P10 to P90 as a band above the rows, P50 as a line."""
    if low is None or high is None or middle is None or low >= axis_s:
        return []
    left, right = x(low), x(min(high, axis_s))
    size = f'width="{max(1.0, right - left):.2f}" height="{floor - TOP + 12:g}"'
    out = [f'<rect class="i" x="{left:.2f}" y="{TOP - 12}" {size}/>']
    if middle < axis_s:
        out.append(f'<line class="p" x1="{x(middle):.2f}" x2="{x(middle):.2f}" y1="{TOP - 12}" y2="{floor:g}"/>')
    anchor = "end" if left > WIDTH / 2 else "start"
    at = right if anchor == "end" else left
    out.append(f'<text class="d" x="{at:.2f}" y="{TOP - 14}" text-anchor="{anchor}">end foretold: P10, P50, P90</text>')
    return out


def _axis(axis_s: float, x: Scale, floor: float) -> list[str]:
    step = next((s for s in STEPS_S if axis_s / s <= 10), STEPS_S[-1] * math.ceil(axis_s / 10 / STEPS_S[-1]))
    out = []
    for count in range(int(axis_s / step) + 1):
        at = x(count * step)
        out.append(f'<line class="g" x1="{at:.2f}" x2="{at:.2f}" y1="{TOP}" y2="{floor + 4}"/>')
        label = "0" if count == 0 else _moment(count * step, axis_s)
        out.append(f'<text x="{at:.2f}" y="{floor + 18}" text-anchor="middle">{label}</text>')
    return out


def _moment(seconds: float, whole_s: float) -> str:
    """``90 s``, ``5 min``, ``2 h``: one unit for the whole axis."""
    for most_s, size, name in ((180.0, 1.0, "s"), (7200.0, 60.0, "min"), (172_800.0, 3600.0, "h")):
        if whole_s <= most_s:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds / 86_400.0:.3g} d"


def _bar(bar: Bar, x: Scale, y: float) -> str:
    width = max(0.4, x(bar.end_s) - x(bar.begin_s))
    fill = KINDS.get(bar.what, "url(#h)")
    return (
        f'<rect x="{x(bar.begin_s):.2f}" y="{y:g}" width="{width:.2f}" height="{BAR}" fill="{fill}">'
        f"<title>{_text(bar.title)}</title></rect>"
    )


def bars_of(found: Report) -> dict[tuple[str, str], list[Bar]]:
    """By node and worker, in their order: what was made, and hatched what came to nothing."""
    clock = found.actual.clock
    rows: dict[tuple[str, str], list[Bar]] = {}
    for ready in found.actual.ready:
        rows.setdefault((ready.node, ready.worker or "0"), [])
    for one in found.actual.made[:BARS_MOST]:
        rows.setdefault(one.row, []).extend(_pieces(one, clock.at(one.begun_s), clock.at(one.ended_s)))
    for task in found.actual.tasks[:BARS_MOST]:
        if task.node is None or task.begun_s is None:
            continue
        mine = rows.setdefault((task.node, task.worker or "0"), [])
        begun_s = clock.at(task.begun_s)
        if task.outcome == "done" and before_s(task) > 0.0:
            ended_s = clock.at(task.begun_s + before_s(task))
            mine.append(Bar(begun_s, ended_s, "start", f"{task.task}: start-up"))
        elif task.outcome in ("failed", "lost", "hung"):
            ended_s = clock.at(task.ended_s or task.returned_s or task.at_s)
            # What it had kept of its work counts, and is drawn already
            kept_s = max((bar.end_s for bar in mine if begun_s <= bar.end_s <= ended_s), default=begun_s)
            mine.append(Bar(kept_s, ended_s, BAD, f"{task.task}: {task.outcome}, {task.why or 'nobody knows why'}"))
    return {name: sorted(rows[name]) for name in sorted(rows, key=_natural)}


def _natural(name: tuple[str, str]) -> list[tuple[int, int, str]]:
    """``gb2`` before ``gb10``."""
    words = [word for part in name for word in re.split(r"([0-9]+)", part)]
    return [(0, int(word), "") if word.isascii() and word.isdigit() else (1, 0, word) for word in words]


def _pieces(one: Made, begun_s: float, ended_s: float) -> list[Bar]:
    """Its parts, one after another; what is left of it stays empty."""
    took = {
        "start": one.took("start"),
        "simulate": one.took("simulate"),
        "load, surface": one.took("load") + one.took("surface"),
        "trace": one.took("trace"),
        "write": one.took("write"),
    }
    whole_s = sum(took.values())
    fits = min(1.0, (ended_s - begun_s) / whole_s) if whole_s > 0.0 else 0.0
    found, at = [], begun_s
    for what, seconds in took.items():
        if seconds > 0.0:
            found.append(Bar(at, at + seconds * fits, what, f"{one.task}: {WORDS[what]} {units.seconds(seconds)}"))
            at += seconds * fits
    return found


def _short(text: str, most: int) -> str:
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= most else line[: most - 1] + "…"


def _text(text: str) -> str:
    return escape("".join(c if c.isprintable() else "?" for c in text)[:400])
