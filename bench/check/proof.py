"""The golden frames made again on this machine, and held against the committed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed, UserError
from bench.check.golden import Golden, golden_frames, is_shipped
from bench.pipeline.frame import FRAME_DEFAULT, make_frame, proved_digest
from bench.shot.load import Shot, shot_names

GOLDEN_SIZE = "S"
FIRST = 1


@dataclass(frozen=True)
class Proof:
    """One golden frame of one shot."""

    shot: str
    frame: int  # 0 where there is no golden one
    backend: str
    state_sha256: str | None  # as found; None where the frame could not be made
    picture_sha256: str | None
    passed: bool
    why: str | None  # why it failed


def prove(shot: Shot, backend: Backend, golden: Golden) -> list[Proof]:
    """Every golden frame of a shot, found against expected. Raises UserError for a shot that does not ship."""
    require_shipped(shot)
    numbers = golden_frames(golden, shot.name, GOLDEN_SIZE)
    if not numbers:
        return [Proof(shot.name, 0, backend.name, None, None, False, "golden.json has no hashes of it")]
    try:
        found = hashes_of(shot, backend, numbers)
    except CheckFailed as error:
        return [Proof(shot.name, numbers[-1], backend.name, None, None, False, str(error))]
    proofs = []
    for number in numbers:
        expected = golden[shot.name][GOLDEN_SIZE]["frames"][str(number)]
        wrong = [what for what, sha256 in found[number].items() if expected[what] != sha256]
        why = f"not the golden {' and '.join(wrong)}" if wrong else None
        state, picture = found[number]["state"], found[number]["picture"]
        proofs.append(Proof(shot.name, number, backend.name, state, picture, not wrong, why))
    return proofs


def renewed(golden: Golden, shot: Shot, backend: Backend) -> Golden:
    """Golden hashes with this shot's frames as they come out now. Raises UserError for a shot that does not ship."""
    require_shipped(shot)
    numbers = sorted({FIRST, FRAME_DEFAULT, *golden_frames(golden, shot.name, GOLDEN_SIZE)})
    frames = {str(number): hashes for number, hashes in hashes_of(shot, backend, numbers).items()}
    return {**golden, shot.name: {**golden.get(shot.name, {}), GOLDEN_SIZE: {"frames": frames}}}


def hashes_of(shot: Shot, backend: Backend, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """SHA-256 of state and picture of the numbered frames at the golden size."""
    from bench.pipeline.makers import MAKERS

    scene = MAKERS.build_scene(shot, GOLDEN_SIZE, threads=backend.threads)
    simulation, renderer = MAKERS.simulation(scene, backend), MAKERS.renderer(scene, backend)
    found = {}
    for number in range(FIRST, max(numbers) + 1):
        if number in numbers:
            made = make_frame(simulation, renderer, number)
            found[number] = {"state": simulation.state_digest(), "picture": proved_digest(made.picture, number)}
        else:
            simulation.advance_frame()
    return found


def require_shipped(shot: Shot) -> None:
    """Raise UserError for a shot that has no golden hashes because it does not ship."""
    if not is_shipped(shot):
        known = ", ".join(shot_names())
        raise UserError(f"{shot.path}: expected a shot that ships ({known}): others have no golden hashes")
