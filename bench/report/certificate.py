"""What ``shotmark certify`` says at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.record.certificate import FAILED, PASSED
from bench.record.schema import Certificate

if TYPE_CHECKING:
    from bench.check.certify.plan import Planned, Planner

COLOURS = {PASSED: "green", FAILED: "red"}


def show(certificate: Certificate, path: Path) -> None:
    """The shots' lines, then a short table, then where the file lies."""
    out = console()
    for part in certificate.parts:
        if part.part.startswith("shots") and isinstance(part.data, dict):
            for line in part.data["lines"]:
                out.print(plain(line), soft_wrap=True)
    table = new_table(("part", "verdict", "time", "what"), no_wrap=("part", "verdict", "time"))
    for part in certificate.parts:
        colour = COLOURS.get(part.verdict)
        verdict = f"[{colour}]{part.verdict}[/]" if colour else part.verdict
        table.add_row(part.part, verdict, units.seconds(part.seconds), plain(part.line))
    out.print()
    out.print(table)
    out.print(f"\nrecord {plain(path)}: the file to share", soft_wrap=True)


def show_plan(planned: Sequence[Planned], planner: Planner, budget_s: float) -> None:
    """Every part with its time, and what the times stand on."""
    out, host, gpu = console(), planner.host, planner.gpu
    what = f"one {gpu.name}, {planner.cores} host cores" if gpu is not None else f"{planner.cores} CPU cores"
    out.print(f"certify on {what}, {units.seconds(budget_s)}: a plan, nothing is done\n")
    table = new_table(("part", "begins", "takes", "would be", "what"), no_wrap=("part", "begins", "takes", "would be"))
    for one in planned:
        table.add_row(one.part, f"{one.begins_s:.0f} s", f"{one.takes_s:.0f} s", one.verdict, plain(one.line))
    out.print(table)
    source = f"host: measured on {host.machine} with {host.cores} cores, scaled to {planner.cores}"
    predicted = f"; {gpu.name}: predicted by kernels/NOTES.md, not yet run on a GPU" if gpu is not None else ""
    out.print(f"\n{plain(source)}{predicted}", soft_wrap=True)


def plan_document(planned: Sequence[Planned], planner: Planner, budget_s: float) -> dict[str, object]:
    """What --plan --json prints."""
    gpu = planner.gpu
    return {
        "planned": True,
        "budget_s": budget_s,
        "cores": planner.cores,
        "host": dataclasses.asdict(planner.host),
        "gpu": dataclasses.asdict(gpu) if gpu is not None else None,
        "parts": [dataclasses.asdict(one) for one in planned],
    }


def certificate_document(certificate: Certificate, path: Path) -> dict[str, object]:
    """What --json prints."""
    return {"record": str(path), **dataclasses.asdict(certificate)}
