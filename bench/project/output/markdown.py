"""A projection and a backtest as Markdown, for README: the same figures as the terminal's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.project.backtest.bar import COLUMNS, Result, cells_of
from bench.project.output.table import SHOT_TIMES, film_rows, middle, span

FILM_ROWS = 4  # of the film's table: the times, shots a day, utilisation
FILM_MORE = ("GPU-hours held, with passes", "price of the GPU-hours, with passes", "sent over the link, once")


def hours_or_days(document: Mapping[str, Any]) -> str:
    """One shot and a film: P50 and P10 to P90."""
    names = [name.format(threads=document["threads"], gpus=document["gpus"]) for _, name in SHOT_TIMES]
    found = [
        f"| projected, a shot of {document['shot_length_s']:.3g} s | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for shot in document["shots"]:
        cells = [f"**{middle(shot[key])}** ({span(shot[key])})" for key, _ in SHOT_TIMES]
        found.append(f"| {shot['shot']} {shot['size']} | " + " | ".join(cells) + " |")
    film = document["film"]
    found += ["", f"| projected, a film of {film['shots']:,} such shots | P50 | P10 – P90 |", "|---|---:|---:|"]
    rows = film_rows(document)
    found += [f"| {' | '.join(row)} |" for row in [*rows[:FILM_ROWS], *(r for r in rows if r[0] in FILM_MORE)]]
    return "\n".join(found)


def claims(document: Mapping[str, Any]) -> str:
    """Claims with their verdicts."""
    found = ["| claim | found | verdict | because |", "|---|---|---|---|"]
    for row in document["claims"]["verdicts"]:
        cells = [str(row[key]).replace("|", "/") for key in ("text", "found", "verdict", "why")]
        found.append("| " + " | ".join([cells[0], cells[1], f"**{cells[2]}**", cells[3]]) + " |")
    return "\n".join(found)


def backtest(found: Sequence[Result]) -> str:
    """The backtest's table."""
    rows = [f"| predicted | {' | '.join(COLUMNS)} | bar |", "|---|" + "---:|" * len(COLUMNS) + "---|"]
    return "\n".join([*rows, *(f"| {' | '.join(cells)} |" for cells in cells_of(found))])
