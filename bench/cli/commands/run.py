"""``shotmark run``: the main job. Simulate, path-trace, prove, time, record, and project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base import units
from bench.base.console import console, plain
from bench.base.errors import CheckFailed, Unavailable
from bench.base.files import default_results, make_folder
from bench.base.progress import Progress, choose_progress
from bench.cli import options
from bench.pipeline.frame import FRAME_DEFAULT

if TYPE_CHECKING:
    from bench.backend.ahead import Ahead, Compiling
    from bench.backend.choose import Choice
    from bench.backend.protocol import Backend
    from bench.measure.meter import ShotCase

SMALLEST = "S"  # where the CPU is measured with one thread as well: it is slow


@click.command("run")
@options.shots
@options.size
@options.backend("auto", "all", "numba", "cupy")
@options.threads
@options.device(", or all to see how rendering scales over them")
@click.option("--frames", type=click.IntRange(1), default=None, help=f"Frames to simulate [{FRAME_DEFAULT}].")
@click.option("--rounds", type=click.IntRange(1, 10_000), default=None, help="Timed rounds [a time budget decides].")
@options.results
@options.json
@options.needs_numba
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

    Each is compiled, simulated, path-traced, proved, timed and recorded. The exit code is 1 when one did not verify, 3
    when a GPU failed; unless it was asked for by name, the CPU has measured the shot then.
    """
    from bench.backend.ahead import begin, prepare
    from bench.backend.choose import ALL, choose_backends
    from bench.backend.numba_cpu import NumbaBackend
    from bench.check.cases import make_cases
    from bench.report.devices import tell_unused
    from bench.shot.load import load_shot, shot_names

    results = results or default_results()
    chosen = choose_backends(backend, threads, device)
    tell_unused(chosen.gpu_unused)
    if backend == "all" and size == SMALLEST and threads is None and len(chosen.backends) > 1:
        chosen.backends.insert(1, NumbaBackend(1))
    cases = make_cases([load_shot(name) for name in shots or shot_names()], size, frames or FRAME_DEFAULT, rounds)
    make_folder(results)
    # The kernels are imported once it is known that they will be used.
    from bench.measure.plugin import measure
    from bench.measure.scaling_gpu import measure_all_devices, scaling_lines
    from bench.pipeline.makers import COMPILED, MAKERS
    from bench.project.model import loop
    from bench.record.first_frame import process_age_s
    from bench.record.write import scaling_document
    from bench.report.run import finished, run_document, show

    start_s = process_age_s()
    asked: dict[str, object] = {
        "shots": [case.shot_name for case in cases],
        "size": size,
        "backend": backend,
        "threads": threads,
        "device": device,
        "frames": frames or FRAME_DEFAULT,
        "rounds": rounds,
    }
    with choose_progress(len(cases) * len(chosen.backends)) as progress:
        with begin(chosen.backends, progress, [loop, *COMPILED]) as compiling:
            # What fills bodies is asked how much they hold; kernels are compiled meanwhile
            compiling.wait([module.__name__ for module in COMPILED])
            chosen = _with_memory(chosen, cases, size, threads)
            chosen, ahead = _compiled(chosen, progress, threads, compiling)
        backends = chosen.backends
        if chosen.gpu_unused is not None:
            asked["gpu_unused"] = asdict(chosen.gpu_unused)
        asked["start_s"] = start_s
        asked["compiled_ahead"] = {"kernel_count": ahead.kernel_count, "wall_s": ahead.wall_s}

        def cpu_instead(shots: Sequence[str]) -> Backend:
            line = f"the GPU gave no result for {', '.join(shots)}: the CPU does; the record says why"
            console(stderr=True).print(plain(line), soft_wrap=True)
            cpu = NumbaBackend(threads)
            prepare([cpu], progress, [loop, *COMPILED])
            return cpu

        # `auto` promised a result, on whatever can give one
        instead = cpu_instead if backend == "auto" and device is None and backends[0].is_gpu else None
        draft = measure(cases, backends, MAKERS, results, asked, progress, instead)
        scaling = measure_all_devices(cases, backends, draft) if device == ALL else {}
    run = finished(draft)
    if as_json:
        click.echo(json.dumps({**run_document(run), "scaling": scaling_document(scaling)}, indent=1, allow_nan=False))
    else:
        show(run, ahead, results)
        for line in scaling_lines(scaling):
            click.echo(line)
    if run.exit_code:
        context.exit(run.exit_code)


def _with_memory(chosen: Choice, cases: Sequence[ShotCase], size: str, threads: int | None) -> Choice:
    """Say what every shot needs; raises what refuses it. Without a GPU that is full."""
    from bench.report.devices import tell_unused

    try:
        _require_memory(cases, size, [one for one in chosen.backends if one.is_gpu])
    except Unavailable as error:
        chosen = chosen.without_gpu(error, threads)
        tell_unused(chosen.gpu_unused)
    _require_memory(cases, size, [one for one in chosen.backends if not one.is_gpu])
    return chosen


def _compiled(chosen: Choice, progress: Progress, threads: int | None, compiling: Compiling) -> tuple[Choice, Ahead]:
    """Compile for every back-end, of which the CPU's may have begun. Without a GPU for which that is not possible."""
    from bench.backend.ahead import prepare
    from bench.pipeline.makers import COMPILED
    from bench.project.model import loop
    from bench.report.devices import tell_unused

    try:
        made = prepare(chosen.backends, progress, begun=compiling)
    except (Unavailable, CheckFailed) as error:
        chosen = chosen.without_gpu(error, threads)
        tell_unused(chosen.gpu_unused)
        made = prepare(chosen.backends, progress, [loop, *COMPILED])
    return chosen, made


def _require_memory(cases: Sequence[ShotCase], size: str, backends: Sequence[Backend]) -> None:
    from bench.pipeline.makers import require_memory

    for one in backends:
        needs = [(case.shot_name, require_memory(case.shot, case.size, one)) for case in cases]
        text = ", ".join(f"{plain(name)} {units.byte_size(needed)}" for name, needed in needs)
        console(stderr=True).print(f"memory needed at size {size} on {one.name}: {text}", soft_wrap=True)
