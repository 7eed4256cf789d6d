"""A projection as tables for the terminal and as rows for CSV: every one says that it is projected, and from what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.base import units
from bench.base.console import new_table, plain

if TYPE_CHECKING:
    from rich.table import Table

SHOT_TIMES = (
    ("cpu_s", "this CPU, {threads} threads"),
    ("one_gpu_s", "1 GPU"),
    ("frame_a_gpu_s", "a frame a GPU"),
    ("gpus_s", "{gpus:,} GPUs"),
    ("chain_s", "simulation alone"),
)
TORNADO_LINES = 6
EXPLAIN_DIGITS = "{:.4g}"


def lines(document: Mapping[str, Any]) -> Iterator[Any]:
    """Text and tables, in order."""
    yield heading(document)
    if document["my_frame_hours"] is not None:
        yield (
            f"From {document['my_frame_hours']:g} h a frame on a machine like the record's:"
            " stages share it, and go over to a GPU, as they do here."
        )
    yield _shots(document)
    for shot in document["shots"]:
        basis = plain(shot["gpu_basis"])
        yield (
            f"  {plain(shot['shot'])}: {units.count(shot['particles'])} particles, GPU speed {basis}; no faster beyond"
            f" {shot['enough_gpus']:,} GPUs ({units.brief_seconds(shot['best_s'])}), held by {shot['bound_by']}"
        )
    yield _film(document)
    yield _uploads(document["film"])
    if document["sweep"]:
        yield _sweep(document)
    for name, title in (("shot", "the longest shot"), ("film", "the film with its passes")):
        if document["tornado"].get(name):
            yield _tornado(document["tornado"][name], title)
    yield _claims(document)
    yield _conditions(document)
    for flag in document["flags"]:
        yield f"[yellow]![/] {plain(flag)}"
    yield (
        "P10 to P90 cover measuring and assuming, (…) measuring alone. shotmark project --explain: every number with"
        " its source; shotmark backtest: how wrong such numbers were."
    )


def heading(document: Mapping[str, Any]) -> str:
    record, cluster = document["record"], document["cluster"]
    commit = f" at commit {plain(record['commit'][:12])}" if record["commit"] else ""
    return (
        f"[bold]Projected[/bold], not measured: from {plain(record['path'])}{commit}, {plain(record['machine'])};"
        f" cluster {plain(cluster['name'])}, {document['gpus']:,} GPUs ({plain(cluster['gpu_kind'])})"
    )


def span(times: Mapping[str, float | None], before: str = "") -> str:
    return units.brief_span(times[f"{before}p10"], times[f"{before}p90"])


def middle(times: Mapping[str, float | None]) -> str:
    return units.brief_seconds(times["p50"]) if times["p50"] is not None else "never ends"


def _shots(document: Mapping[str, Any]) -> Table:
    title = f"projected: one shot of {document['shot_length_s']:.3g} s, {document['frames']} frames (latency)"
    numbers = [name.format(threads=document["threads"], gpus=document["gpus"]) for _, name in SHOT_TIMES]
    table = new_table(("shot",), numbers, title=title, no_wrap=("shot", *numbers))
    for shot in document["shots"]:
        table.add_row(f"{plain(shot['shot'])} {plain(shot['size'])}", *[middle(shot[key]) for key, _ in SHOT_TIMES])
        table.add_row("  P10 – P90", *[span(shot[key]) for key, _ in SHOT_TIMES], style="dim")
        alone = [f"({span(shot[key], 'measured_')})" for key, _ in SHOT_TIMES]
        table.add_row("  (measuring alone)", *alone, style="dim")
    return table


def film_rows(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(what, P50, P10 – P90) of the film."""
    film, money = document["film"], document["cluster"]["currency"]

    def number(key: str, unit: str) -> tuple[str, str]:
        one = film[key]
        text = [units.count(one[p]) for p in ("p50", "p10", "p90")]
        return f"{text[0]}{unit}", f"{text[1]} – {text[2]}"

    passes = film["passes"]
    again = f"with {passes['p50']:.2g} passes ({passes['p10']:.2g} – {passes['p90']:.2g}) and the share of GPUs got"
    utilisation = film["utilisation"]
    return [
        ("every frame once", middle(film["once_s"]), span(film["once_s"])),
        (again, middle(film["with_passes_s"]), span(film["with_passes_s"])),
        ("shots a day, many at once (throughput)", *number("shots_per_day", "")),
        (
            "utilisation",
            units.share(utilisation["p50"]),
            f"{units.share(utilisation['p10'])} – {units.share(utilisation['p90'])}",
        ),
        ("GPU-hours held, once", *number("gpu_hours", " h")),
        ("GPU-hours held, with passes", *number("gpu_hours_with_passes", " h")),
        ("energy, once", *number("energy_kwh", " kWh")),
        ("price of the GPU-hours, once", *number("price", f" {money}")),
        ("price of the GPU-hours, with passes", *number("price_with_passes", f" {money}")),
        ("of electricity, once", *number("energy_price", f" {money}")),
        ("moved to and from storage, once", *number("storage_bytes", "B")),
        ("sent over the link, once", *number("link_bytes", "B")),
    ]


def _film(document: Mapping[str, Any]) -> Table:
    film = document["film"]
    title = f"projected: a film of {film['shots']:,} such shots, {film['frames']:,} frames"
    table = new_table(("film",), ("P50", "P10 – P90"), title=title)
    for row in film_rows(document):
        table.add_row(*row)
    return table


def _uploads(film: Mapping[str, Any]) -> Table:
    table = new_table(("what",), ("size", "this link", "400 Gbit/s", "10 Gbit/s"), title="projected: over the link")
    for row in film["uploads"]:
        times = [units.seconds(row[key]) for key in ("link_s", "at_400_gbit_s", "at_10_gbit_s")]
        table.add_row(plain(row["what"]), f"{units.count(row['bytes'])}B", *times)
    return table


def _sweep(document: Mapping[str, Any]) -> Table:
    names = list(document["sweep"][0]["shots"])
    numbers = ("GPUs", *(f"one shot, {plain(name)}" for name in names), "film once")
    table = new_table((), numbers, title="projected: more GPUs, P50 (P10 – P90)")
    for row in document["sweep"]:
        cells = [*(row["shots"][name] for name in names), row["film_once_s"]]
        table.add_row(f"{row['gpus']:,}", *[f"{middle(cell)} ({span(cell)})" for cell in cells])
    return table


def _tornado(found: Sequence[Mapping[str, Any]], what: str) -> Table:
    words, numbers = ("assumption, from one end to the other",), ("shortest", "longest", "factor")
    table = new_table(words, numbers, title=f"projected: what moves {what} most")
    for line in found[:TORNADO_LINES]:
        factor = "never ends" if line["factor"] is None else f"{line['factor']:.2f}"
        table.add_row(plain(line["text"]), units.seconds(line["low_s"]), units.seconds(line["high_s"]), factor)
    return table


def _claims(document: Mapping[str, Any]) -> Table:
    words = ("claim", "claimed", "found", "verdict", "because")
    table = new_table(words, title="projected against what was published")
    for row in document["claims"]["verdicts"]:
        table.add_row(*[plain(row[key]) for key in ("text", "claimed", "found", "verdict", "why")])
    return table


def _conditions(document: Mapping[str, Any]) -> Table:
    table = new_table(("way", "condition"), title='"3 to 5 days became a few hours" would be true with')
    for row in document["claims"]["days_to_hours"]:
        table.add_row(plain(row["way"]), plain(row["condition"]))
    return table


def explain(document: Mapping[str, Any]) -> Table:
    """Every number with its source."""
    words = ("number", "short", "likely", "long", "unit", "source")
    table = new_table(words, title="projected: what it stands on")
    for entry in document["stands_on"]:
        values = [
            EXPLAIN_DIGITS.format(entry[key]) if isinstance(entry[key], int | float) else plain(entry[key])
            for key in ("low", "likely", "high")
        ]
        if len(set(values)) == 1:
            values = ["", values[0], ""]
        table.add_row(plain(f"{entry['name']}: {entry['text']}"), *values, entry["unit"], plain(entry["source"]))
    return table


def as_csv(document: Mapping[str, Any]) -> str:
    """One row a figure: what, of which shot, on how many GPUs, P10, P50, P90; the first column says projected."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("kind", "of", "quantity", "gpus", "p10", "p50", "p90", "record", "cluster"))
    where = document["record"]["path"], document["cluster"]["name"]

    def row(of: str, quantity: str, gpus: int | str, found: Mapping[str, float | None]) -> None:
        values = ["" if found[key] is None else repr(found[key]) for key in ("p10", "p50", "p90")]
        writer.writerow(("projected", of, quantity, gpus, *values, *where))

    counts = {"one_gpu_s": 1, "frame_a_gpu_s": min(document["frames"], document["gpus"]), "gpus_s": document["gpus"]}
    for shot in document["shots"]:
        for key, _ in SHOT_TIMES:
            row(f"{shot['shot']} {shot['size']}", key, counts.get(key, ""), shot[key])
    for key, found in document["film"].items():
        if isinstance(found, dict) and "p50" in found:
            row("film", key, document["gpus"], found)
    for line in document["sweep"]:
        for name, found in line["shots"].items():
            row(name, "sweep_s", line["gpus"], found)
        row("film", "sweep_s", line["gpus"], line["film_once_s"])
    return out.getvalue()
