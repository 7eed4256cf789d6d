"""Tables for the terminal. Text that comes from a file is made plain first: no markup, no control characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import new_table, plain
from bench.record.compare import Line, Side
from bench.record.schema import STAGES, TOTALS, Record, Row
from bench.record.statistics import Summary, summarize

if TYPE_CHECKING:
    from rich.table import Table

PROOF_TEXT = {"golden": "equal to golden", "repeat": "repeats to the bit", None: "no"}
TOTAL_TEXT = {"kernels": "kernels only", "resident": "frame, resident", "frame": "frame, to disk"}


def interval_text(summary: Summary) -> str:
    """The interval, or why there is none."""
    if summary.low is None:
        return f"n too small ({summary.n})"
    return f"{units.seconds(summary.low)} – {units.seconds(summary.high)}"


def rate_text(row: Row, median_s: float | None) -> str:
    """What the stage's speed is quoted in; empty where it has no rate."""
    if not median_s:
        return ""
    counted = {
        "simulate": (row.particle_sound_steps, "particle-sound-steps"),
        "trace": (row.work.get("samples"), "samples"),
    }
    count, item = counted.get(row.stage, (None, ""))
    return units.rate(count / median_s, item) if isinstance(count, int) else ""


def stage_table(record: Record) -> Table:
    """The closing table of a run: shot, stage, median, interval, rate, share of the frame, output, proof."""
    numbers = ("median", "95 % interval", "rate", "share")
    table = new_table(("shot", "stage"), numbers, ("picture SHA-256", "verified"), no_wrap=numbers)
    for group in groups(record):
        whole = next((summarize(row.samples_s).median for row in group if row.stage == "frame"), None)
        for index, row in enumerate(group):
            summary = summarize(row.samples_s)
            share = summary.median / whole if summary.median is not None and whole else None
            table.add_row(
                f"{row.shot} {row.size} {row.backend}{one_thread(row)}" if index == 0 else "",
                TOTAL_TEXT.get(row.stage, row.stage),
                units.seconds(summary.median),
                interval_text(summary),
                rate_text(row, summary.median),
                units.share(share),
                units.short_hash(row.picture_sha256) if index == 0 else "",
                PROOF_TEXT[row.verified] if index == 0 else "",
                style="dim" if row.stage in STAGES else "",
            )
        table.add_row()
    return table


def one_thread(row: Row) -> str:
    """What tells the CPU's single thread from all of its threads in one table."""
    return ", 1 thread" if row.threads == 1 else ""


def rejected_lines(record: Record) -> list[str]:
    """One line for each shot that did not verify or whose device failed: no time of it is kept."""
    return [
        f"[red]{plain(entry.shot)} {plain(entry.size)} {plain(entry.backend)}"
        f" {'could not be measured' if entry.unavailable else 'did not verify'}:"
        f" {plain(entry.reason)}; its times are not kept[/]"
        for entry in record.rejected
        if entry.stage == "frame"
    ]


def groups(record: Record) -> list[list[Row]]:
    """Rows by shot, size and back-end, stages in the order of the pipeline, totals last."""
    order = {stage: index for index, stage in enumerate((*STAGES, *TOTALS))}
    found: dict[tuple[str, str, str, int | None], list[Row]] = {}
    for row in record.rows:
        found.setdefault((row.shot, row.size, row.backend, row.threads), []).append(row)
    return [sorted(rows, key=lambda row: order[row.stage]) for rows in found.values()]


def compare_table(a: Side, b: Side, lines: Sequence[Line]) -> Table:
    """Both absolute times beside every ratio."""
    numbers = (f"A: {plain(a.name)}", f"B: {plain(b.name)}", "A / B", "95 % interval")
    table = new_table(("shot", "stage"), numbers, ("A is",))
    last = ""
    for line in lines:
        shot = f"{line.shot} {line.size}"
        ratio = line.ratio
        known = ratio.low is not None and ratio.high is not None
        table.add_row(
            shot if shot != last else "",
            TOTAL_TEXT.get(line.stage, line.stage),
            units.seconds(line.a.median) if line.a else "–",
            units.seconds(line.b.median) if line.b else "–",
            units.ratio(ratio.ratio) if ratio.ratio is not None else "none",
            f"{ratio.low:.2f} – {ratio.high:.2f}" if known else ("n too small" if ratio.ratio is not None else ""),
            line.verdict or plain(line.why_not),
        )
        last = shot
    return table


def summary_dict(summary: Summary | None) -> dict[str, object] | None:
    """A figure for --json: times in seconds, unknown null."""
    if summary is None:
        return None
    return {
        "n": summary.n,
        "median_s": summary.median,
        "low_s": summary.low,
        "high_s": summary.high,
        "minimum_s": summary.minimum,
        "maximum_s": summary.maximum,
    }
