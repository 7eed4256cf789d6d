"""Make the frames of a shot, in order, into a film folder; what is finished is not made again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed
from bench.pipeline.gpu_pool import Spread, Worker
from bench.pipeline.makers import Makers
from bench.pipeline.shot_folder import Film

STATE_INTERVAL_FRAMES = 4
STATE_INTERVAL_S = 60.0  # a state is kept at least this often

Writer = Callable[[Any, Any, int, Path], None]  # picture, scene, frame, path
Tell = Callable[[int, str], None]  # frames done, what happens now


def shoot(
    shot: Any,
    size: str,
    frames: Sequence[int],
    film: Film,
    backend: Backend,
    makers: Makers,
    writers: Mapping[str, Writer],
    samples: int | None = None,
    golden: Callable[[int], Mapping[str, str] | None] = lambda frame: None,
    tell: Tell = lambda done, text: None,
    workers: Sequence[Worker] = (),
) -> int:
    """Render the frames that are not finished; returns how many were made.

    The simulation goes on from the newest kept state whose digest is right. With ``workers`` every frame is rendered
    by one of them while the next is simulated. Raises CheckFailed when a frame's bits are not the golden ones.
    """
    needed = [frame for frame in frames if not film.finished(frame, writers)]
    done = len(frames) - len(needed)
    if not needed:
        return 0
    tell(done, "scene")
    scene = makers.build_scene(shot, size)
    simulation, first = _start(scene, film, backend, makers, needed[0])
    renderer: Any = None if workers else makers.renderer(scene, backend)
    wanted = set(needed)
    states: dict[int, str] = {}  # digests of frames that are being rendered

    def finish(frame: int, picture: Any) -> None:
        nonlocal done
        _prove(frame, golden(frame), states[frame], picture.digest)
        bound = {suffix: partial(writer, picture, scene, frame) for suffix, writer in writers.items()}
        film.add(frame, states.pop(frame), picture.digest, bound)
        done += 1
        tell(done, f"frame {frame} done")

    spread = Spread(workers, lambda made: finish(made.frame, made.picture), samples) if workers else None
    kept_at = time.monotonic()
    try:
        for frame in range(first, needed[-1] + 1):
            tell(done, f"simulate frame {frame}")
            simulation.advance_frame()
            if spread is not None:
                spread.collect()  # what is finished is written while others are made
            if frame in wanted:
                states[frame] = simulation.state_digest()
                if spread is not None:
                    spread.submit(frame, makers.snapshot(simulation))
                else:
                    tell(done, f"trace frame {frame}")
                    renderer.surface(simulation)
                    renderer.trace(frame, samples)
                    finish(frame, renderer.resolve())
            if frame % STATE_INTERVAL_FRAMES == 0 or time.monotonic() - kept_at > STATE_INTERVAL_S:
                film.save_state(frame, makers.snapshot(simulation), simulation.state_digest())
                kept_at = time.monotonic()
        if spread is not None:
            spread.finish()
    finally:
        if spread is not None:
            spread.stop()
    return len(needed)


def _start(scene: Any, film: Film, backend: Backend, makers: Makers, before: int) -> tuple[Any, int]:
    """A simulation at the newest kept state below a frame, or at the beginning; and the next frame's number."""
    for frame, state, sha256 in film.load_states(before):
        simulation = makers.simulation(scene, backend)
        try:
            makers.restore(simulation, state)
        except (KeyError, ValueError, TypeError):
            continue  # a state of another version
        if simulation.state_digest() == sha256:
            return simulation, frame + 1
    return makers.simulation(scene, backend), 1


def _prove(frame: int, expected: Mapping[str, str] | None, state_sha256: str, picture_sha256: str) -> None:
    for what, found in (("state", state_sha256), ("picture", picture_sha256)):
        if expected and expected.get(what) not in (None, found):
            raise CheckFailed(
                f"frame {frame}: the {what}'s SHA-256 {found[:12]} is not the golden {expected[what][:12]}"
            )
