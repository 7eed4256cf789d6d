"""``shotmark render``: a whole shot as pictures or a movie, or one task of it, which a farm can start."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base.errors import UserError
from bench.base.files import default_results
from bench.base.progress import choose_progress
from bench.cli import options

if TYPE_CHECKING:
    from bench.backend.protocol import Backend
    from bench.pipeline.shoot import RenderJob
    from bench.pipeline.tasks.asked import Samples

STATES_ONLY, FROM_STATES, ASSEMBLE = "--states-only", "--from-states", "--assemble"


@click.command("render")
@click.argument("shot", type=options.SHOT)
@options.frames
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the frames [out/SHOT-SIZE].")
@options.formats
@options.size
@click.option(
    "--samples",
    default=None,
    help="Samples per pixel [the size's]; 0-15 is a part of them, 0-15/64 of 64: sums for --assemble.",
)
@click.option("--states-only", is_flag=True, help="A task: simulate, keep what each frame is rendered from.")
@click.option("--from-states", is_flag=True, help="A task: render frames whose states are there.")
@click.option("--tile", default=None, help="X0,Y0,X1,Y1: of --from-states the pixels X0 <= x < X1 alone, as sums.")
@click.option("--assemble", is_flag=True, help="A task: sums to frames, frames to manifest and movie.")
@options.backend("auto", "numba", "cupy", all="each frame is made once")
@options.threads
@options.device(", or all", name="gpu")
@options.needs_numba
def command(
    shot: str,
    frames: str,
    out: Path | None,
    formats: str,
    size: str,
    samples: str | None,
    states_only: bool,
    from_states: bool,
    tile: str | None,
    assemble: bool,
    backend: str,
    threads: int | None,
    gpu: str | None,
) -> None:
    """Render frames of SHOT, a name or the path of a TOML file. Stop it at any time: it goes on where it was.

    Tasks (--states-only, --from-states, --assemble) may run side by side in one folder, on any machines that share it,
    each again and twice at once; the frames have the same bits.
    """
    from bench.backend.choose import ALL, choose_backends
    from bench.pipeline.folder.pictures import read_formats
    from bench.pipeline.folder.shot_folder import parse_frames
    from bench.pipeline.shoot import RenderJob
    from bench.pipeline.tasks.asked import parse_samples, require_one
    from bench.report.devices import tell_unused
    from bench.shot.load import load_shot

    loaded = load_shot(shot)
    loaded.size(size)  # a size that the shot has not is told first
    numbers = parse_frames(frames, loaded.frames)
    kinds = read_formats(formats)
    chosen_samples = parse_samples(samples)
    task = require_one(states_only=states_only, from_states=from_states, assemble=assemble)
    part = [
        name for name, asked in (("--tile", tile), ("--samples of a range", chosen_samples.first)) if asked is not None
    ]
    if part and task != FROM_STATES:
        raise UserError(f"{part[0]}: expected {FROM_STATES} beside it: a part is traced from a state that is there")
    if task and gpu == ALL:
        raise UserError(f"--device: expected the number of one GPU beside {task}, not all; start one task a GPU")
    chosen = choose_backends(backend, threads, gpu)
    tell_unused(chosen.gpu_unused)
    folder = out or default_results().parent / "out" / f"{loaded.name}-{size}"
    job = RenderJob(loaded, size, numbers, chosen_samples.count)
    if task:
        _task(job, task, folder, kinds, tile, chosen_samples, chosen.backends[0])
    else:
        _whole(job, folder, kinds, chosen.backends[0], gpu == ALL)


def _whole(job: RenderJob, folder: Path, kinds: tuple[str, ...], device: Backend, all_devices: bool) -> None:
    """Every frame, in this process, or with a worker for each GPU."""
    from bench.backend.ahead import begin, prepare
    from bench.check.golden import definition_sha256, golden_of
    from bench.farm.place import place_of
    from bench.pipeline.folder.shot_folder import ShotFolder
    from bench.pipeline.frame import MOVIE, STILLS, FrameWork, warnings_of

    # The kernels are imported once it is known that they will be used.
    from bench.pipeline.makers import COMPILED, MAKERS, require_memory
    from bench.pipeline.shoot import render
    from bench.project.model import loop

    golden = golden_of(job.shot, job.size, job.samples)
    identity = f"{job.shot.name}-{job.size}"
    frames: list[FrameWork] = []  # that were simulated now
    with choose_progress(1) as progress, begin([device], progress, [loop, *COMPILED]) as compiling:
        compiling.wait([module.__name__ for module in COMPILED])  # what fills bodies is asked how much they hold
        require_memory(job.shot, job.size, device)
        with ShotFolder(folder, job.header(definition_sha256(job.shot))) as shot_folder:
            prepare([device], progress, begun=compiling)
            progress.begin(identity, len(job.frames))
            tell, within = partial(progress.at, identity), partial(progress.within, identity)
            try:
                made = render(
                    job,
                    shot_folder,
                    kinds,
                    device,
                    MAKERS,
                    golden,
                    tell,
                    all_devices,
                    within,
                    place_of(device),
                    frames.append,
                )
            except KeyboardInterrupt as stop:
                stop.add_note(f"{folder} keeps the frames that were finished: the same command goes on")
                raise
            progress.end(identity, f"{made} frames made, {len(job.frames) - made} were there")
            strangers = shot_folder.strangers(STILLS)
    if strangers:
        some = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        options.tell(f"{folder}: not of this render, though named so: {some}; delete them, or render these frames")
    for line in warnings_of(frames):
        options.tell(f"{identity}: {line}")
    click.echo(f"frames   {folder}")
    if MOVIE in kinds:
        click.echo(f"movie    {folder / job.movie}")


def _task(
    job: RenderJob, task: str, folder: Path, kinds: tuple[str, ...], tile: str | None, samples: Samples, device: Backend
) -> None:
    """One task of the shot."""
    from bench.backend.ahead import begin, prepare
    from bench.check.golden import definition_sha256, golden_of
    from bench.farm.place import place_of
    from bench.pipeline.folder.pictures import write_movie
    from bench.pipeline.folder.task_folder import TaskFolder
    from bench.pipeline.frame import MOVIE, warnings_of
    from bench.pipeline.makers import COMPILED, MAKERS, require_memory
    from bench.pipeline.tasks.asked import part_of_picture
    from bench.pipeline.tasks.maker import TaskMaker

    picture = job.shot.size(job.size)
    part = part_of_picture(tile, samples, picture.width, picture.height, job.samples or picture.samples)
    opened = TaskFolder(folder, job.header(definition_sha256(job.shot)))
    identity, done = f"{job.shot.name}-{job.size} {task}", 0
    with choose_progress(1) as progress, begin([device], progress, COMPILED) as compiling:
        compiling.wait([module.__name__ for module in COMPILED])
        if task == STATES_ONLY:
            require_memory(job.shot, job.size, device)
        prepare([device], progress, begun=compiling)
        progress.begin(identity, len(job.frames))
        golden = golden_of(job.shot, job.size, job.samples)
        tell, within = partial(progress.step, identity), partial(progress.within, identity)
        maker = TaskMaker(job, opened, device, MAKERS, place_of(device), golden, tell, within)
        try:
            if task == STATES_ONLY:
                done = len(maker.simulate(job.frames, kinds))
            elif task == ASSEMBLE:
                done = len(maker.assemble(job.frames, kinds))
                if MOVIE in kinds:
                    write_movie(opened, job.movie, job.frames, job.shot.file.shot.frame_rate)
            elif part is not None:
                done = sum(maker.part(frame, part) is not None for frame in job.frames)
            else:
                done = sum(maker.render(frame, kinds) is not None for frame in job.frames)
        except KeyboardInterrupt as stop:
            stop.add_note(f"{folder} keeps what was finished: the same command goes on")
            raise
        progress.end(identity, f"{done} made, {len(job.frames) - done} were there")
    for line in warnings_of(maker.simulated):
        options.tell(f"{identity}: {line}")
    click.echo(f"folder   {folder}")
