"""``shotmark verify``: golden hashes of the shots, and checks of the physics and the tracer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from bench.backend.choose import make_backends
from bench.backend.prepare import prepare
from bench.backend.protocol import Backend
from bench.base import units
from bench.base.console import console, new_table, plain
from bench.base.errors import EXIT_CHECK_FAILED, CheckFailed, UserError
from bench.base.progress import Lines
from bench.check.cases import FRAME_DEFAULT
from bench.check.golden import Golden, golden_frames, is_shipped, load_golden, write_golden
from bench.cli import options
from bench.shot.load import Shot, load_shot, shot_names

GOLDEN_SIZE = "S"


@dataclass(frozen=True)
class Proof:
    """One golden frame of one shot."""

    shot: str
    frame: int
    backend: str
    state_sha256: str | None
    picture_sha256: str | None
    passed: bool
    why: str | None  # why it failed


@click.command("verify")
@options.shots
@options.backend("auto, all, numba or cupy")
@options.threads
@options.device()
@options.json
@click.option("--update-golden", is_flag=True, hidden=True, help="Write the hashes found as the golden ones.")
@click.pass_context
def command(
    context: click.Context,
    shots: tuple[str, ...],
    backend: str,
    threads: int | None,
    device: str | None,
    as_json: bool,
    update_golden: bool,
) -> None:
    """Prove this machine: state and frame of each shot at size S equal the committed SHA-256.

    Then physics and tracer checks, each with its figure and limit. The exit code is 1 when one fails.
    """
    from bench.check.physics import CHECKS

    backends = make_backends(backend, threads, device)
    loaded = [load_shot(name) for name in shots or shot_names()]
    golden = load_golden()
    err = console(stderr=True)
    prepare(backends, Lines())
    if update_golden:
        for shot in loaded:
            require_shipped(shot)
            golden = update(golden, shot, backends[0])
        write_golden(golden)
    proofs = []
    for shot in loaded:
        for one in backends:
            err.print(f"{plain(shot.name)} on {one.name} ...", soft_wrap=True)
            proofs += prove(shot, one, golden)
    checks = []
    for check in CHECKS:
        err.print(f"{check.__name__.replace('_', ' ')} ...", soft_wrap=True)
        checks += [(one.name, check(one)) for one in backends]
    passed = all(proof.passed for proof in proofs) and all(check.passed for _, check in checks)
    if as_json:
        document = {"passed": passed, "golden": [vars(p) for p in proofs], "checks": [_check(b, c) for b, c in checks]}
        click.echo(json.dumps(document, indent=1))
    else:
        _show(proofs, checks)
    if not passed:
        context.exit(EXIT_CHECK_FAILED)


def frames_of(shot: Shot, device: Backend, numbers: list[int]) -> dict[int, tuple[str, str]]:
    """(state, picture) SHA-256 of the numbered frames at the golden size."""
    from bench.pipeline.makers import MAKERS

    scene = MAKERS.build_scene(shot, GOLDEN_SIZE)
    simulation, renderer = MAKERS.simulation(scene, device), MAKERS.renderer(scene, device)
    found = {}
    for frame in range(1, max(numbers) + 1):
        simulation.advance_frame()
        if frame in numbers:
            renderer.surface(simulation)
            renderer.trace(frame)
            found[frame] = (simulation.state_digest(), renderer.resolve().digest)
    return found


def require_shipped(shot: Shot) -> None:
    """Raise UserError for a shot that has no golden hashes because it does not ship."""
    if not is_shipped(shot):
        known = ", ".join(shot_names())
        raise UserError(f"{shot.path}: expected a shot that ships ({known}): others have no golden hashes")


def prove(shot: Shot, device: Backend, golden: Golden) -> list[Proof]:
    """Every golden frame of a shot, found against expected."""
    require_shipped(shot)
    numbers = golden_frames(golden, shot.name, GOLDEN_SIZE)
    if not numbers:
        return [Proof(shot.name, 0, device.name, None, None, False, "golden.json has no hashes of it")]
    try:
        found = frames_of(shot, device, numbers)
    except CheckFailed as error:
        return [Proof(shot.name, numbers[-1], device.name, None, None, False, str(error))]
    proofs = []
    for number in numbers:
        expected = golden[shot.name][GOLDEN_SIZE]["frames"][str(number)]
        state, picture = found[number]
        wrong = [what for what, sha in (("state", state), ("picture", picture)) if expected[what] != sha]
        why = f"not the golden {' and '.join(wrong)}" if wrong else None
        proofs.append(Proof(shot.name, number, device.name, state, picture, not wrong, why))
    return proofs


def update(golden: Golden, shot: Shot, device: Backend) -> Golden:
    """Golden hashes with this shot's frames as they come out now."""
    numbers = sorted({1, FRAME_DEFAULT, *golden_frames(golden, shot.name, GOLDEN_SIZE)})
    found = frames_of(shot, device, numbers)
    frames = {str(n): {"state": state, "picture": picture} for n, (state, picture) in found.items()}
    return {**golden, shot.name: {**golden.get(shot.name, {}), GOLDEN_SIZE: {"frames": frames}}}


def _check(backend: str, check: Any) -> dict[str, Any]:
    figure = check.figure if check.figure == check.figure and abs(check.figure) != float("inf") else None
    return {
        "name": check.name,
        "backend": backend,
        "what": check.what,
        "figure": figure,
        "limit": check.limit,
        "passed": check.passed,
    }


def _show(proofs: list[Proof], checks: list[tuple[str, Any]]) -> None:
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
