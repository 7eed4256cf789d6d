"""The shots and their sizes as the terminal and JSON show them: what each needs, and how long a frame takes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.pipeline.scene.estimate import Estimate, estimate, probe
from bench.record.first_frame import FirstFrame, first_frame_of
from bench.record.schema import Record
from bench.record.statistics import summarize
from bench.report.tables import groups
from bench.shot.load import Shot


@dataclass(frozen=True)
class ListedSize:
    """What is known of one size of a shot."""

    need: Estimate
    frame_s: float | None  # of a frame here; None: unknown
    first_frame: FirstFrame | None  # until the first one here; None: unknown
    measured: bool  # whether that is of a record of this size, and no estimate


@dataclass(frozen=True, kw_only=True)
class ListedShot:
    """One shot with what is known of each of its sizes."""

    shot: Shot
    sizes: tuple[ListedSize, ...]

    def as_document(self) -> dict[str, object]:
        """The shot as ``shots --json`` prints it."""
        return {
            "shot": self.shot.name,
            "title": self.shot.title,
            "sizes": [
                {
                    "size": size.need.size,
                    "particle_count": size.need.particle_count,
                    "particle_capacity": size.need.particle_capacity,
                    "active_block_count": size.need.active_block_count,
                    "substeps_per_frame": size.need.substeps_per_frame,
                    "sound_steps_per_substep": size.need.sound_steps_per_substep,
                    "frame_count": size.need.frame_count,
                    "pixel_count": size.need.pixel_count,
                    "samples_per_pixel": size.need.samples_per_pixel,
                    "memory_bytes": size.need.memory_bytes,
                    "host_bytes": size.need.host_bytes,
                    "frame_estimate_s": size.frame_s,
                    "first_frame": size.first_frame.as_document() if size.first_frame is not None else None,
                    "first_frame_measured": size.measured,
                }
                for size in self.sizes
            ],
        }


def list_shots(shots: Sequence[Shot], records: Sequence[Record]) -> list[ListedShot]:
    """Every shot at every size; ``records`` of this machine tell how long a frame takes."""
    listed = []
    for shot in shots:
        found = probe(shot)
        needs = [estimate(shot, size, found) for size in shot.sizes]
        listed.append(ListedShot(shot=shot, sizes=tuple(_listed(shot, need, records) for need in needs)))
    return listed


def _listed(shot: Shot, need: Estimate, records: Sequence[Record]) -> ListedSize:
    seconds = frame_s(shot, need, records)
    found, measured = first_frame(shot, need, records, seconds)
    return ListedSize(need, seconds, found, measured)


def first_frame(
    shot: Shot, need: Estimate, records: Sequence[Record], seconds: float | None
) -> tuple[FirstFrame | None, bool]:
    """What came before the first frame in the newest record of this shot, and whether that was of this size.

    Of another size it is an estimate: what grows with the particles is scaled.
    """
    near: FirstFrame | None = None
    for record in reversed(records):
        for rows in groups(record):
            if rows[0].shot != shot.name or (found := first_frame_of(record, rows)) is None:
                continue
            if rows[0].size == need.size:
                return found, True
            particles = rows[0].work.get("particle_count")
            if near is None and isinstance(particles, int) and particles > 0:
                near = found.scaled(need.particle_count / particles, seconds)
    return near, False


def show_shots(listed: Sequence[ListedShot]) -> None:
    """Print a row for each size of each shot."""
    numbers = (
        "particles",
        "blocks",
        "substeps x sound steps",
        "frames",
        "pixels x samples",
        "memory",
        "frame here, about",
    )
    table = new_table(("shot", "size"), numbers)
    for one in listed:
        for index, size in enumerate(one.sizes):
            need = size.need
            table.add_row(
                plain(one.shot.name) if index == 0 else "",
                need.size,
                units.count(need.particle_capacity),
                units.count(need.active_block_count),
                f"{need.substeps_per_frame} x {need.sound_steps_per_substep}",
                str(need.frame_count),
                f"{units.count(need.pixel_count)} x {need.samples_per_pixel}",
                memory_text(need),
                units.seconds(size.frame_s),
            )
    console().print(table)
    lines = [line for one in listed for line in first_frame_lines(one)]
    if lines:
        console().print("\nTo the first frame here, by the newest record; about: scaled from another size")
    for line in lines:
        console().print(line, soft_wrap=True)


def first_frame_lines(one: ListedShot) -> list[str]:
    """A line for each size whose parts are known or can be estimated."""
    return [
        f"{plain(one.shot.name)} {size.need.size}{'' if size.measured else ' about'} {size.first_frame.in_words()}"
        for size in one.sizes
        if size.first_frame is not None
    ]


def memory_text(need: Estimate) -> str:
    """Memory of a shot: the same on each back-end."""
    return units.byte_size(next(iter(need.memory_bytes.values())))


def frame_s(shot: Shot, need: Estimate, records: Sequence[Record]) -> float | None:
    """Seconds of one frame, scaled from the newest verified record of this shot; None when there is none.

    Simulation scales with particle-sound-steps, the surface with particles, tracing with samples, resolve and encoding
    with pixels.
    """
    for record in reversed(records):
        rows = {row.stage: row for row in record.rows if row.shot == shot.name and row.verified}
        if not {"simulate", "surface", "trace", "resolve", "encode"} <= set(rows):
            continue
        work = rows["simulate"].work
        done = (rows["simulate"].particle_sound_steps, work.get("samples"), work.get("width"), work.get("height"))
        if not all(isinstance(value, int) and value > 0 for value in done):
            continue
        sound_steps, samples, width, height = (int(value or 1) for value in done)
        scale = {
            "simulate": need.particle_capacity * need.sound_steps_per_frame / sound_steps,
            "surface": need.particle_capacity / max(1, int(work.get("particle_count") or 1)),
            "trace": need.sample_count / samples,
            "resolve": need.pixel_count / (width * height),
            "encode": need.pixel_count / (width * height),
        }
        return sum(factor * (summarize(rows[stage].samples_s).median or 0.0) for stage, factor in scale.items())
    return None
