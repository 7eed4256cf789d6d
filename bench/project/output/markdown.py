"""A projection as Markdown, for README: the same figures as the terminal's."""

from __future__ import annotations

from bench.project.output.result import Claims, Projection
from bench.project.output.table import film_rows, middle, span, time_names
from bench.record.schema import INCOMPLETE

FILM_ROWS = 4  # of the film's table: the times, shots a day, utilisation
FILM_MORE = ("GPU-hours held, with passes", "price of the GPU-hours, with passes", "sent over the link, once")


def hours_or_days(projection: Projection) -> str:
    """One shot and a film: P50 and P10 to P90."""
    names = time_names(projection)
    found = [
        f"| projected, a shot of {projection.shot_length_s:.3g} s | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for shot in projection.shots:
        cells = [f"**{middle(times)}** ({span(times)})" for times in shot.times.values()]
        found.append(f"| {shot.shot} {shot.size} | " + " | ".join(cells) + " |")
    if not projection.record.complete:
        found = [f"The record is {INCOMPLETE}.", "", *found]
    film = projection.film
    found += ["", f"| projected, a film of {film.shots:,} such shots | P50 | P10 – P90 |", "|---|---:|---:|"]
    rows = film_rows(projection)
    found += [f"| {' | '.join(row)} |" for row in [*rows[:FILM_ROWS], *(r for r in rows if r[0] in FILM_MORE)]]
    return "\n".join(found)


def verdicts(claims: Claims) -> str:
    """Claims with their verdicts."""
    found = ["| claim | found | verdict | because |", "|---|---|---|---|"]
    for line in claims.verdicts:
        text, said, verdict, why = (cell.replace("|", "/") for cell in (line.text, line.found, line.verdict, line.why))
        found.append(f"| {text} | {said} | **{verdict}** | {why} |")
    return "\n".join(found)
