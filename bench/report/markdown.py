"""A record as Markdown, for README and results/README: pure text from what was measured."""

from __future__ import annotations

import re

from bench.base import units
from bench.record.schema import INCOMPLETE, Record
from bench.record.statistics import summarize
from bench.report.tables import TOTAL_TEXT, groups, interval_text, rate_text

HEADER = "| shot | stage | median | 95 % interval | rate | share of the frame |\n|---|---|---:|---:|---:|---:|"


def markdown(record: Record) -> str:
    """One row a stage, in the order of the pipeline; a shot's own line names its size, back-end and proof."""
    lines = [HEADER] if record.complete else [f"This record is {INCOMPLETE}.\n", HEADER]
    for group in groups(record):
        whole = next((summarize(row.samples_s).median for row in group if row.stage == "frame"), None)
        for index, row in enumerate(group):
            summary = summarize(row.samples_s)
            share = summary.median / whole if summary.median is not None and whole else None
            cells = (
                f"**{row.shot}** {row.size}, {row.backend}" if index == 0 else "",
                TOTAL_TEXT.get(row.stage, row.stage),
                units.seconds(summary.median),
                interval_text(summary),
                rate_text(row, summary.median),
                units.share(share),
            )
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
        first = group[0]
        state, picture = units.short_hash(first.state_sha256), units.short_hash(first.picture_sha256)
        lines.append(f"| | state `{state}`, picture `{picture}` | | | | |")
    if record.gpu_unused is not None:
        lines += ["", markdown_text(record.gpu_unused.line)]
    return "\n".join(lines)


def markdown_text(text: str) -> str:
    """One line of text that means itself in Markdown, whoever wrote it."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", printable)
