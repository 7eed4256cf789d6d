"""A projection for other programs: one JSON document, or one line of CSV a figure. Every one says projected."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields

from bench.project.output.result import FilmAnswer, Projection, Quantiles, ShotAnswer

KIND = "projected"


def as_document(projection: Projection) -> dict[str, object]:
    """What --json prints: the fields of the projection under their own names, with its kind before them."""
    whole = {field.name: getattr(projection, field.name) for field in fields(projection)}
    parts: dict[str, object] = {
        "record": asdict(projection.record),
        "cluster": asdict(projection.cluster),
        "worlds": asdict(projection.worlds),
        "shots": [_without_flags(shot) for shot in projection.shots],
        "film": _without_flags(projection.film),
        "sweep": [asdict(row) for row in projection.sweep],
        "tornado": asdict(projection.tornado) if projection.tornado else {},
        "flags": list(projection.flags),
        "stands_on": [asdict(premise) for premise in projection.stands_on],
        "claims": asdict(projection.claims),
    }
    return {"kind": KIND, **whole, **parts}


def _without_flags(answer: ShotAnswer | FilmAnswer) -> dict[str, object]:
    """The document lists flags once, for the whole projection."""
    return {name: value for name, value in asdict(answer).items() if name != "flags"}


def as_csv(projection: Projection) -> str:
    """One row a figure: what, of which shot, on how many GPUs, P10, P50, P90; the first column says projected."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("kind", "of", "quantity", "gpus", "p10", "p50", "p90", "record", "cluster"))
    where = projection.record.path, projection.cluster.name

    def row(of: str, quantity: str, gpus: int | str, found: Quantiles) -> None:
        values = ["" if value is None else repr(value) for value in (found.p10, found.p50, found.p90)]
        writer.writerow((KIND, of, quantity, gpus, *values, *where))

    gpus = projection.gpus
    counts = {"one_gpu_s": 1, "frame_a_gpu_s": min(projection.frames, gpus), "gpus_s": gpus}
    for shot in projection.shots:
        for key, times in shot.times.items():
            row(f"{shot.shot} {shot.size}", key, counts.get(key, ""), times)
    for field in fields(projection.film):
        value = getattr(projection.film, field.name)
        if isinstance(value, Quantiles):
            row("film", field.name, gpus, value)
    for line in projection.sweep:
        for name, found in line.shots.items():
            row(name, "sweep_s", line.gpus, found)
        row("film", "sweep_s", line.gpus, line.film_once_s)
    return out.getvalue()
