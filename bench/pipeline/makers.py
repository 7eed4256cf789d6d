"""The real makers of a measurement: scene, simulation, renderer and pictures. Only commands import this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.backend.limits import cgroup_memory_limit_bytes
from bench.backend.protocol import Backend
from bench.base import units
from bench.base.errors import Unavailable, UserError
from bench.pipeline.checkpoint import restore, snapshot
from bench.pipeline.pictures import can_write_exr, write_exr, write_png
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import build_scene
from bench.pipeline.scene.estimate import estimate
from bench.pipeline.simulate import Simulation
from bench.shot.load import Shot


@dataclass(frozen=True)
class Makers:
    """What a measurement is made of; tests put fakes here."""

    build_scene: Callable[[Any, str], Any]  # shot, size -> scene
    simulation: Callable[[Any, Backend], Any]  # scene, back-end -> Simulation
    renderer: Callable[[Any, Backend], Any]
    write_picture: Callable[[Any, Any, int, Path], None]  # picture, scene, frame, path stem: encode and write
    snapshot: Callable[[Any], Any] = lambda simulation: simulation.snapshot()
    restore: Callable[[Any, Any], None] = lambda simulation, state: simulation.restore(state)


def _simulation(scene: Any, backend: Backend) -> Simulation:
    return Simulation(scene, backend)


def _renderer(scene: Any, backend: Backend) -> Renderer:
    return Renderer(scene, backend)


def _write_picture(picture: Any, scene: Any, frame: int, stem: Path) -> None:
    """Encode and write what a run keeps of a frame: PNG, and EXR where the library is installed."""
    stem.parent.mkdir(exist_ok=True)
    write_png(picture, scene, frame, stem.with_name(f"{stem.name}.png"))
    if can_write_exr():
        write_exr(picture, scene, frame, stem.with_name(f"{stem.name}.exr"))


MAKERS = Makers(
    build_scene=build_scene,
    simulation=_simulation,
    renderer=_renderer,
    write_picture=_write_picture,
    snapshot=snapshot,
    restore=restore,
)


def check_memory(shot: Shot, size: str, backend: Backend) -> int:
    """Bytes that a shot needs. Refuses, with the numbers, what the memory cannot hold: raises UserError, of a GPU's
    memory Unavailable.
    """
    needed = estimate(shot, size).memory_bytes[backend.name]
    free = getattr(backend, "free_bytes", None)
    if free is not None:
        if needed > free():
            raise Unavailable(
                f"{shot.name} at size {size} needs {units.byte_size(needed)} of the GPU's memory,"
                f" {units.byte_size(free())} are free; a smaller --size or --backend numba runs"
            )
        return needed
    limits = [psutil.virtual_memory().total, cgroup_memory_limit_bytes()]
    room = min(limit for limit in limits if limit is not None)
    if needed > room:
        raise UserError(
            f"{shot.name} at size {size} needs {units.byte_size(needed)} of memory, this machine has"
            f" {units.byte_size(room)}; a smaller --size runs"
        )
    return needed
