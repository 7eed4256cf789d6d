"""What a simulation holds on its back-end: arrays and scalars by the names that kernels give them, and their values.

Names stand without _in, _inout and _out. Double buffers have two sides: one is read, the other is written.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.base.errors import Unavailable
from bench.pipeline.frame import Fluid, HostState, KeptState
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.motion import placed
from bench.pipeline.scene.needs import block_capacity, block_count, sort_scratch_words
from kernels.base import constants as k
from kernels.effects.fx_air import CHUNK
from kernels.mpm import mpm_equal
from kernels.mpm.mpm_common import PEAK_WORDS

F32 = np.float32
DOUBLE = ("position", "velocity", "temperature", "viscosity")
EFFECTS = ("effect_position", "effect_velocity", "effect_kind", "effect_temperature")
# Rows of the living, that the next frame follows from
KEPT = ("position", "velocity", "key")
KEPT_WITH_HEAT = (*KEPT, "temperature", "viscosity")
OF_BLOCKS = ("block_id", "cell_start", "arena", "node", "scratch")  # their size follows the active blocks
WORDS = ("counts", "step")  # of a kept state, what the host looks at before it is put back
PICTURE = ("counts", "position", "effect_position", "effect_kind", "effect_temperature")  # what a picture is made from
PICTURE_WITH_HEAT = (*PICTURE, "temperature")
FREE_FACTOR = 2  # of a kept state's bytes, free on the device: as much again stays for the picture, which may grow


class State:
    """Arrays of one scene on one back-end."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene = scene
        self.backend = backend
        self.block_capacity = block_capacity(scene, block_count(scene))
        array, zeros = backend.array, backend.zeros
        capacity = max(1, scene.particle_capacity)
        effects = scene.effects.effect_capacity
        blocks = [n // k.BLOCK_EDGE for n in scene.cells]
        counts = np.zeros(k.COUNT_WORDS, np.int32)
        counts[k.COUNT_PARTICLES] = scene.initial_count
        self.arrays: dict[str, DeviceArray] = {
            "counts": array(counts),
            "step": zeros(k.STEP_WORDS, np.float32),
            "material": array(scene.material),
            "force": array(scene.force),
            "walls": array(scene.walls),
            "collider": array(scene.solids),
            "terrain": array(scene.terrain),
            "terrain_geometry": array(scene.terrain_geometry),
            "effect_params": array(scene.effects.effect_params),
            "slot": zeros(blocks[0] * blocks[1] * blocks[2], np.int32),
            "order": zeros(capacity, np.int32),
            "key": zeros(capacity, np.int32),
            "alive": zeros(_chunks(effects), np.int32),
            "alive_offset": zeros(_chunks(effects) + 1, np.int32),
            "births": zeros(_chunks(capacity), np.int32),
            "birth_offset": zeros(_chunks(capacity) + 1, np.int32),
        }
        self.other: dict[str, DeviceArray] = {}  # of the double buffers, the side that is written
        self.scalars: dict[str, int | np.float32] = {
            "cells_x": scene.cells[0],
            "cells_y": scene.cells[1],
            "cells_z": scene.cells[2],
            "blocks_x": blocks[0],
            "blocks_y": blocks[1],
            "blocks_z": blocks[2],
            "cell_size_m": F32(scene.cell_size_m),
            "frame_dt_s": F32(scene.frame_dt_s),
            "effect_capacity": effects,
            "seed": scene.seed,
        }
        heat = capacity if scene.has_heat else 1
        for name, shape, values in (
            ("position", (capacity, 4), scene.position),
            ("velocity", (capacity, 12), scene.velocity),
            ("temperature", (heat,), scene.temperature if scene.has_heat else None),
            ("viscosity", (heat,), None),
        ):
            self.arrays[name] = self._filled(shape, values)
            self.other[name] = zeros(shape, np.float32)
        for side in (self.arrays, self.other):
            side["effect_position"] = zeros((effects, 4), np.float32)
            side["effect_velocity"] = zeros((effects, 4), np.float32)
            side["effect_kind"] = zeros(effects, np.int32)
            side["effect_temperature"] = zeros(effects, np.float32)
        self.make_room(self.block_capacity)

    # --- What kernels are handed ----------------------------------------------------------------------

    @property
    def double_names(self) -> tuple[str, ...]:
        """Particles' double buffers that are in use."""
        return DOUBLE if self.scene.has_heat else DOUBLE[:2]

    def argument(self, name: str) -> DeviceArray | int | np.float32:
        """What stands for a kernel's argument: of a double buffer the side to read, or the one to write."""
        if name in self.scalars:
            return self.scalars[name]
        base, _, role = name.rpartition("_")
        return (self.other if role == "out" and base in self.other else self.arrays)[base]

    def place_solids(self, frame: int) -> None:
        """Those that move to where they stand when so many frames are done."""
        scene = self.scene
        if any(motion is not None for motion in scene.solid_motion):
            rows = placed(scene.solids, scene.solid_motion, frame * scene.frame_dt_s, scene.frame_dt_s)
            self.backend.fill(self.arrays["collider"], rows)

    def swap(self, names: Iterable[str]) -> None:
        """What was written is read from here on."""
        for name in names:
            self.arrays[name], self.other[name] = self.other[name], self.arrays[name]

    def make_room(self, blocks: int) -> None:
        """Allocate what an active block needs, for ``blocks`` of them.

        Of the old arrays only the peaks outlive a substep: the others go first. Where memory does not hold the new
        ones, room and peaks are as they were, and what the back-end says of it is raised.
        """
        peak = self.arrays.pop("peak", None)
        for name in OF_BLOCKS:
            self.arrays.pop(name, None)
        try:
            self.arrays |= self._block_arrays(blocks)
            self.arrays["peak"] = self.backend.zeros((blocks + 1, PEAK_WORDS), np.float32)
        except (Unavailable, MemoryError) as error:
            failure = error.with_traceback(None)  # it would hold what was made of the new ones
        else:
            if peak is not None:
                rows = min(blocks, self.block_capacity)
                self.backend.copy(self.arrays["peak"][:rows], peak[:rows])
            self.block_capacity = blocks
            return
        if peak is not None:
            for name in OF_BLOCKS:
                self.arrays.pop(name, None)
            self.arrays |= {**self._block_arrays(self.block_capacity), "peak": peak}
        raise failure

    def _block_arrays(self, blocks: int) -> dict[str, DeviceArray]:
        """Arrays for so many active blocks, in which nothing outlives a substep."""
        backend, zeros = self.backend, self.backend.zeros
        threads = None if backend.is_gpu else backend.threads or 1
        scratch = sort_scratch_words(max(1, self.scene.particle_capacity), blocks, threads)
        made = (
            zeros(blocks, np.int32),
            zeros(blocks * k.BLOCK_NODES + 1, np.int32),
            zeros(blocks * k.ARENA_WORDS, np.int32),
            zeros((blocks, k.BLOCK_NODES, 4), np.float32),
            zeros(scratch, np.int32),
        )
        return dict(zip(OF_BLOCKS, made, strict=True))

    def _filled(self, shape: tuple[int, ...], values: np.ndarray | None) -> DeviceArray:
        """A device array of ``shape`` that begins with ``values``."""
        if values is None or self.scene.initial_count == 0:
            return self.backend.zeros(shape, np.float32)
        if values.shape == shape:
            return self.backend.array(values)
        made = self.backend.zeros(shape, np.float32)  # what emitters add has room: no host array of that size
        self.backend.fill(made, values)
        return made

    # --- What is read back ----------------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Bytes of all arrays."""
        held = {id(array): int(array.nbytes) for array in (*self.arrays.values(), *self.other.values())}
        return sum(held.values())

    def counts(self) -> np.ndarray:
        """int32[COUNT_WORDS] on the host."""
        return self.backend.host(self.arrays["counts"])

    @property
    def kept_names(self) -> tuple[str, ...]:
        """Arrays that the next frame follows from."""
        return (*(KEPT_WITH_HEAT if self.scene.has_heat else KEPT), *EFFECTS, "peak", *WORDS)

    @property
    def picture_names(self) -> tuple[str, ...]:
        """Arrays that a picture is made from."""
        return PICTURE_WITH_HEAT if self.scene.has_heat else PICTURE

    def digest(self, frame: int) -> str:
        """SHA-256 of everything that the frame after ``frame`` and the picture follow from."""
        return self.crossed(frame, ())[1]

    def crossed(self, frame: int, names: Collection[str]) -> tuple[dict[str, np.ndarray], str]:
        """Host copies of the living rows of these arrays, and ``digest``: everything crosses once, in pieces."""
        counts = self.counts()
        particles, effects = int(counts[k.COUNT_PARTICLES]), int(counts[k.COUNT_EFFECTS])
        hashed = self._hashed_lengths(counts)
        lengths = self._kept_lengths(counts, particles)
        digest = hashlib.sha256(np.array([frame, particles, effects], "<i8").tobytes())
        living = {name: self.arrays[name][:length] for name, length in hashed.items()}
        living |= {name: self.arrays[name][: lengths[name]] for name in names if name not in hashed}
        made = {name: np.empty(living[name].shape, living[name].dtype) for name in names}
        for name, start, piece in _pieces(self.backend, living):
            if name in hashed:
                digest.update(piece.data)
            if name in made:
                _bytes_of(made[name])[start : start + len(piece)] = piece
        return made, digest.hexdigest()

    def copy(self, particle_count: int) -> dict[str, np.ndarray]:
        """Host copies of the living particles and effects, and of what the next substep is chosen by."""
        lengths = self._kept_lengths(self.counts(), particle_count)
        return _fetched(self.backend, {name: self.arrays[name][:length] for name, length in lengths.items()})

    def keep(self, particle_count: int, to_compare: bool) -> KeptState:
        """The same, on the device where that leaves enough of its memory; it is had back when memory runs out.

        Elsewhere on the host; ``to_compare``: nowhere.
        """
        backend, fetch = self.backend, None if to_compare else partial(_fetched, self.backend)
        lengths = self._kept_lengths(self.counts(), particle_count)
        living = {name: self.arrays[name][:length] for name, length in lengths.items()}
        words = {name: np.array(backend.host(living.pop(name))) for name in WORDS}
        needed = sum(int(array.nbytes) for array in living.values())
        made: dict[str, DeviceArray] | None = None
        if not backend.is_gpu or FREE_FACTOR * needed <= backend.free_bytes():
            with contextlib.suppress(Unavailable):  # free, but in parts that are too small
                made = {name: backend.zeros(array.shape, array.dtype) for name, array in living.items()}
        if made is None:
            return KeptState(words, fetch(living) if fetch is not None else {}, fetch, on_device=False)
        for name, array in living.items():
            backend.copy(made[name], array)
        kept = KeptState(words, made, fetch, on_device=True)
        backend.lend(kept.give_back)
        return kept

    def same_as(self, kept: KeptState) -> bool:
        """Whether all that ``digest`` is made of has the bits of a state that was kept, but for the frame's number.

        The device counts the words that are equal, and they have to be all: a count that was not made proves nothing.
        """
        if not kept.on_device:
            return False
        counts, words, backend = self.counts(), 0, self.backend
        lengths = self._hashed_lengths(counts)
        if lengths != self._hashed_lengths(kept.words["counts"]):
            return False
        equal = backend.zeros(1, np.int64)
        for name, length in lengths.items():
            ours, theirs = (side[name][:length].reshape(-1).view(np.int32) for side in (self.arrays, kept.arrays))
            backend.launch(mpm_equal.KERNEL, len(ours), ours, theirs, equal)
            words += len(ours)
        return int(backend.host(equal)[0]) == words

    def _hashed_lengths(self, counts: np.ndarray) -> dict[str, int]:
        """Living rows of the arrays that a digest is made of, in its order."""
        particles, effects = int(counts[k.COUNT_PARTICLES]), int(counts[k.COUNT_EFFECTS])
        return {**dict.fromkeys(self.double_names, particles), **dict.fromkeys(EFFECTS, effects)}

    def put_back(self, copy: HostState | KeptState, particle_count: int) -> None:
        """Overwrite by a copy, for which there is room. Raises KeyError or ValueError when it is another scene's."""
        there = isinstance(copy, KeptState) and copy.on_device
        state: Mapping[str, DeviceArray] = {**copy.words, **copy.arrays} if isinstance(copy, KeptState) else copy
        lengths = self._kept_lengths(state["counts"], particle_count)
        for name, length in lengths.items():
            values, array = state[name], self.arrays[name]
            fits = values.dtype == array.dtype and values.shape == (length, *array.shape[1:]) and length <= len(array)
            if not fits:
                raise ValueError(f"the state of another scene: {name}")
        for name, length in lengths.items():
            if there and name not in WORDS:
                self.backend.copy(self.arrays[name][:length], state[name])
            else:
                self.backend.fill(self.arrays[name], state[name])

    def _kept_lengths(self, counts: np.ndarray, particle_count: int) -> dict[str, int]:
        """Rows of each array that a copy is made of."""
        return {
            **dict.fromkeys(KEPT_WITH_HEAT if self.scene.has_heat else KEPT, particle_count),
            **dict.fromkeys(EFFECTS, int(counts[k.COUNT_EFFECTS])),
            # Of the last substep, from which the next one's length and scale follow
            "peak": int(counts[k.COUNT_BLOCKS]),
            "counts": k.COUNT_WORDS,
            "step": k.STEP_WORDS,
        }


class PictureState:
    """What of a state a picture is made from, where there is no simulation: it is put in from the host."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self._backend = backend
        self._names = self.names(scene)
        zeros = backend.zeros
        capacity, effects = max(1, scene.particle_capacity), scene.effects.effect_capacity
        self._arrays = {
            "counts": zeros(k.COUNT_WORDS, np.int32),
            "position": zeros((capacity, 4), np.float32),
            "temperature": zeros(capacity if scene.has_heat else 1, np.float32),
            "effect_position": zeros((effects, 4), np.float32),
            "effect_kind": zeros(effects, np.int32),
            "effect_temperature": zeros(effects, np.float32),
        }

    @staticmethod
    def names(scene: Scene) -> tuple[str, ...]:
        """Arrays of a state that a picture of the scene is made from."""
        return PICTURE_WITH_HEAT if scene.has_heat else PICTURE

    @property
    def fluid(self) -> Fluid:
        """What a picture is made from."""
        return Fluid(**self._arrays)

    def put(self, state: HostState) -> None:
        """Overwrite by the living rows of a state. Raises KeyError or ValueError when it is another scene's."""
        for name in self._names:
            values, array = state[name], self._arrays[name]
            if values.dtype != array.dtype or values.shape[1:] != array.shape[1:] or len(values) > len(array):
                raise ValueError(f"the state of another scene: {name}")
        for name in self._names:
            self._backend.fill(self._arrays[name], state[name])


def _fetched(backend: Backend, arrays: Mapping[str, DeviceArray]) -> dict[str, np.ndarray]:
    """Host copies, of which no second one is made on the way."""
    made = {name: np.empty(array.shape, array.dtype) for name, array in arrays.items()}
    for name, start, piece in _pieces(backend, arrays):
        _bytes_of(made[name])[start : start + len(piece)] = piece
    return made


def _pieces(backend: Backend, arrays: Mapping[str, DeviceArray]) -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, first byte, bytes) of arrays that cross to the host."""
    names, start = list(arrays), dict.fromkeys(arrays, 0)
    for number, piece in backend.pieces(list(arrays.values())):
        name = names[number]
        yield name, start[name], piece
        start[name] += len(piece)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def _chunks(number: int) -> int:
    return (number + CHUNK - 1) // CHUNK
