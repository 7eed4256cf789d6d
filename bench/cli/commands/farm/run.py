"""``shotmark farm run``: a shot on the machines of a site."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.base.files import default_results
from bench.cli import options


@click.command("run")
@click.argument("shot", type=options.SHOT)
@click.option("--site", default="local", type=options.SITE, show_default=True, help="One that ships, or your own file.")
@click.option("--frames", default="all", show_default=True, help="Such as 1-60, 1,5,10-20 or 1-60:4.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the frames, on a file system that all nodes share [out/SHOT-SIZE].",
)
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
@click.option(
    "--pieces",
    type=click.IntRange(1, 4096),
    default=None,
    help="Parts that every frame is rendered in; unless said, whole frames, and parts where few frames are left.",
)
@options.needs_numba
def command(
    shot: str,
    site: str,
    frames: str,
    out: Path | None,
    formats: str,
    size: str,
    samples: int | None,
    pieces: int | None,
) -> None:
    """Render frames of SHOT on a site's nodes. Stop it at any time: the same command goes on where it was.

    A frame is rendered as soon as its state exists, while the simulation goes on. What fails is tried elsewhere three
    times, then named. The frames have the bits that one machine gives them.
    """
    from bench.check.golden import definition_sha256, golden_of
    from bench.farm.dispatch.shown import choose_shown
    from bench.farm.run import Asked, here, run_farm
    from bench.farm.site import load_site
    from bench.pipeline.folder.pictures import read_formats
    from bench.pipeline.folder.shot_folder import parse_frames
    from bench.pipeline.frame import MOVIE
    from bench.pipeline.shoot import RenderJob
    from bench.shot.load import load_shot

    loaded = load_shot(shot)
    loaded.size(size)  # a size that the shot has not is told first
    numbers = parse_frames(frames, loaded.frames)
    kinds = read_formats(formats)
    chosen = here(load_site(site))
    folder = out or default_results().parent / "out" / f"{loaded.name}-{size}"
    job = RenderJob(loaded, size, numbers, samples)
    asked = Asked(
        job=job,
        header=job.header(definition_sha256(loaded)),
        golden=golden_of(loaded, size, samples),
        kinds=kinds,
        folder=folder,
        site=chosen,
        command=["shotmark", *sys.argv[1:]],
        pieces=pieces,
    )
    with choose_shown(f"{loaded.name}-{size}") as shown:
        made = run_farm(asked, shown)
        shown.tell(f"{made} frames made, {len(numbers) - made} were there")
    click.echo(f"frames   {folder}")
    if MOVIE in kinds:
        click.echo(f"movie    {folder / job.movie}")
