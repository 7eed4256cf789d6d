"""What ``shotmark certify`` says at its end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.record.certificate import FAILED, PASSED
from bench.record.schema import Certificate

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


def certificate_document(certificate: Certificate, path: Path) -> dict[str, object]:
    """What --json prints."""
    return {"record": str(path), **dataclasses.asdict(certificate)}
