"""What ``shotmark compare`` says: which two sides, then stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base import units
from bench.base.console import console, plain
from bench.record.compare import Line, Side
from bench.record.machine import share_of
from bench.report.tables import compare_table, summary_dict


def show(a: Side, b: Side, lines: Sequence[Line]) -> None:
    """Both sides by name, then the table."""
    out = console()
    for letter, side in (("A", a), ("B", b)):
        threads = f", {side.all_threads} threads" if side.all_threads else ""
        clean = {True: "", False: ", tree not clean", None: ", tree unknown"}[side.record.clean]
        out.print(
            f"{letter}: {plain(side.record.path)}\n   {plain(side.record.machine_id)}, {side.backend}"
            f"{threads}, commit {plain(units.short_hash(side.record.commit))}{clean}",
            soft_wrap=True,
        )
        if side.remark:
            out.print(f"   {side.remark}", soft_wrap=True)
    if a.record.machine_id != b.record.machine_id:
        out.print(
            "The machines differ: a ratio compares the two machines, not two versions of the program.", soft_wrap=True
        )
    elif (ours := share_of(a.record.machine_info)) != (theirs := share_of(b.record.machine_info)):
        out.print(
            f"One machine, other shares of it: A could use {ours.text}, B {theirs.text}: a ratio compares the shares.",
            soft_wrap=True,
        )
    out.print(compare_table(a, b, lines))


def comparison_document(a: Side, b: Side, lines: Sequence[Line]) -> dict[str, object]:
    """What --json prints."""
    return {
        "a": a.as_dict(),
        "b": b.as_dict(),
        "stages": [
            {
                "shot": line.shot,
                "size": line.size,
                "stage": line.stage,
                "a": summary_dict(line.a),
                "b": summary_dict(line.b),
                "ratio": line.ratio.ratio,
                "low_ratio": line.ratio.low,
                "high_ratio": line.ratio.high,
                "a_is": line.verdict,
                "why_no_ratio": line.why_not,
            }
            for line in lines
        ],
    }
