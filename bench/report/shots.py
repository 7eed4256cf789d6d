"""The shots and their sizes as the terminal and JSON show them: what each needs, and how long a frame takes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.pipeline.scene.estimate import Estimate, estimate, probe
from bench.record.schema import Record
from bench.record.statistics import summarize
from bench.shot.load import Shot


@dataclass(frozen=True, kw_only=True)
class ListedShot:
    """One shot with what is known of each of its sizes."""

    shot: Shot
    sizes: tuple[tuple[Estimate, float | None], ...]  # what it needs, seconds of a frame here (None: unknown)

    def as_document(self) -> dict[str, object]:
        """The shot as ``shots --json`` prints it."""
        return {
            "shot": self.shot.name,
            "title": self.shot.title,
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
                    "host_bytes": need.host_bytes,
                    "frame_estimate_s": seconds,
                }
                for need, seconds in self.sizes
            ],
        }


def list_shots(shots: Sequence[Shot], records: Sequence[Record]) -> list[ListedShot]:
    """Every shot at every size; ``records`` of this machine tell how long a frame takes."""
    listed = []
    for shot in shots:
        found = probe(shot)
        needs = [estimate(shot, size, found) for size in shot.sizes]
        listed.append(ListedShot(shot=shot, sizes=tuple((need, frame_s(shot, need, records)) for need in needs)))
    return listed


def show_shots(listed: Sequence[ListedShot]) -> None:
    """Print a row for each size of each shot."""
    numbers = ("particles", "blocks", "substeps/frame", "frames", "pixels x samples", "memory", "frame here, about")
    table = new_table(("shot", "size"), numbers)
    for one in listed:
        for index, (need, seconds) in enumerate(one.sizes):
            table.add_row(
                plain(one.shot.name) if index == 0 else "",
                need.size,
                units.count(need.particle_capacity),
                units.count(need.active_block_count),
                str(need.substeps_per_frame),
                str(need.frame_count),
                f"{units.count(need.pixel_count)} x {need.samples_per_pixel}",
                memory_text(need),
                units.seconds(seconds),
            )
    console().print(table)


def memory_text(need: Estimate) -> str:
    """Memory of a shot: the same on each back-end."""
    return units.byte_size(next(iter(need.memory_bytes.values())))


def frame_s(shot: Shot, need: Estimate, records: Sequence[Record]) -> float | None:
    """Seconds of one frame, scaled from the newest verified record of this shot; None when there is none.

    Simulation and surface scale with particle-substeps, tracing with samples, resolve and encoding with pixels.
    """
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
