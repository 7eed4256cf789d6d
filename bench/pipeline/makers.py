"""The real makers of a measurement: scene, simulation, renderer and pictures; and the memory that they require.

It imports the kernels: whoever only parses or shows imports ``frame`` instead.
"""

from __future__ import annotations

from pathlib import Path

from bench.backend.limits import usable_memory_bytes
from bench.backend.numba_settings import using_threads
from bench.backend.protocol import Backend
from bench.base import units
from bench.base.errors import Unavailable, UserError
from bench.pipeline.folder.pictures import can_write_exr, write_exr, write_png
from bench.pipeline.frame import Makers, Picture
from bench.pipeline.render import Renderer
from bench.pipeline.scene import fill, terrain
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.estimate import estimate
from bench.pipeline.simulate import Simulation
from bench.shot.load import Shot
from bench.shot.schema import Lava


def _write_picture(picture: Picture, scene: Scene, frame: int, stem: Path) -> None:
    """Encode and write what a run keeps of a frame: PNG, and EXR where the library is installed."""
    stem.parent.mkdir(exist_ok=True)
    write_png(picture, scene, frame, stem.with_name(f"{stem.name}.png"))
    if can_write_exr():
        write_exr(picture, scene, frame, stem.with_name(f"{stem.name}.exr"))


COMPILED = (fill, terrain)  # modules that Numba compiles beside the kernels
SOUND_STEPS_MOST = 1_000_000  # of a frame; lava XL takes about 1,200

MAKERS = Makers(build_scene=build_scene, simulation=Simulation, renderer=Renderer, write_picture=_write_picture)


def require_memory(shot: Shot, size: str, backend: Backend) -> int:
    """Bytes that a shot needs. Raises UserError, with the numbers, where memory cannot hold them, of a GPU's memory
    Unavailable; and UserError where a frame takes more sound steps than anybody waits for.
    """
    with using_threads(backend.threads):
        found = estimate(shot, size)
    if found.sound_steps_per_frame > SOUND_STEPS_MOST:
        viscosity = "viscosity_max_pa_s" if isinstance(shot.file.material, Lava) else "viscosity_pa_s"
        raise UserError(
            f"{shot.path}: size {size} takes {units.count(found.sound_steps_per_frame)} sound steps a frame, expected"
            f" at most {SOUND_STEPS_MOST}: a lower material.{viscosity} or speed of sound, or larger cells, takes fewer"
        )
    needed, on_host = found.memory_bytes[backend.name], found.host_bytes[backend.name]
    free = backend.free_bytes()
    host_free = usable_memory_bytes() if backend.is_gpu else free
    if backend.is_gpu and needed > free:
        raise Unavailable(
            f"{shot.name} at size {size} needs {units.byte_size(needed)} of the GPU's memory, {units.byte_size(free)}"
            " are free; a smaller --size or --backend numba runs"
        )
    if on_host > host_free:
        beside = " beside the GPU's" if backend.is_gpu else ""
        raise UserError(
            f"{shot.name} at size {size} needs {units.byte_size(on_host)} of memory{beside}, this machine has"
            f" {units.byte_size(host_free)}; a smaller --size runs"
        )
    return needed if backend.is_gpu else on_host
