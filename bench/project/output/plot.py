"""Time against GPUs: as a picture (matplotlib, extra ``plot``), and drawn with characters for the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from bench.base import units
from bench.base.errors import Unavailable, UserError
from bench.base.files import write_atomically
from bench.project.output.result import Projection

SWEEP = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SUFFIXES = (".png", ".svg")
TICKS_S = {
    60.0: "1 min",
    3600.0: "1 h",
    86400.0: "1 day",
    604800.0: "1 week",
    2629800.0: "1 month",
    31557600.0: "1 year",
}
WIDTH, HEIGHT = 72, 18  # characters
MARKS = "ox+*#@"


def validate_path(path: Path) -> None:
    """Raises UserError for a file that is no picture, Unavailable without matplotlib."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise Unavailable(
            "--plot to a file needs matplotlib: pip install 'shotmark[plot]'; --plot - draws in the terminal"
        )


class CurvePoint(NamedTuple):
    """Seconds on one number of GPUs."""

    gpus: int
    low_s: float  # P10
    middle_s: float  # P50
    high_s: float  # P90


def curves(projection: Projection) -> dict[str, list[CurvePoint]]:
    """By name: a point for each number of GPUs on which the work ends."""
    found: dict[str, list[CurvePoint]] = {}
    for row in projection.sweep:
        for name, times in [*row.shots.items(), ("film, every frame once", row.film_once_s)]:
            if times.p10 and times.p50 and times.p90:
                found.setdefault(name, []).append(CurvePoint(row.gpus, times.p10, times.p50, times.p90))
    return found


def save(projection: Projection, path: Path) -> None:
    """Write a PNG or SVG. Raises what ``validate_path`` raises."""
    validate_path(path)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "shotmark"
    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for name, points in curves(projection).items():
        gpus, low_s, middle_s, high_s = zip(*points)
        (line,) = axes.plot(gpus, middle_s, marker="o", markersize=3, label=name)
        axes.fill_between(gpus, low_s, high_s, color=line.get_color(), alpha=0.15)
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = {s: text for s, text in TICKS_S.items() if low <= s <= high}
    if ticks:
        axes.set_yticks(list(ticks), list(ticks.values()), minor=False)
        axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda gpus, _: f"{gpus:,.0f}")
    axes.grid(True, alpha=0.3)
    axes.set_xlabel(f"GPUs of {projection.cluster.name}")
    axes.set_ylabel("time, P50 with P10 to P90")
    record = Path(projection.record.path).name[:12]
    axes.set_title(
        f"projected, not measured: shots of {projection.frames} frames, film of {projection.film.shots:,}"
        f" (record {record}…)",
        fontsize=9,
    )
    axes.legend(fontsize=8)
    from io import BytesIO

    out = BytesIO()
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(out, format=path.suffix[1:], metadata=metadata)
    write_atomically(path, out.getvalue())


def terminal(projection: Projection) -> list[str]:
    """The curves' P50 drawn with characters, both axes logarithmic."""
    found = curves(projection)
    points = [point for line in found.values() for point in line]
    numbers = sorted({point.gpus for point in points})
    if len(numbers) < 2:
        return ["projected: too few numbers of GPUs to draw"]
    x0, x1 = math.log(numbers[0]), math.log(numbers[-1])
    y0, y1 = (math.log(end(point.middle_s for point in points)) for end in (min, max))
    y1 = max(y1, y0 + 1e-9)
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for mark, line in zip(MARKS, found.values()):
        for point in line:
            column = round((math.log(point.gpus) - x0) / (x1 - x0) * (WIDTH - 1))
            row = round((y1 - math.log(point.middle_s)) / (y1 - y0) * (HEIGHT - 1))
            grid[row][column] = mark if grid[row][column] == " " else "&"
    made = ["projected: time (P50) against GPUs, both logarithmic"]
    for index, cells in enumerate(grid):
        level = math.exp(y1 - (y1 - y0) * index / (HEIGHT - 1))
        label = units.seconds(level) if index % 4 == 0 or index == HEIGHT - 1 else ""
        made.append(f"{label:>12} |{''.join(cells).rstrip()}")
    made.append(f"{'':>12} +{'-' * WIDTH}")
    made.append(f"{'':>12}  {numbers[0]:,}{f'{numbers[-1]:,} GPUs':>{WIDTH - len(str(numbers[0]))}}")
    made.append(f"{'':>12}  " + ", ".join(f"{mark} {name}" for mark, name in zip(MARKS, found)) + ", & several")
    return made
