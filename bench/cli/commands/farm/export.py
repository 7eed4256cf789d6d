"""``shotmark farm export``: a shot as a job of a farm that has its own engine."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli import options
from bench.farm.export import FORMS, PIECES_MAX, export


@click.command("export")
@click.argument("shot", type=options.SHOT)
@click.option("--to", "form", type=options.OneOf(FORMS), required=True, help="The farm's engine.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder that every machine sees.")
@options.size
@options.frames
@options.formats
@click.option("--samples", type=click.IntRange(1, 1_000_000), default=None, help="Samples per pixel [the size's].")
@click.option("--chunk", type=click.IntRange(1, 100_000), default=None, help="Frames of one task [as the farm likes].")
@click.option(
    "--pieces",
    type=click.IntRange(1, PIECES_MAX),
    default=1,
    show_default=True,
    help="Tiles of a frame, a task each; about so many.",
)
@click.option("--gpu", is_flag=True, help="Simulate and render on a GPU; without, on the CPU.")
@options.threads
@click.option("--setup", multiple=True, help="Line of a shell that a task runs first; may be given again.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), default=None, help="[standard output]")
@options.needs_numba
def command(
    shot: str,
    form: str,
    out: Path,
    size: str,
    frames: str,
    formats: str,
    samples: int | None,
    chunk: int | None,
    pieces: int,
    gpu: bool,
    threads: int | None,
    setup: tuple[str, ...],
    file: Path | None,
) -> None:
    """Write SHOT as a job for a farm's own engine: an OpenJD template, a PyOutline or an sbatch script."""
    from bench.base.files import write_atomically
    from bench.farm.export.job import job_of
    from bench.pipeline.folder.pictures import read_formats
    from bench.pipeline.folder.shot_folder import parse_frames
    from bench.shot.load import load_shot

    loaded = load_shot(shot)
    loaded.size(size)
    job = job_of(
        loaded,
        shot,
        size,
        parse_frames(frames, loaded.frames),
        read_formats(formats),
        out,
        samples=samples,
        chunk=chunk,
        pieces=pieces,
        gpu=gpu,
        threads=threads,
        setup=setup,
    )
    content = export(job, form).encode()
    if file is None:
        click.echo(content, nl=False)  # as bytes: a terminal's encoding may lack what a path is called
    else:
        write_atomically(file, content)
