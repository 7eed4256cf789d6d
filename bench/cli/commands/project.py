"""``shotmark project``: what a shot and a film would take on many GPUs, from a record's measured stage times."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from bench.base.console import console
from bench.base.errors import UserError
from bench.base.files import default_results
from bench.cli import options
from bench.project.inputs.defaults import CLUSTER, FILM_SHOTS, FRAME_RATE, SHOT_S


@click.command("project")
@click.argument("record", type=options.RECORD, required=False)
@options.only("Project")
@click.option("--size", type=options.SIZE, default=None, help="Of the film [XL, where the shot has it].")
@click.option(
    "--seconds",
    type=float,
    default=SHOT_S,
    show_default=True,
    help=f"Length of a shot, at {FRAME_RATE:g} frames/s.",
)
@click.option("--frames", type=int, default=None, help="Frames of a shot, in place of --seconds.")
@click.option("--gpus", type=int, default=None, help="GPUs of the cluster [as its file says].")
@click.option(
    "--cluster",
    type=options.CLUSTER,
    default=CLUSTER,
    show_default=True,
    help="A cluster that ships, or your own .toml file.",
)
@click.option("--site", default=None, metavar="NAME|FILE", help="Overheads as farm check measured them on this site.")
@click.option("--shots", "film_shots", type=int, default=FILM_SHOTS, show_default=True, help="Shots of the film.")
@click.option("--sweep", default=None, metavar="N,N,...", help="Numbers of GPUs to compare: 1,10,100,1000.")
@click.option("--my-frame-hours", type=float, default=None, help="Your own hours a frame, on a machine like this one.")
@click.option("--simulate-gpus", type=int, default=1, show_default=True, help="GPUs that share one simulation.")
@click.option("--plot", default=None, metavar="FILE|-", help="Time against GPUs: a .png or .svg file, - for here.")
@options.results
@click.option("--explain", "explained", is_flag=True, help="List every number with its source.")
@options.json
@click.option("--markdown", is_flag=True, help="Markdown on standard output: hours or days, and the claims.")
@click.option("--csv", "as_csv", is_flag=True, help="One line a figure on standard output.")
@options.needs_numba
def command(
    record: str | None,
    only: tuple[str, ...],
    size: str | None,
    seconds: float,
    frames: int | None,
    gpus: int | None,
    cluster: str,
    site: str | None,
    film_shots: int,
    sweep: str | None,
    my_frame_hours: float | None,
    simulate_gpus: int,
    plot: str | None,
    results: Path | None,
    explained: bool,
    as_json: bool,
    markdown: bool,
    as_csv: bool,
) -> None:
    """Project RECORD (the newest unless said; a file, or the start of its name) to a shot and a film on a cluster.

    Every time is P10, P50 and P90, with what measuring alone leaves open beside it. Nothing here is measured.
    """
    from bench.project.inputs.cluster import load_cluster
    from bench.project.inputs.measured_cluster import check_of, with_check
    from bench.project.model.costs import scene_seconds
    from bench.project.output.document import as_csv as csv_text
    from bench.project.output.document import as_document
    from bench.project.output.plot import SWEEP, save, terminal, validate_path
    from bench.project.output.projection import known_records, project
    from bench.project.output.table import explain, show
    from bench.record.read import find_record, newest_record
    from bench.record.schema import INCOMPLETE, Record

    if as_json + as_csv + markdown > 1:
        raise UserError("--json, --csv, --markdown: expected one of them")
    picture = Path(plot) if plot is not None and plot != "-" else None
    if picture is not None:
        validate_path(picture)
    numbers = parse_sweep(sweep) if sweep is not None else list(SWEEP) if plot is not None else []
    folder = results or default_results()

    def of_the_cpu(one: Record) -> bool:
        return any(row.backend == "numba" for row in one.rows)

    if record:
        chosen = find_record(record, folder, options.tell)
    else:
        chosen = newest_record(folder, options.tell, of_the_cpu, "a record of the CPU")
    chosen_cluster = load_cluster(cluster)
    if site is not None and (check := check_of(site, folder, options.tell)) is not None:
        chosen_cluster = with_check(chosen_cluster, check, scene_seconds(chosen, size))
    made = project(
        chosen,
        gpus=gpus,
        size=size,
        seconds=seconds,
        frames=frames,
        film_shots=film_shots,
        only=only,
        others=known_records(folder),
        cluster=chosen_cluster,
        sweep=numbers,
        my_frame_hours=my_frame_hours,
        simulate_gpus=simulate_gpus,
    )
    if picture is not None:
        save(made, picture)
    if as_json:
        click.echo(json.dumps(as_document(made), indent=1, allow_nan=False))
        return
    if as_csv:
        if not chosen.complete:
            options.tell(f"{chosen.path}: {INCOMPLETE}")
        click.echo(csv_text(made), nl=False)
        return
    if markdown:
        from bench.project.output.markdown import hours_or_days, verdicts

        click.echo(f"{hours_or_days(made)}\n\n{verdicts(made.claims)}")
        return
    out = console()
    show(made, partial(out.print, soft_wrap=True))
    if plot == "-":
        for line in terminal(made):
            out.print(line, markup=False, soft_wrap=True)
    if explained:
        out.print()
        out.print(explain(made))


def parse_sweep(text: str) -> list[int]:
    """``1,10,100`` -> numbers of GPUs. Raises UserError."""
    found = []
    for word in text.split(","):
        word = word.strip()
        if not (word.isascii() and word.isdigit() and len(word) < 20):
            raise UserError(f"--sweep: expected numbers of GPUs such as 1,10,100, got {text[:60]!r}")
        found.append(int(word))
    return found
