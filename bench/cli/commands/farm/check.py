"""``shotmark farm check``: what a site has, and how fast it is."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.files import default_results
from bench.cli import options


@click.command("check")
@click.option("--site", default="local", type=options.SITE, show_default=True, help="One that ships, or your own file.")
@click.option("--shot", default="wave", type=options.SHOT, show_default=True, help="Whose first frame is made.")
@options.size
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder on the file system that all nodes share, whose speed is measured [out/check-SITE].",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0.0, 86_400.0),
    default=120.0,
    show_default=True,
    help="Seconds that the other workers may come after the first.",
)
@options.results
@options.needs_numba
def command(shot: str, site: str, size: str, out: Path | None, wait_s: float, results: Path | None) -> None:
    """Submit a small task to every worker of a site: devices, versions, hashes, speed alone and together, file system.

    Writes results/sites/SITE.json, from which project and farm run take a site's own figures.
    """
    from bench.base.console import console
    from bench.base.errors import CheckFailed
    from bench.base.files import dump, make_folder, write_atomically
    from bench.check.golden import golden_of
    from bench.farm.check.probe import FRAME
    from bench.farm.check.survey import Asked, check_site, summary
    from bench.farm.check.table import nodes_table, times_line, workers_table
    from bench.farm.run import here
    from bench.farm.site import load_site
    from bench.farm.stop import Stop
    from bench.project.inputs.site_check import check_path
    from bench.shot.load import SHOTS, load_shot, named_file, read_text

    loaded = load_shot(shot)
    loaded.size(size)
    chosen = here(load_site(site))
    folder = out or default_results().parent / "out" / f"check-{chosen.name}"
    text = read_text(named_file(shot, SHOTS), shot)
    asked = Asked(chosen, text, size, folder, golden_of(loaded, size)(FRAME), wait_s)
    path = check_path(results or default_results(), chosen.name)
    make_folder(path.parent)
    with Stop() as stop:
        check, missing = check_site(asked, options.tell, stop)
    write_atomically(path, dump(check.document()))
    screen = console()
    screen.print(workers_table(check))
    screen.print(nodes_table(check))
    click.echo(times_line(check))
    click.echo(summary(check))
    click.echo(f"written  {path}")
    if missing:
        options.tell(f"{missing} of {chosen.workers} workers did not come within {wait_s:g} s after the first")
    wrong = [(node.node, one) for node in check.nodes for one in node.workers if one.hashes != "golden"]
    if wrong:
        node, one = wrong[0]
        where = f"{len(wrong)} of {check.worker_count} workers: node {node}, worker {one.worker}"
        raise CheckFailed(f"{where}: {one.hashes}")
