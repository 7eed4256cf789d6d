"""``shotmark shots``: the shots, their sizes, and what each needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.base.files import default_results
from bench.cli import options

if TYPE_CHECKING:
    from bench.pipeline.scene.estimate import Estimate
    from bench.record.schema import Record
    from bench.shot.load import Shot


@click.command("shots")
@options.shots
@options.results
@options.json
def command(shots: tuple[str, ...], results: Path | None, as_json: bool) -> None:
    """List shots and sizes: particles, blocks, substeps, samples, memory, and the time of a frame on this machine.

    The time comes from this machine's newest record of the shot, scaled by particle-substeps and samples; it is an
    estimate, and unknown before something was measured.
    """
    from bench.pipeline.scene.estimate import estimate, probe
    from bench.record import machine
    from bench.record.read import list_records
    from bench.shot.load import load_shot, shot_names

    loaded = [load_shot(name) for name in shots or shot_names()]
    records, _ = list_records(results or default_results())
    here = [record for record in records if record.machine_id == machine.describe()["id"]]
    listed = []
    for shot in loaded:
        found = probe(shot)
        needs = [estimate(shot, size, found) for size in shot.sizes]
        listed.append((shot, [(need, frame_s(shot, need, here)) for need in needs]))
    if as_json:
        click.echo(json.dumps({"shots": [_document(shot, sizes) for shot, sizes in listed]}, indent=1))
        return
    numbers = ("particles", "blocks", "substeps/frame", "frames", "pixels x samples", "memory", "frame here, about")
    table = new_table(("shot", "size"), numbers)
    for shot, sizes in listed:
        for index, (need, seconds) in enumerate(sizes):
            table.add_row(
                plain(shot.name) if index == 0 else "",
                need.size,
                units.count(need.particle_capacity),
                units.count(need.active_block_count),
                str(need.substeps_per_frame),
                str(need.frame_count),
                f"{units.count(need.pixel_count)} x {need.samples_per_pixel}",
                memory_text(need),
                units.seconds(seconds),
            )
    out = console()
    out.print(table)
    if not here:
        out.print("\nTimes are unknown on this machine until shotmark run has measured it.")


def memory_text(need: Estimate) -> str:
    """Memory of a shot: the same on each back-end."""
    return units.byte_size(next(iter(need.memory_bytes.values())))


def frame_s(shot: Shot, need: Estimate, records: list[Record]) -> float | None:
    """Seconds of one frame, scaled from the newest verified record of this shot; None when there is none.

    Simulation and surface scale with particle-substeps, tracing with samples, resolve and encoding with pixels.
    """
    from bench.record.statistics import summarize

    for record in reversed(records):
        rows = {row.stage: row for row in record.rows if row.shot == shot.name and row.verified}
        if not {"simulate", "surface", "trace", "resolve", "encode"} <= set(rows):
            continue
        work = rows["simulate"].work
        done = (work.get("particle_substeps"), work.get("samples"), work.get("width"), work.get("height"))
        if not all(isinstance(value, int) and value > 0 for value in done):
            continue
        substeps, samples, width, height = (int(value or 1) for value in done)
        scale = {
            "simulate": need.particle_capacity * need.substeps_per_frame / substeps,
            "surface": need.particle_capacity / max(1, int(work.get("particle_count") or 1)),
            "trace": need.sample_count / samples,
            "resolve": need.pixel_count / (width * height),
            "encode": need.pixel_count / (width * height),
        }
        return sum(factor * (summarize(rows[stage].samples_s).median or 0.0) for stage, factor in scale.items())
    return None


def _document(shot: Shot, sizes: list[tuple[Estimate, float | None]]) -> dict[str, Any]:
    return {
        "shot": shot.name,
        "title": shot.title,
        "sizes": [
            {
                "size": need.size,
                "particle_count": need.particle_count,
                "particle_capacity": need.particle_capacity,
                "active_block_count": need.active_block_count,
                "substeps_per_frame": need.substeps_per_frame,
                "frame_count": need.frame_count,
                "pixel_count": need.pixel_count,
                "samples_per_pixel": need.samples_per_pixel,
                "memory_bytes": need.memory_bytes,
                "frame_estimate_s": seconds,
            }
            for need, seconds in sizes
        ],
    }
