"""What ``shotmark run`` says at its end: the closing words for a reader, and the document for a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.backend.ahead import Ahead
from bench.base import units
from bench.base.console import console, plain
from bench.base.errors import EXIT_CHECK_FAILED, EXIT_UNAVAILABLE
from bench.record.compare import compare, pairs_of
from bench.record.first_frame import first_frame_of
from bench.record.read import read_record
from bench.record.schema import Record, Row
from bench.record.statistics import first_was_slow, summarize
from bench.record.write import Draft
from bench.report.tables import compare_table, groups, rejected_lines, stage_table, summary_dict

if TYPE_CHECKING:
    from bench.project.output.result import Projection

PROJECTED_GPUS = 1000


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run has come to."""

    record: Record
    pictures: Sequence[Path]
    projection: Projection | None  # of these shots and of a film; None where nothing verified

    @property
    def exit_code(self) -> int:
        """0; where something was left out 1, or 3 where nothing but the device or its memory was missing."""
        if not self.record.rejected:
            return 0
        missing = all(entry.unavailable for entry in self.record.rejected)
        return EXIT_UNAVAILABLE if missing else EXIT_CHECK_FAILED


def finished(draft: Draft) -> Run:
    """The record as it lies on the disk, the pictures beside it, and hours, days and price on a centre."""
    from bench.project.output.projection import summary

    record = read_record(draft.path)
    pictures = sorted(draft.slot.pictures.glob("*.*")) if draft.slot.pictures.is_dir() else []
    return Run(record, pictures, summary(record, gpus=PROJECTED_GPUS) if record.rows else None)


def run_document(run: Run) -> dict[str, object]:
    """What --json prints."""
    from bench.project.output.document import as_document

    record = run.record
    return {
        "record": str(record.path),
        "machine": record.machine_id,
        "commit": record.commit,
        "clean": record.clean,
        "complete": record.complete,
        "peak_memory_bytes": record.peak_memory_bytes,
        "gpu_unused": record.run.get("gpu_unused"),
        "shots": [shot_document(rows, record) for rows in groups(record)],
        "rejected": [dataclasses.asdict(entry) for entry in record.rejected],
        "pictures": [str(path) for path in run.pictures],
        "projection": as_document(run.projection) if run.projection else None,
    }


def shot_document(rows: Sequence[Row], record: Record) -> dict[str, object]:
    """One shot on one back-end."""
    first = rows[0]
    before = first_frame_of(record, rows)
    middle = {row.stage: summarize(row.samples_s).median for row in rows}
    return {
        "shot": first.shot,
        "size": first.size,
        "backend": first.backend,
        "threads": first.threads,
        "frame": first.frame,
        "verified": first.verified,
        "state_sha256": first.state_sha256,
        "picture_sha256": first.picture_sha256,
        "work": first.work,
        "work_sha256": first.work_sha256,
        "compile_s": _compile_s(rows),
        "warnings": [line for row in rows for line in row.warnings or ()],
        "first_frame": before.as_document() if before is not None else None,
        "particle_substeps_per_s": _per_second(first.work.get("particle_substeps"), middle.get("simulate")),
        "particle_sound_steps_per_s": _per_second(first.particle_sound_steps, middle.get("simulate")),
        "samples_per_s": _per_second(first.work.get("samples"), middle.get("trace")),
        "stages": {
            row.stage: {
                **(summary_dict(summarize(row.samples_s)) or {}),
                "cold_s": row.cold_s,
                "samples_s": list(row.samples_s),
            }
            for row in rows
        },
    }


def _per_second(items: object, seconds: float | None) -> float | None:
    return items / seconds if isinstance(items, int) and seconds else None


def _compile_s(rows: Sequence[Row]) -> float | None:
    return next((row.compile_s for row in rows if row.compile_s is not None), None)


def show(run: Run, ahead: Ahead, results: Path) -> None:
    """The closing words: table, compile times, projection, where things lie, what to do next."""
    record, out = run.record, console()
    say = partial(out.print, soft_wrap=True)
    say()
    out.print(stage_table(record))
    for line in rejected_lines(record):
        say(line)
    for rows in groups(record):
        whole = next((row for row in rows if row.stage == "frame"), None)
        if whole is not None:
            say(f"{whole.shot} {whole.size} {whole.backend}: {cold_text(rows)}")
            if before := first_frame_of(record, rows):
                say(f"  to the first frame {before.in_words()}")
            for line in whole.warnings or ():
                say(f"  [yellow]![/] {plain(line)}")
            if first_was_slow(whole.samples_s):
                say(f"  its first round was slower than the rest: try --rounds {2 * len(whole.samples_s)}")
    if ahead.kernel_count:
        taken = units.seconds(ahead.wall_s)
        say(f"compiled {ahead.kernel_count} kernels ahead in {taken}, kept for the next run")
    # CPU against GPU where the run has both: with all threads and with one, each with both absolute times
    for a, b in pairs_of(record) if record.rows else ():
        out.print(f"\n{plain(a.name)} against {plain(b.name)}: same work, same bits")
        out.print(compare_table(a, b, compare(a, b)))
    if run.projection is not None:
        from bench.project.output.table import show as show_projection

        say()
        show_projection(run.projection, say)
    say()
    if run.pictures:
        say(f"pictures {plain(run.pictures[0].parent)}")
        say(f"         {plain(' '.join(path.name for path in run.pictures))}")
    say(f"record   {plain(record.path)}")
    if why := record.commit_info.get("why_unversioned"):
        say(f"commit   unversioned: {plain(why)}")
    say(f"memory   {units.byte_size(record.peak_memory_bytes)} at the most")
    say("\nNext: shotmark verify             golden hashes, physics and tracer checks")
    say("      shotmark run --size M       a larger shot")
    say("      shotmark compare            the two newest runs")
    say(f"      shotmark project --gpus {PROJECTED_GPUS}")
    say(f"      pytest-benchmark --storage file://{plain(results)} compare")


def cold_text(rows: Sequence[Row]) -> str:
    """Compiling and first calls, apart from the times in the table."""
    cold = sum(row.cold_s for row in rows if row.cold_s is not None)
    return f"first calls {units.seconds(cold)}, of which compiling {units.seconds(_compile_s(rows))} (not in the table)"
