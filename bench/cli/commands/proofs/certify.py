"""``shotmark certify``: all that this machine can prove in the time given, in one file to share."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import click

from bench.base import units
from bench.base.console import console
from bench.base.errors import EXIT_CHECK_FAILED, UserError
from bench.base.files import default_results, make_folder
from bench.base.progress import Lines
from bench.cli import options

DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)")
UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@click.command("certify")
@options.backend("auto", "numba", "cupy", all="a GPU is held against the CPU in any case")
@options.device()
@options.threads
@click.option("--budget", default="5m", show_default=True, help="Time for everything, such as 90s, 5m or 1h.")
@click.option("--plan", is_flag=True, help="Only say what would be done and when: of an H200, or of numba.")
@click.option("--cores", type=click.IntRange(1, 4096), default=None, help="Host cores that --plan is for [all here].")
@options.results
@options.json
@options.needs_numba
@click.pass_context
def command(
    context: click.Context,
    backend: str,
    device: str | None,
    threads: int | None,
    budget: str,
    plan: bool,
    cores: int | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Prove and measure all that the time holds: twins bit for bit, golden hashes, shots at every size that fits,
    roofs, every kernel, and on a GPU compute-sanitizer and energy. One record, written as it grows.

    The exit code is 1 when a part failed.
    """
    budget_s = parse_budget(budget)
    if plan:
        _plan(backend, budget_s, cores, results or default_results(), as_json)
        return
    if cores is not None:
        raise UserError("--cores: expected with --plan; --threads says how many the CPU's side of a certificate uses")
    from bench.backend.choose import choose_backends
    from bench.report.devices import tell_unused

    found = choose_backends(backend, threads, device)
    tell_unused(found.gpu_unused)
    (chosen,) = found.backends
    results = results or default_results()
    make_folder(results)
    # The kernels are imported once it is known that they will be used.
    from bench.backend.numba_cpu import NumbaBackend
    from bench.check.certify.certifier import certify
    from bench.check.certify.session import Limits, Session
    from bench.measure.plugin import new_slot
    from bench.pipeline.makers import COMPILED
    from bench.project.model import loop
    from bench.record.certificate import CertificateDraft
    from bench.record.write import Draft
    from bench.report.certificate import certificate_document, show

    cpu = NumbaBackend(threads) if chosen.name != "numba" else chosen
    asked: dict[str, object] = {"command": "certify", "backend": chosen.name, "threads": threads, "device": device}
    asked["budget_s"] = budget_s
    if found.gpu_unused is not None:
        asked["gpu_unused"] = asdict(found.gpu_unused)
    err = console(stderr=True)
    certificate = CertificateDraft(Draft(new_slot(results), asked), budget_s)

    def tell(name: str) -> None:
        left = units.seconds(max(0.0, certificate.left_s))
        err.print(f"{name} ... ({left} left)", soft_wrap=True)

    limits = replace(Limits(), modules=(loop, *COMPILED))
    certify(Session(chosen, cpu, certificate, results, limits, Lines()), tell)
    proved, path = certificate.certificate(), certificate.draft.path
    if as_json:
        click.echo(json.dumps(certificate_document(proved, path), indent=1, allow_nan=False))
    else:
        show(proved, path)
    if certificate.failed:
        context.exit(EXIT_CHECK_FAILED)


def _plan(backend: str, budget_s: float, cores: int | None, results: Path, as_json: bool) -> None:
    """Print what would be done and when."""
    from bench.backend.limits import usable_cores
    from bench.check.certify.figures import load_figures, with_records
    from bench.check.certify.plan import Planner
    from bench.check.certify.session import Limits
    from bench.record import machine
    from bench.record.read import list_records
    from bench.report.certificate import plan_document, show_plan

    host, gpu = load_figures()
    this = machine.describe()["id"]
    here = [record for record in list_records(results)[0] if record.machine_id == this]
    host = with_records(host, here)
    planner = Planner(Limits(), host, None if backend == "numba" else gpu, cores or usable_cores())
    planned = planner.plan(budget_s)
    if as_json:
        click.echo(json.dumps(plan_document(planned, planner, budget_s), indent=1, allow_nan=False))
    else:
        show_plan(planned, planner, budget_s)


def parse_budget(text: str) -> float:
    """``9m`` -> 540.0 seconds. Raises UserError."""
    found = DURATION.fullmatch(text.strip().lower())
    seconds = float(found[1]) * UNITS_S[found[2]] if found else 0.0
    if seconds <= 0.0:
        raise UserError(f"--budget: expected a time such as 90s, 9m or 1h, not {text[:40]!r}")
    return seconds
