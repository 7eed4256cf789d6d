"""``shotmark render``: a whole shot as pictures or a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench import __version__
from bench.backend.choose import ALL, make_backends
from bench.backend.prepare import prepare
from bench.base.errors import UserError
from bench.base.files import default_results
from bench.base.progress import choose_progress
from bench.check.golden import definition_sha256, expected, is_shipped, load_golden
from bench.cli import options
from bench.pipeline.gpu_pool import workers_of
from bench.pipeline.pictures import MOVIE, STILLS, check_formats, write_movie, writers
from bench.pipeline.shoot import shoot
from bench.pipeline.shot_folder import Film, parse_frames
from bench.shot.load import load_shot


@click.command("render")
@click.argument("shot")
@click.option("--frames", default="all", show_default=True, help="Such as 1-60, 1,5,10-20 or 1-60:4.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the frames [out/SHOT-SIZE].")
@click.option("--format", "formats", default="png", show_default=True, help=f"Of {', '.join((*STILLS, MOVIE))}.")
@options.size
@click.option("--samples", type=click.IntRange(1, 1_000_000), default=None, help="Samples per pixel [the size's].")
@options.backend("auto, numba or cupy")
@options.threads
@options.device(", or all", name="gpu")
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
    loaded = load_shot(shot)
    chosen = loaded.size(size)
    numbers = parse_frames(frames, loaded.frames)
    kinds = check_formats(formats)
    device = make_backends(backend, threads, gpu)[0]
    # The kernels are imported once it is known that they will be used.
    from bench.pipeline.makers import MAKERS, check_memory

    check_memory(loaded, size, device)
    folder = out or default_results().parent / "out" / f"{loaded.name}-{size}"
    film = Film(folder, _header(loaded, size, samples or chosen.samples))
    golden = load_golden() if is_shipped(loaded) and samples in (None, chosen.samples) else {}
    identity = f"{loaded.name}-{size}"
    with choose_progress(1) as progress:
        prepare([device], progress)
        progress.begin(identity, len(numbers))
        workers = workers_of(loaded.path, size, device) if gpu == ALL else []
        try:
            made = shoot(
                loaded,
                size,
                numbers,
                film,
                device,
                MAKERS,
                writers(kinds),
                samples,
                golden=lambda frame: expected(golden, loaded.name, size, frame),
                tell=lambda done, text: progress.at(identity, done, text),
                workers=workers,
            )
        finally:
            for worker in workers:
                worker.close()
        if MOVIE in kinds:
            progress.at(identity, len(numbers), "movie")
            write_movie(film, numbers, loaded.file.shot.frame_rate)
        progress.end(identity, f"{made} frames made, {len(numbers) - made} were there")
    click.echo(f"frames   {folder}")
    if MOVIE in kinds:
        click.echo(f"movie    {folder / (loaded.name + '.mp4')}")


def _header(shot: Any, size: str, samples: int) -> dict[str, Any]:
    """What the frames are of: a folder holds frames of one such thing."""
    from kernels.base.registry import source_digest

    if not shot.name:
        raise UserError(f"{shot.path}: shot.name: expected a name")
    return {
        "shot": shot.name,
        "definition": definition_sha256(shot),
        "size": size,
        "samples": samples,
        "version": __version__,
        "kernels": source_digest(),
    }
