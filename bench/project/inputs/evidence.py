"""What records say about a stage: seconds beside the work that was done in them. Records come in, points go out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bench.pipeline.scene.estimate import Estimate, estimate, probe
from bench.record.schema import STAGES, Record, Row
from bench.shot.load import Shot

SERIES_FOLDER = "series"  # below the results
COUNTS = ("particle_count", "particle_substeps", "substeps", "active_blocks", "width", "height", "samples")
SOUND_STEPS = "sound_steps"  # a row that does not have it is of a program whose substeps were one sound step each


@dataclass(frozen=True)
class Work:
    """What one frame has to do.

    A simulation's steps are its sound steps. A substep's first one, with sort and transfers, is not counted apart: of
    a liquid with viscosity it moves a sixth more bytes than any other, and how many a substep has hardly changes with
    the size, so that measured sizes do not tell the two prices apart. Lava at XL, which has 10 where the other sizes
    have 5, is foretold too long by a tenth of what the first one takes more.
    """

    particles: float
    sound_steps: float
    blocks: float  # active blocks of the grid
    pixels: float
    samples: float  # of the whole picture

    @property
    def particle_sound_steps(self) -> float:
        return self.particles * self.sound_steps

    @property
    def detail(self) -> float:
        """Cells along an edge of the liquid, up to a factor: a ray crosses that many."""
        return float(self.particles ** (1.0 / 3.0))


@dataclass(frozen=True)
class Point:
    """One stage, measured at one size."""

    shot: str
    size: str
    frame: int
    stage: str
    backend: str
    threads: int | None
    machine: str
    source: str  # path of the record
    commit: str | None  # of the program that was measured
    work: Work
    samples_s: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The fastest round: others who use the machine only ever make one slower, and some rounds much slower."""
        return min(self.samples_s)


def work_of(row: Row) -> Work | None:
    """The work of a row; None where a count is missing or no positive number."""
    values = {}
    for name in (*COUNTS, SOUND_STEPS):
        found = row.work.get(name, row.work.get("substeps") if name == SOUND_STEPS else None)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < 1e18:
            return None
        values[name] = float(found)
    return Work(
        particles=values["particle_count"],
        sound_steps=values[SOUND_STEPS],
        blocks=values["active_blocks"],
        pixels=values["width"] * values["height"],
        samples=values["samples"],
    )


def points_of(records: Iterable[Record], stages: Sequence[str] = STAGES) -> list[Point]:
    """Every verified row of these stages with its work, in the records' order; a time of zero is no evidence."""
    found = []
    for record in records:
        for row in record.rows:
            work = work_of(row)
            measured = row.verified is not None and min(row.samples_s, default=0.0) > 0.0
            if row.stage not in stages or work is None or not measured:
                continue
            found.append(
                Point(
                    shot=row.shot,
                    size=row.size,
                    frame=row.frame,
                    stage=row.stage,
                    backend=row.backend,
                    threads=row.threads,
                    machine=record.machine_id,
                    source=str(record.path),
                    commit=record.commit,
                    work=work,
                    samples_s=row.samples_s,
                )
            )
    return found


Key = TypeVar("Key", bound=Hashable)


def groups_by(points: Iterable[Point], key: Callable[[Point], Key]) -> dict[Key, list[Point]]:
    """Points by what ``key`` says of them, in the order in which they come."""
    found: dict[Key, list[Point]] = {}
    for point in points:
        found.setdefault(key(point), []).append(point)
    return found


def merged(points: Iterable[Point]) -> list[Point]:
    """Points with the rounds of every record that measured the same: a series that is measured again gains rounds.

    Of each shot on a machine only the commit of its last record counts: another program takes another time.
    """

    def what(p: Point) -> Hashable:
        return p.machine, p.backend, p.threads, p.shot, p.size, p.frame, p.stage, p.work

    known = list(points)
    last = {(p.machine, p.backend, p.shot): p.commit for p in known}
    current = [p for p in known if p.commit == last[p.machine, p.backend, p.shot]]
    found = []
    for same in groups_by(current, what).values():
        samples = tuple(second for point in same for second in point.samples_s)
        found.append(replace(same[-1], samples_s=samples))
    return found


def series_folder(results: Path) -> Path:
    """Where the series of a results folder lie."""
    return results / SERIES_FOLDER


def series_records(records: Iterable[Record], kind: str) -> list[Record]:
    """Complete records of one kind of series."""
    return [record for record in records if record.complete and record.run.get("series") == kind]


class WorkAtSizes:
    """The work of a shot at each of its sizes: what was counted at one, times the ratio of two estimates."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self._probe = probe(shot)
        self._known: dict[str, Estimate] = {}

    def at(self, size: str) -> Estimate:
        if size not in self._known:
            self._known[size] = estimate(self.shot, size, self._probe)
        return self._known[size]

    def work(self, here: Work, size: str, target: str) -> Work:
        """Raises UserError where the shot does not have a size."""
        if size == target:
            return here
        a, b = self.at(size), self.at(target)
        return Work(
            particles=here.particles * b.particle_count / max(1, a.particle_count),
            sound_steps=here.sound_steps * b.sound_steps_per_frame / a.sound_steps_per_frame,
            blocks=here.blocks * b.active_block_count / max(1, a.active_block_count),
            pixels=float(b.pixel_count),
            samples=float(b.sample_count),
        )
