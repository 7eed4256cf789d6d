"""``shotmark run``: the main job. Simulate, path-trace, prove, time, record, and project."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bench.backend.choose import ALL, make_backends
from bench.backend.numba_cpu import NumbaBackend
from bench.backend.prepare import prepare
from bench.base import units
from bench.base.console import console, plain
from bench.base.errors import EXIT_CHECK_FAILED, EXIT_UNAVAILABLE
from bench.base.files import default_results, make_folder
from bench.base.progress import choose_progress
from bench.check.cases import FRAME_DEFAULT, make_cases
from bench.cli import options
from bench.measure.plugin import measure
from bench.measure.scaling_gpu import measure_all_devices, scaling_document, scaling_lines
from bench.record.compare import compare, pairs_of
from bench.record.schema import Record, Row, read_record
from bench.record.statistics import first_was_slow, summarize
from bench.report import tables
from bench.shot.load import load_shot, shot_names

PROJECTED_GPUS = 1000
SMALLEST = "S"  # where the CPU is measured with one thread as well: it is slow


@click.command("run")
@options.shots
@options.size
@options.backend("auto, all, numba or cupy")
@options.threads
@options.device(", or all to see how rendering scales over them")
@click.option("--frames", type=click.IntRange(1), default=None, help=f"Frames to simulate [{FRAME_DEFAULT}].")
@click.option("--rounds", type=click.IntRange(1, 10_000), default=None, help="Timed rounds [a time budget decides].")
@options.results
@options.json
@click.pass_context
def command(
    context: click.Context,
    shots: tuple[str, ...],
    size: str,
    backend: str,
    threads: int | None,
    device: str | None,
    frames: int | None,
    rounds: int | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Run shots: by name, or your own by the path of its TOML file; all that ship unless said.

    Each is compiled, simulated, path-traced, proved, timed and recorded. The exit code is 1 when one did not verify.
    """
    results = results or default_results()
    backends = make_backends(backend, threads, device)
    if backend == "all" and size == SMALLEST and threads is None and len(backends) > 1:
        backends.insert(1, NumbaBackend(1))
    cases = make_cases([load_shot(name) for name in shots or shot_names()], size, frames or FRAME_DEFAULT, rounds)
    make_folder(results)
    # The kernels are imported once it is known that they will be used.
    from bench.pipeline.makers import MAKERS, check_memory

    for one in backends:
        needs = [(case.shot_name, check_memory(case.shot, case.size, one)) for case in cases]
        text = ", ".join(f"{plain(name)} {units.byte_size(needed)}" for name, needed in needs)
        console(stderr=True).print(f"memory needed at size {size} on {one.name}: {text}", soft_wrap=True)
    asked: dict[str, Any] = {
        "shots": [case.shot_name for case in cases],
        "size": size,
        "backend": backend,
        "threads": threads,
        "device": device,
        "frames": frames or FRAME_DEFAULT,
        "rounds": rounds,
    }
    with choose_progress(len(cases) * len(backends)) as progress:
        ahead = prepare(backends, progress)
        asked["compiled_ahead"] = {"kernel_count": ahead.kernel_count, "wall_s": ahead.wall_s}
        slot = measure(cases, backends, MAKERS, results, asked, progress)
        scaling = measure_all_devices(cases, backends, slot) if device == ALL else {}
    record = read_record(slot.path)
    pictures = sorted(slot.pictures.glob("*.*")) if slot.pictures.is_dir() else []
    projection = project(record)
    if as_json:
        document = {**run_document(record, pictures, projection), "scaling": scaling_document(scaling)}
        click.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        show(record, pictures, projection, results)
        for line in scaling_lines(scaling):
            click.echo(line)
    if record.rejected:
        context.exit(exit_code_of(record))


def exit_code_of(record: Record) -> int:
    """Of a run that left something out: 3 where nothing but the device or its memory was missing."""
    missing = all(entry.get("unavailable") is True for entry in record.rejected)
    return EXIT_UNAVAILABLE if missing else EXIT_CHECK_FAILED


def project(record: Record) -> dict[str, Any] | None:
    """Hours, days and price of these shots and of a film on a centre, with the claims; None where nothing verified."""
    if not record.rows:
        return None
    summary = importlib.import_module("bench.project").summary
    return summary(record, gpus=PROJECTED_GPUS)  # type: ignore[no-any-return]


def run_document(record: Record, pictures: Sequence[Path], projection: dict[str, Any] | None) -> dict[str, Any]:
    """What --json prints."""
    return {
        "record": str(record.path),
        "machine": record.machine_id,
        "commit": record.commit,
        "clean": record.clean,
        "complete": record.complete,
        "peak_memory_bytes": record.peak_memory_bytes,
        "shots": [shot_document(rows) for rows in tables.groups(record)],
        "rejected": list(record.rejected),
        "pictures": [str(path) for path in pictures],
        "projection": projection,
    }


def shot_document(rows: Sequence[Row]) -> dict[str, Any]:
    first = rows[0]
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
        "compile_s": next((row.compile_s for row in rows if row.compile_s is not None), None),
        "particle_substeps_per_s": per_second(first.work.get("particle_substeps"), middle.get("simulate")),
        "samples_per_s": per_second(first.work.get("samples"), middle.get("trace")),
        "stages": {
            row.stage: {
                **(tables.summary_dict(summarize(row.samples_s)) or {}),
                "cold_s": row.cold_s,
                "samples_s": list(row.samples_s),
            }
            for row in rows
        },
    }


def per_second(items: Any, seconds: float | None) -> float | None:
    return items / seconds if isinstance(items, int) and seconds else None


def show(record: Record, pictures: Sequence[Path], projection: dict[str, Any] | None, results: Path) -> None:
    """The closing words: table, compile times, projection, where things lie, what to do next."""
    from functools import partial

    out = console()
    say = partial(out.print, soft_wrap=True)
    say()
    out.print(tables.stage_table(record))
    for line in tables.rejected_lines(record):
        say(line)
    for rows in tables.groups(record):
        whole = next((row for row in rows if row.stage == "frame"), None)
        if whole is not None:
            say(f"{whole.shot} {whole.size} {whole.backend}: {cold_text(rows)}")
            if first_was_slow(whole.samples_s):
                say(f"  its first round was slower than the rest: try --rounds {2 * len(whole.samples_s)}")
    ahead = record.run["compiled_ahead"]
    if ahead["kernel_count"]:
        taken = units.seconds(ahead["wall_s"])
        say(f"compiled {ahead['kernel_count']} kernels ahead in {taken}, kept for the next run")
    _show_ratio(record)
    if projection is not None:
        say()
        importlib.import_module("bench.project").show(projection, say)
    say()
    if pictures:
        say(f"pictures {plain(pictures[0].parent)}")
        say(f"         {plain(' '.join(path.name for path in pictures))}")
    say(f"record   {plain(record.path)}")
    say(f"memory   {units.byte_size(record.peak_memory_bytes)} at the most")
    say("\nNext: shotmark verify             golden hashes, physics and tracer checks")
    say("      shotmark run --size M       a larger shot")
    say("      shotmark compare            the two newest runs")
    say(f"      shotmark project --gpus {PROJECTED_GPUS}")
    say(f"      pytest-benchmark --storage file://{plain(results)} compare")


def cold_text(rows: Sequence[Row]) -> str:
    """Compiling and first calls, apart from the times in the table."""
    compile_s = next((row.compile_s for row in rows if row.compile_s is not None), None)
    cold = sum(row.cold_s for row in rows if row.cold_s is not None)
    return f"first calls {units.seconds(cold)}, of which compiling {units.seconds(compile_s)} (not in the table)"


def _show_ratio(record: Record) -> None:
    """CPU against GPU where the run has both: with all threads and with one, each with both absolute times."""
    for a, b in pairs_of(record) if record.rows else ():
        out = console()
        out.print(f"\n{plain(a.name)} against {plain(b.name)}: same work, same bits")
        out.print(tables.compare_table(a, b, compare(a, b)))
