"""The one frame: simulate, surface, trace, resolve, encode, in that order, for everybody who makes one.

Nothing here computes or knows a device. What a simulation and a renderer are is said as protocols: the real ones are
``simulate.Simulation`` and ``render.Renderer`` (``makers`` puts them together), the tests have fakes of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.base.errors import CheckFailed

if TYPE_CHECKING:  # a command that only wants to know the stages' names loads none of these
    import numpy as np

    from bench.backend.protocol import Backend, DeviceArray
    from bench.pipeline.parts import Part
    from bench.pipeline.scene.build import Scene
    from bench.shot.load import Shot

STAGES = ("simulate", "surface", "trace", "resolve", "encode")
SIMULATE, SURFACE, TRACE, RESOLVE, ENCODE = STAGES
STILLS, MOVIE = ("png", "exr"), "mp4"  # formats of pictures
VOLUME_RATIOS_FINE = 0.9, 1.1  # of a liquid that is meant to keep its volume
FRAME_DEFAULT = 3  # the frame that is measured, proved and projected unless another is asked for; the first is 1

HostState = Mapping[str, "np.ndarray"]  # a simulation's state between two frames, by name
Lap = Callable[[str], None]  # told the name of each stage when it has been done, or queued
Between = Callable[[float], None]  # told between a picture's pieces which share of it is traced; may raise to end it


class KeptState:
    """A state that is put back again and again, kept on the device while there is room for it."""

    def __init__(
        self,
        words: HostState,
        arrays: Mapping[str, DeviceArray],
        fetch: Callable[[Mapping[str, DeviceArray]], dict[str, np.ndarray]] | None,
        on_device: bool,
    ) -> None:
        self.words = words  # what the host looks at before it puts the rest back
        self.arrays = arrays  # on the device, or on the host
        self.on_device = on_device
        self._fetch = fetch  # brings arrays to the host; None: they are worth having on the device alone

    def give_back(self) -> None:
        """Move to the host, or be gone: the device needs the memory."""
        if self.on_device:
            self.arrays, self.on_device = self._fetch(self.arrays) if self._fetch is not None else {}, False


@dataclass(frozen=True)
class FrameWork:
    """What the simulation of one frame did."""

    frame: int  # the first is 1
    substeps: int
    dt_s: float
    particle_count: int
    active_blocks: int
    effect_count: int
    particle_substeps: int
    sound_steps: int  # of all substeps
    particle_sound_steps: int
    speed_m_per_s: float  # largest component of a velocity in any substep
    speed_limit_m_per_s: float  # that the shot is made for
    volume_ratios: tuple[float, float]  # least and largest in any substep: 1 is the volume at rest


def warnings_of(frames: Iterable[FrameWork]) -> tuple[str, ...]:
    """What frames went beyond of what their shot is made for, a line each; none where all is well.

    Too late to be refused: what falls or is thrown gets as fast as it does only in the run.
    """
    seen = list(frames)
    if not seen:
        return ()
    lines, (low, high) = [], VOLUME_RATIOS_FINE
    fast = max(seen, key=lambda one: one.speed_m_per_s)
    if fast.speed_m_per_s > fast.speed_limit_m_per_s:
        lines.append(
            f"the liquid reached {fast.speed_m_per_s:.4g} m/s in frame {fast.frame}, beyond"
            f" material.speed_limit_m_per_s ({fast.speed_limit_m_per_s:g})"
        )
    tight, wide = min(seen, key=lambda one: one.volume_ratios[0]), max(seen, key=lambda one: one.volume_ratios[1])
    for one, ratio in ((tight, tight.volume_ratios[0]), (wide, wide.volume_ratios[1])):
        if not low <= ratio <= high:
            lines.append(
                f"liquid had {ratio:.3g} of its volume at rest in frame {one.frame}, beyond {low:g} to {high:g}; with a"
                " larger material.speed_limit_m_per_s it is stiffer"
            )
    return tuple(lines)


@dataclass(frozen=True)
class Fluid:
    """What a picture is made from: arrays of a simulation on its back-end, until it advances."""

    counts: DeviceArray  # int32[COUNT_WORDS]
    position: DeviceArray  # float32[>=n, 4] x, y, z, J
    temperature: DeviceArray  # float32[>=n] K; [1] without heat
    effect_position: DeviceArray  # float32[>=n, 4] x, y, z, radius
    effect_kind: DeviceArray  # int32[>=n]
    effect_temperature: DeviceArray  # float32[>=n] K


@dataclass(frozen=True)
class Picture:
    """One resolved frame on the host."""

    rgb: np.ndarray  # float32[height, width, 3], linear Rec.709
    variance: np.ndarray  # of the mean
    samples: int  # per pixel

    @cached_property
    def digest(self) -> str:
        """SHA-256 of size, samples, rgb and variance; made when asked for, so that resolving is timed without it."""
        import numpy as np

        digest = hashlib.sha256(np.array([*self.rgb.shape, self.samples], "<i8").tobytes())
        for values in (self.rgb, self.variance):
            digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Bricks:
    """Level set and fog of one state, on the back-end; their arrays are the renderer's, until its next surface."""

    surface_count: int
    surface_table: DeviceArray  # int32[bricks of the grid], number of each or none
    surface_value: DeviceArray  # float32[>=surface_count, BRICK_NODES, SURFACE_CHANNELS]
    surface_box: np.ndarray  # float32[6], m: low and high corner; all 0 without a brick
    fog_count: int
    fog_table: DeviceArray
    fog_value: DeviceArray  # float32[>=fog_count, BRICK_NODES, FOG_CHANNELS]
    fog_majorant: DeviceArray  # float32[>=fog_count]
    fog_box: np.ndarray


@dataclass(frozen=True)
class PixelSums:
    """What was traced: sums over samples, on the back-end."""

    samples: int  # per pixel
    sums: DeviceArray  # float32[height, width, PIXEL_WORDS]
    work: DeviceArray  # int64[TRACE_TASKS, WORK_WORDS], counters of the tracer


@dataclass(frozen=True)
class Resolved:
    """Mean and variance of pixel sums, on the back-end; the arrays are the renderer's, until its next resolve."""

    samples: int  # per pixel
    rgb: DeviceArray  # float32[height, width, 3]
    variance: DeviceArray  # float32[height, width, 3]


@dataclass(frozen=True)
class Rendering:
    """A picture, and what it was made of."""

    picture: Picture
    bricks: Bricks
    pixel_sums: PixelSums


@dataclass(frozen=True)
class Frame:
    """One frame: what its simulation did, and its picture."""

    simulated: FrameWork
    rendering: Rendering

    @property
    def picture(self) -> Picture:
        return self.rendering.picture


class StateLike(Protocol):
    """What a picture can be made of."""

    @property
    def fluid(self) -> Fluid:
        """What a picture of the present state is made from."""


class SimulationLike(StateLike, Protocol):
    """A scene that moves on by frames."""

    @property
    def frame(self) -> int:
        """The frame that the state is of; 0 before the first."""

    def advance_frame(self) -> FrameWork:
        """Simulate one frame."""

    def snapshot(self) -> HostState:
        """Host copies of the state between two frames."""

    def keep(self, to_compare: bool = False) -> KeptState:
        """The state between two frames, where it is put back fastest; ``to_compare``: on the device, or not at all."""

    def same_as(self, kept: KeptState) -> bool:
        """Whether the state has the digest of one that was kept, word for word and where they are.

        False where they differ, and where nothing was kept on the device.
        """

    def restore(self, state: HostState | KeptState) -> None:
        """Put a state back. Raises KeyError or ValueError when it is another scene's."""

    def state_digest(self) -> str:
        """SHA-256 of everything that the next frame and the picture follow from."""

    def crossed(self, whole: bool) -> tuple[HostState, str]:
        """``snapshot``, or the part of it that a picture is made from, and ``state_digest``: all crosses once."""


class RendererLike(Protocol):
    """Makes pictures of a scene; each step hands its result to the next."""

    def surface(self, fluid: Fluid) -> Bricks:
        """Turn particles into bricks."""

    def trace(
        self, bricks: Bricks, frame: int, samples: int | None = None, between: Between | None = None
    ) -> PixelSums:
        """Trace the picture of a frame; ``samples`` per pixel are the scene's unless said."""

    def trace_part(
        self, bricks: Bricks, frame: int, part: Part, samples: int, between: Between | None = None
    ) -> np.ndarray:
        """Trace a part of the picture that has ``samples`` a pixel; its records, on the host (see ``parts``)."""

    def resolve(self, sums: PixelSums) -> Resolved:
        """Mean and variance of what was traced, where it is."""

    def fetch(self, resolved: Resolved) -> Picture:
        """The picture on the host: all of a frame that has to cross."""

    def work(self, rendering: Rendering) -> dict[str, int]:
        """What was done for a picture: whole numbers, the same on every machine."""


class SceneBuilder(Protocol):
    """Builds a shot's scene on the host."""

    def __call__(
        self,
        shot: Shot,
        size: str,
        *,
        threads: int | None = None,
        tell: Callable[[float], None] = lambda share: None,
        room: int | None = None,
    ) -> Scene:
        """``threads``: None is all usable cores; ``tell`` hears again and again what share is done.

        With ``room`` there are no particles, but room for so many.
        """


@dataclass(frozen=True)
class Makers:
    """What puts a shot, a simulation and a renderer together; ``makers.MAKERS`` are the real ones, tests have fakes."""

    build_scene: SceneBuilder
    simulation: Callable[[Scene, Backend], SimulationLike]
    renderer: Callable[[Scene, Backend], RendererLike]
    write_picture: Callable[[Picture, Scene, int, Path], None]  # picture, scene, frame, path stem: encode and write


def make_frame(
    simulation: SimulationLike,
    renderer: RendererLike,
    frame: int,
    samples: int | None = None,
    encode: Callable[[Picture], None] | None = None,
    lap: Lap = lambda stage: None,
    between: Between | None = None,
) -> Frame:
    """Simulate the next frame, which is ``frame``, and make its picture; ``encode`` writes that where it is given."""
    work = simulation.advance_frame()
    lap(SIMULATE)
    rendering = make_picture(simulation, renderer, frame, samples, lap, between)
    if encode is not None:
        encode(rendering.picture)
        lap(ENCODE)
    return Frame(work, rendering)


def make_picture(
    state: StateLike,
    renderer: RendererLike,
    frame: int,
    samples: int | None = None,
    lap: Lap = lambda stage: None,
    between: Between | None = None,
) -> Rendering:
    """Make the picture of a present state; crossing to the host follows the last lap."""
    bricks = renderer.surface(state.fluid)
    lap(SURFACE)
    sums = renderer.trace(bricks, frame, samples, between)
    lap(TRACE)
    resolved = renderer.resolve(sums)
    lap(RESOLVE)
    return Rendering(renderer.fetch(resolved), bricks, sums)


def make_bricks(state: StateLike, renderer: RendererLike) -> Bricks:
    """What parts of the picture of a present state are traced from; the renderer's, until its next surface."""
    return renderer.surface(state.fluid)


def proved_digest(picture: Picture, frame: int) -> str:
    """The SHA-256 that a frame is proved by, outside any clock.

    Raises CheckFailed where a number of the picture is not finite: it repeats on one machine, but has other bits on
    another, and is no picture.
    """
    import numpy as np

    for values, what in ((picture.rgb, "of the picture"), (picture.variance, "of the variance")):
        # The least and the largest carry on what is not a number, and make no array of the picture's size
        with np.errstate(invalid="ignore"):
            low, high = values.min(initial=0.0), values.max(initial=0.0)
        if not (np.isfinite(low) and np.isfinite(high)):
            wrong = ~np.isfinite(values).all(axis=2)
            row, column = np.argwhere(wrong)[0] + 1
            many = f"{np.count_nonzero(wrong)} of {wrong.size} pixels {what}"
            raise CheckFailed(
                f"frame {frame}: {many} are not finite, the first in row {row} from the top, column {column}; look in"
                " the shot file for lengths of [look] far below a pixel, and for radiances and gains at their limits"
            )
    return picture.digest


def require_hashes(
    found: Mapping[str, str], expected: Mapping[str, str] | None, whose: str = "the golden", where: str = ""
) -> None:
    """Raise CheckFailed where a SHA-256 of ``found`` is not the expected one; what is not expected may be anything."""
    for what, sha256 in found.items():
        wanted = (expected or {}).get(what)
        if wanted and wanted != sha256:
            raise CheckFailed(f"{where}the {what}'s SHA-256 {sha256[:12]} is not {whose} {wanted[:12]}")
