"""A projection as tables for the terminal: every one of them says that it is projected, and from what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from bench import units
from bench.tables import plain

WHAT = {
    "cpu_s": "this machine's CPU",
    "one_frame_a_gpu_s": "one frame a GPU",
    "gpus_s": "the GPUs asked for",
}


def lines(document: dict[str, Any]) -> Iterator[Any]:
    """Text and tables, in order."""
    record, gpus = document["record"], document["gpus"]
    commit = f" at commit {plain(record['commit'][:12])}" if record["commit"] else ""
    yield f"[bold]Projected[/bold], not measured: from {plain(record['path'])}{commit}, {plain(record['machine'])}"
    yield _shots(document)
    for shot in document["shots"]:
        basis = "GPU speed is an assumption" if shot["gpu_basis"] == "assumption" else f"GPU {plain(shot['gpu_basis'])}"
        substeps, samples = shot["particle_substeps_growth_ratio"], shot["samples_growth_ratio"]
        yield (
            f"{plain(shot['shot'])}: {units.count(shot['particles'])} particles; grown from size"
            f" {plain(shot['measured_size'])}, particle-substeps x {units.count(substeps)},"
            f" samples x {units.count(samples)}; {basis}; within 5 % of its best from {shot['enough_gpus']:,} GPUs on,"
            f" then held by {shot['bound_by']}"
        )
    film = document["film"]
    yield (
        f"Film of {film['shots']:,} such shots on {gpus:,} GPUs: {_range(film['once_s'])} when every frame is made"
        f" once, {_range(film['with_passes_s'])} with {film['passes']['likely']:g} passes"
        f" ({film['passes']['low']:g} to {film['passes']['high']:g})"
    )
    yield (
        f"  that is {units.count(film['gpu_hours']['likely'])} GPU-hours"
        f" ({units.count(film['gpu_hours']['low'])} to {units.count(film['gpu_hours']['high'])}),"
        f" {units.count(film['price_usd']['likely'])} USD"
        f" ({units.count(film['price_usd']['low'])} to {units.count(film['price_usd']['high'])})"
    )
    yield _claims(document)
    yield "Ranges span the assumptions, short to long: shotmark project --explain lists each with its source."


def _range(times: dict[str, float]) -> str:
    return f"{units.seconds(times['likely'])} ({units.seconds(times['low'])} to {units.seconds(times['high'])})"


def _shots(document: dict[str, Any]) -> Table:
    gpus, threads = document["gpus"], document["threads"]
    table = Table(box=None, padding=(0, 1), header_style="bold", title_justify="left")
    table.title = f"projected: a shot of {document['shot_length_s']:g} s, {document['frames']} frames"
    table.add_column("shot")
    for name in (f"this CPU, {threads} threads", "1 GPU", "one frame a GPU", f"{gpus:,} GPUs", "simulation alone"):
        table.add_column(name, justify="right")
    for shot in document["shots"]:
        keys = ("cpu_s", "one_gpu_s", "one_frame_a_gpu_s", "gpus_s", "chain_s")
        table.add_row(
            f"{plain(shot['shot'])} {plain(shot['size'])}", *[units.seconds(shot[key]["likely"]) for key in keys]
        )
        low_high = [f"{units.seconds(shot[key]['low'])} – {units.seconds(shot[key]['high'])}" for key in keys]
        table.add_row("", *low_high, style="dim")
    return table


def _claims(document: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold", title_justify="left")
    table.title = "projected against what was published"
    for name in ("claim", "claimed", "by", "projected, all shots", ""):
        table.add_column(name)
    for row in document["claims"]:
        table.add_row(
            plain(row["text"]),
            f"{units.seconds(row['claimed_s']['low'])} – {units.seconds(row['claimed_s']['high'])}",
            WHAT[row["what"]],
            f"{units.seconds(row['projected_s']['low'])} – {units.seconds(row['projected_s']['high'])}",
            row["verdict"],
        )
    return table


def explain(document: dict[str, Any]) -> Table:
    """Every assumption with its source."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("assumed", "short", "likely", "long", "unit", "source"):
        table.add_column(name)
    for entry in document["assumptions"]:
        values = [f"{entry[key]:g}" for key in ("low", "likely", "high")]
        table.add_row(entry["text"], *values, entry["unit"], entry["source"])
    return table
