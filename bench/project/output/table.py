"""A projection as tables for the terminal: every one says that it is projected, and from what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import new_table, plain
from bench.project.output.result import Claims, FilmAnswer, Projection, Quantiles, ShotAnswer

if TYPE_CHECKING:
    from rich.table import Table

    from bench.project.model.tornado import TornadoLine

TORNADO_LINES = 6
EXPLAIN_DIGITS = "{:.4g}"


def show(projection: Projection, say: Callable[[str | Table], None]) -> None:
    """The projection as tables, through a console's print."""
    for line in lines(projection):
        say(line)


def lines(projection: Projection) -> Iterator[str | Table]:
    """Text and tables, in order."""
    yield heading(projection)
    if projection.my_frame_hours is not None:
        yield (
            f"From {projection.my_frame_hours:g} h a frame on a machine like the record's:"
            " stages share it, and go over to a GPU, as they do here."
        )
    yield _shots(projection)
    for shot in projection.shots:
        yield _held_by(shot)
    yield _film(projection)
    yield _uploads(projection.film)
    if projection.sweep:
        yield _sweep(projection)
    if projection.tornado:
        yield _tornado(projection.tornado.shot, "the longest shot")
        yield _tornado(projection.tornado.film, "the film with its passes")
    yield _verdicts(projection.claims)
    yield _conditions(projection.claims)
    for flag in projection.flags:
        yield f"[yellow]![/] {plain(flag)}"
    yield (
        "P10 to P90 cover measuring and assuming, (…) measuring alone. shotmark project --explain: every number with"
        " its source; shotmark backtest: how wrong such numbers were."
    )


def heading(projection: Projection) -> str:
    """What was projected from what."""
    record, cluster = projection.record, projection.cluster
    commit = f" at commit {plain(record.commit[:12])}" if record.commit else ""
    incomplete = "" if record.complete else ", incomplete"
    return (
        f"[bold]Projected[/bold], not measured: from {plain(record.path)}{commit}, {plain(record.machine)}{incomplete};"
        f" cluster {plain(cluster.name)}, {projection.gpus:,} GPUs ({plain(cluster.gpu_kind)})"
    )


def time_names(projection: Projection) -> list[str]:
    """What is written over ``ShotAnswer.times``."""
    cpu, gpus = f"this CPU, {projection.threads} threads", f"{projection.gpus:,} GPUs"
    return [cpu, "1 GPU", "a frame a GPU", gpus, "simulation alone"]


def span(times: Quantiles) -> str:
    """``22 – 56 min``: P10 to P90 of a time."""
    return units.brief_span(times.p10, times.p90)


def middle(times: Quantiles) -> str:
    """P50 of a time."""
    return units.brief_seconds(times.p50) if times.p50 is not None else "never ends"


def _shots(projection: Projection) -> Table:
    title = f"projected: one shot of {projection.shot_length_s:.3g} s, {projection.frames} frames (latency)"
    numbers = time_names(projection)
    table = new_table(("shot",), numbers, title=title, no_wrap=("shot", *numbers))
    for shot in projection.shots:
        times = shot.times.values()
        table.add_row(f"{plain(shot.shot)} {plain(shot.size)}", *map(middle, times))
        table.add_row("  P10 – P90", *map(span, times), style="dim")
        table.add_row("  (measuring alone)", *[f"({span(one.alone)})" for one in times], style="dim")
    return table


def _held_by(shot: ShotAnswer) -> str:
    return (
        f"  {plain(shot.shot)}: {units.count(shot.particles)} particles, GPU speed {plain(shot.gpu_basis)}; no faster"
        f" beyond {shot.enough_gpus:,} GPUs ({units.brief_seconds(shot.best_s)}), held by {shot.bound_by}"
    )


def film_rows(projection: Projection) -> list[tuple[str, str, str]]:
    """(what, P50, P10 – P90) of the film."""
    film, money = projection.film, projection.cluster.currency

    def number(one: Quantiles, unit: str) -> tuple[str, str]:
        return f"{units.count(one.p50)}{unit}", f"{units.count(one.p10)} – {units.count(one.p90)}"

    passes = film.passes
    again = f"with {passes.p50:.2g} passes ({passes.p10:.2g} – {passes.p90:.2g}) and the share of GPUs got"
    used = [units.share(value) for value in (film.utilisation.p50, film.utilisation.p10, film.utilisation.p90)]
    return [
        ("every frame once", middle(film.once_s), span(film.once_s)),
        (again, middle(film.with_passes_s), span(film.with_passes_s)),
        ("shots a day, many at once (throughput)", *number(film.shots_per_day, "")),
        ("utilisation", used[0], f"{used[1]} – {used[2]}"),
        ("GPU-hours held, once", *number(film.gpu_hours, " h")),
        ("GPU-hours held, with passes", *number(film.gpu_hours_with_passes, " h")),
        ("energy, once", *number(film.energy_kwh, " kWh")),
        ("price of the GPU-hours, once", *number(film.price, f" {money}")),
        ("price of the GPU-hours, with passes", *number(film.price_with_passes, f" {money}")),
        ("of electricity, once", *number(film.energy_price, f" {money}")),
        ("moved to and from storage, once", *number(film.storage_bytes, "B")),
        ("sent over the link, once", *number(film.link_bytes, "B")),
    ]


def _film(projection: Projection) -> Table:
    film = projection.film
    title = f"projected: a film of {film.shots:,} such shots, {film.frames:,} frames"
    table = new_table(("film",), ("P50", "P10 – P90"), title=title)
    for row in film_rows(projection):
        table.add_row(*row)
    return table


def _uploads(film: FilmAnswer) -> Table:
    table = new_table(("what",), ("size", "this link", "400 Gbit/s", "10 Gbit/s"), title="projected: over the link")
    for one in film.uploads:
        times = [units.seconds(value) for value in (one.link_s, one.at_400_gbit_s, one.at_10_gbit_s)]
        table.add_row(plain(one.what), f"{units.count(one.bytes)}B", *times)
    return table


def _sweep(projection: Projection) -> Table:
    names = list(projection.sweep[0].shots)
    numbers = ("GPUs", *(f"one shot, {plain(name)}" for name in names), "film once")
    table = new_table((), numbers, title="projected: more GPUs, P50 (P10 – P90)")
    for row in projection.sweep:
        cells = [*(row.shots[name] for name in names), row.film_once_s]
        table.add_row(f"{row.gpus:,}", *[f"{middle(cell)} ({span(cell)})" for cell in cells])
    return table


def _tornado(found: Sequence[TornadoLine], what: str) -> Table:
    words, numbers = ("assumption, from one end to the other",), ("shortest", "longest", "factor")
    table = new_table(words, numbers, title=f"projected: what moves {what} most")
    for line in found[:TORNADO_LINES]:
        factor = "never ends" if line.factor is None else f"{line.factor:.2f}"
        table.add_row(plain(line.text), units.seconds(line.low_s), units.seconds(line.high_s), factor)
    return table


def _verdicts(claims: Claims) -> Table:
    words = ("claim", "claimed", "found", "verdict", "because")
    table = new_table(words, title="projected against what was published")
    for line in claims.verdicts:
        table.add_row(*map(plain, (line.text, line.claimed, line.found, line.verdict, line.why)))
    return table


def _conditions(claims: Claims) -> Table:
    table = new_table(("way", "condition"), title='"3 to 5 days became a few hours" would be true with')
    for line in claims.days_to_hours:
        table.add_row(plain(line.way), plain(line.condition))
    return table


def explain(projection: Projection) -> Table:
    """Every number with its source."""
    words = ("number", "short", "likely", "long", "unit", "source")
    table = new_table(words, title="projected: what it stands on")
    for entry in projection.stands_on:
        values = [
            plain(value) if isinstance(value, str) else EXPLAIN_DIGITS.format(value)
            for value in (entry.low, entry.likely, entry.high)
        ]
        if len(set(values)) == 1:
            values = ["", values[0], ""]
        table.add_row(plain(f"{entry.name}: {entry.text}"), *values, entry.unit, plain(entry.source))
    return table
