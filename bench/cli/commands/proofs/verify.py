"""``shotmark verify``: golden hashes of the shots, and checks of the physics and the tracer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.base.errors import EXIT_CHECK_FAILED, UserError
from bench.base.progress import Lines
from bench.cli import options

if TYPE_CHECKING:
    from bench.check.physics import Check
    from bench.check.proof import Proof


@click.command("verify")
@options.shots
@options.size_of_golden
@options.backend("auto", "all", "numba", "cupy")
@options.threads
@options.device()
@options.json
@click.option("--update-golden", is_flag=True, hidden=True, help="Write the hashes found as the golden ones.")
@options.needs_numba
@click.pass_context
def command(
    context: click.Context,
    shots: tuple[str, ...],
    size: str,
    backend: str,
    threads: int | None,
    device: str | None,
    as_json: bool,
    update_golden: bool,
) -> None:
    """Prove this machine: state and frame of each shot equal the committed SHA-256.

    Then physics and tracer checks, each with its figure and limit. The exit code is 1 when one fails.
    """
    from bench.backend.ahead import prepare
    from bench.backend.choose import choose_backends
    from bench.check.golden import GOLDEN_SIZE, golden_frames, load_golden, write_golden
    from bench.check.proof import prove, renewed
    from bench.report.devices import tell_unused
    from bench.shot.load import load_shot, shot_names

    chosen = choose_backends(backend, threads, device)
    tell_unused(chosen.gpu_unused)
    backends = chosen.backends
    loaded = [load_shot(name) for name in shots or shot_names()]
    golden = load_golden()
    missing = [shot.name for shot in loaded if size != GOLDEN_SIZE and not golden_frames(golden, shot.name, size)]
    if missing and not update_golden:
        raise UserError(f"--size: expected one with golden hashes; golden.json has none of {', '.join(missing)} {size}")
    err = console(stderr=True)
    # The kernels are imported once it is known that they will be used.
    from bench.check.physics import CHECKS
    from bench.pipeline.makers import COMPILED
    from bench.project.model import loop

    prepare(backends, Lines(), [loop, *COMPILED])
    if update_golden:
        for shot in loaded:
            golden = renewed(golden, shot, backends[0], size)
        write_golden(golden)
    proofs = []
    for shot in loaded:
        for one in backends:
            err.print(f"{plain(shot.name)} on {one.name} ...", soft_wrap=True)
            proofs += prove(shot, one, golden, size)
    checks = []
    for check in CHECKS:
        err.print(f"{check.__name__.replace('_', ' ')} ...", soft_wrap=True)
        checks += [(one.name, check(one)) for one in backends]
    passed = all(proof.passed for proof in proofs) and all(check.passed for _, check in checks)
    if as_json:
        document = {
            "passed": passed,
            "golden": [vars(p) for p in proofs],
            "checks": [_document(b, c) for b, c in checks],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        _show(proofs, checks)
    if not passed:
        context.exit(EXIT_CHECK_FAILED)


def _document(backend: str, check: Check) -> dict[str, object]:
    figure = check.figure if check.figure == check.figure and abs(check.figure) != float("inf") else None
    return {
        "name": check.name,
        "backend": backend,
        "what": check.what,
        "figure": figure,
        "limit": check.limit,
        "passed": check.passed,
    }


def _show(proofs: list[Proof], checks: list[tuple[str, Check]]) -> None:
    out = console()
    table = new_table(("golden", "back-end", "frame", "state SHA-256", "picture SHA-256", ""))
    for proof in proofs:
        hashes = (units.short_hash(proof.state_sha256), units.short_hash(proof.picture_sha256))
        verdict = "[green]equal[/]" if proof.passed else f"[red]FAILED[/] {plain(proof.why)}"
        table.add_row(plain(proof.shot), proof.backend, str(proof.frame), *hashes, verdict)
    out.print(table)
    table = new_table(("check", "back-end", "figure", "limit", "what", ""))
    for backend, check in checks:
        verdict = "[green]passed[/]" if check.passed else "[red]FAILED[/]"
        table.add_row(check.name, backend, f"{check.figure:.3g}", f"{check.limit:.3g}", check.what, verdict)
    out.print()
    out.print(table)
