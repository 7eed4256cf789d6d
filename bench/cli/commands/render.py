"""``shotmark render``: a whole shot as pictures or a movie."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from bench.base.files import default_results
from bench.base.progress import choose_progress
from bench.cli import options


@click.command("render")
@click.argument("shot", type=options.SHOT)
@click.option("--frames", default="all", show_default=True, help="Such as 1-60, 1,5,10-20 or 1-60:4.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the frames [out/SHOT-SIZE].")
@click.option(
    "--format",
    "formats",
    type=options.FORMATS,
    default="png",
    show_default=True,
    help="Of png, exr, mp4. A movie of a part of the shot has its frames in its name.",
)
@options.size
@click.option("--samples", type=click.IntRange(1, 1_000_000), default=None, help="Samples per pixel [the size's].")
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
    samples: int | None,
    backend: str,
    threads: int | None,
    gpu: str | None,
) -> None:
    """Render frames of SHOT, a name or the path of a TOML file. Stop it at any time: it goes on where it was."""
    from bench.backend.ahead import begin, prepare
    from bench.backend.choose import ALL, choose_backends
    from bench.check.golden import definition_sha256, golden_of
    from bench.pipeline.frame import MOVIE, STILLS
    from bench.pipeline.pictures import read_formats
    from bench.pipeline.shoot import RenderJob, render
    from bench.pipeline.shot_folder import ShotFolder, parse_frames
    from bench.report.devices import tell_unused
    from bench.shot.load import load_shot

    loaded = load_shot(shot)
    loaded.size(size)  # a size that the shot has not is told first
    numbers = parse_frames(frames, loaded.frames)
    kinds = read_formats(formats)
    chosen = choose_backends(backend, threads, gpu)
    tell_unused(chosen.gpu_unused)
    device = chosen.backends[0]
    # The kernels are imported once it is known that they will be used.
    from bench.pipeline.makers import COMPILED, MAKERS, require_memory
    from bench.project.model import loop

    folder = out or default_results().parent / "out" / f"{loaded.name}-{size}"
    job = RenderJob(loaded, size, numbers, samples)
    golden = golden_of(loaded, size, samples)
    identity = f"{loaded.name}-{size}"
    with choose_progress(1) as progress, begin([device], progress, [loop, *COMPILED]) as compiling:
        compiling.wait([module.__name__ for module in COMPILED])  # what fills bodies is asked how much they hold
        require_memory(loaded, size, device)
        with ShotFolder(folder, job.header(definition_sha256(loaded))) as shot_folder:
            prepare([device], progress, begun=compiling)
            progress.begin(identity, len(numbers))
            tell, within = partial(progress.at, identity), partial(progress.within, identity)
            try:
                made = render(job, shot_folder, kinds, device, MAKERS, golden, tell, gpu == ALL, within)
            except KeyboardInterrupt as stop:
                stop.add_note(f"{folder} keeps the frames that were finished: the same command goes on")
                raise
            progress.end(identity, f"{made} frames made, {len(numbers) - made} were there")
            strangers = shot_folder.strangers(STILLS)
    if strangers:
        some = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        options.tell(f"{folder}: not of this render, though named so: {some}; delete them, or render these frames")
    click.echo(f"frames   {folder}")
    if MOVIE in kinds:
        click.echo(f"movie    {folder / job.movie}")
