"""The real makers of a measurement: scene, simulation, renderer and pictures. Only commands import this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from bench import units
from bench.backend import Backend, cgroup_memory_limit_bytes
from bench.checkpoint import restore, snapshot
from bench.errors import Unavailable, UserError
from bench.estimate import estimate
from bench.measure import Case, Makers
from bench.pictures import can_write_exr, write_exr, write_png
from bench.render import Renderer
from bench.scene import build_scene
from bench.shot import Shot
from bench.simulate import Simulation


def _simulation(scene: Any, backend: Backend) -> Simulation:
    return Simulation(scene, backend)


def _renderer(scene: Any, backend: Backend) -> Renderer:
    return Renderer(scene, backend)


def _write_picture(picture: Any, scene: Any, case: Case, stem: Path) -> None:
    """Encode and write what a run keeps of a frame: PNG, and EXR where the library is installed."""
    stem.parent.mkdir(exist_ok=True)
    write_png(picture, scene, case.frame, stem.with_name(f"{stem.name}.png"))
    if can_write_exr():
        write_exr(picture, scene, case.frame, stem.with_name(f"{stem.name}.exr"))


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
