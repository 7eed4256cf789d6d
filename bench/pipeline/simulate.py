"""Order of the simulation's kernels: what one frame of a shot runs. Nothing here measures or knows a device.

A frame is a whole number of equal substeps, the fewest that the flow's speed allows, and a substep of equal sound
steps, the fewest that sound speed and viscosity allow. A substep is emit, key, sort, [heat], scatter, grid, then for
each further sound step strain, control, push, grid, then gather, [rheology], control; after a frame's last one the
effects particles move. The very first substep has half of the sound steps: from then on velocities stand half a
substep behind positions, and what falls freely falls as it should (leapfrog).
State lives on the back-end in double buffers: a gather reads one through the sorted order and writes the other.

Nobody knows before a frame how many blocks its splashes will touch. A sort that has too little room stops the frame:
no kernel after it changes the state, so that the host, which looks once the frame's launches are through, makes room
and has the substeps done that were not. How much room there was changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.base.errors import CheckFailed
from bench.pipeline.emission import Source
from bench.pipeline.frame import Fluid, FrameWork, HostState, KeptState
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.needs import Substep, block_grid, more_blocks, scene_steps, substeps_of
from bench.pipeline.state import EFFECTS, State
from kernels.base import constants as k
from kernels.base.kernel import Kernel
from kernels.effects import fx_birth, fx_birth_count, fx_compact, fx_move, fx_scan
from kernels.gather import mpm_g2p, mpm_strain
from kernels.heat import mpm_heat_conduct, mpm_heat_g2p, mpm_heat_grid, mpm_heat_p2g, mpm_rheology
from kernels.heat.mpm_heat_p2g import ARENA_INT64
from kernels.mpm import mpm_control, mpm_emit, mpm_grid, mpm_key, mpm_p2g, mpm_push, mpm_sort
from kernels.mpm.mpm_common import PEAK_SPEED_X, PEAK_SPEED_Z

F32 = np.float32
BLOCK_GROW_AT = 0.75  # share of the room for blocks that is in use when it grows
ERRORS = {
    k.ERROR_CELL_OVERFLOW: f"more than {k.CELL_COUNT_MAX} particles in one cell",
    k.ERROR_TOO_FAST: "a particle crosses more than a cell in one substep; a larger material.speed_limit_m_per_s helps",
    k.ERROR_NOT_FINITE: "a number that is not finite",
    k.ERROR_PARTICLE_CAPACITY: "more particles than there is room for",
    k.ERROR_OUTSIDE: "a particle outside the walls",
}


@dataclass
class FrameUnderWay:
    """A frame of which substeps are still to be done."""

    time_s: float  # at its beginning
    dt_s: float  # of a substep
    substeps: tuple[Substep, ...]
    first_substep: int  # how many substeps had been completed before it
    done: int = 0  # of its own
    blocks_needed: int = 0  # more than there is room for; 0: none is missing
    # Before each substep that was launched: particles, and what each emitter has let out
    before: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)


class Simulation:
    """State of one scene on one back-end, and its advance by frames."""

    def __init__(self, scene: Scene, backend: Backend) -> None:
        self.scene = scene
        self.backend = backend
        self.frame = 0
        self.particle_count = scene.initial_count
        self._state = State(scene, backend)
        self._other = self._state.other  # of the double buffers, the side that a substep writes
        self._sources = [Source.of(emitter, scene, backend) for emitter in scene.emitters]
        self._has_effects = bool(
            np.any(scene.effects.effect_params[k.EFFECT_PARAM_SPRAY_RATE : k.EFFECT_PARAM_EMBER_RATE + 1] > 0)
        )
        self._names: dict[str, tuple[str, ...]] = {}  # of the arguments of each kernel that was launched
        # Launches of substeps depend on nothing but which side of the double buffers is read, and on their ``Substep``
        self._recording = backend.recording()
        self._side = 0
        self._under_way: FrameUnderWay | None = None  # also after a frame that memory ran out in: it goes on from there

    # --- What others read ---------------------------------------------------------------------------

    @property
    def fluid(self) -> Fluid:
        """What a picture of the present state is made from."""
        arrays = self._state.arrays
        return Fluid(
            arrays["counts"],
            arrays["position"],
            arrays["temperature"],
            arrays["effect_position"],
            arrays["effect_kind"],
            arrays["effect_temperature"],
        )

    @property
    def position(self) -> DeviceArray:
        return self._state.arrays["position"]

    @property
    def velocity(self) -> DeviceArray:
        return self._state.arrays["velocity"]

    @property
    def temperature(self) -> DeviceArray:
        return self._state.arrays["temperature"]

    @property
    def counts(self) -> DeviceArray:
        return self._state.arrays["counts"]

    @property
    def node(self) -> DeviceArray:
        """Nodes of the active blocks after the last substep: velocity and mass."""
        return self._state.arrays["node"]

    @property
    def held_bytes(self) -> int:
        """Bytes of all arrays."""
        return self._state.held_bytes

    # --- The state between two frames ---------------------------------------------------------------

    def state_digest(self) -> str:
        """SHA-256 of everything that the next frame and the picture follow from."""
        return self._state.digest(self.frame)

    def snapshot(self) -> HostState:
        """Host copies of the state: its size follows the fluid, not the capacity."""
        return {**self._progress(), **self._state.copy(self.particle_count)}

    def crossed(self, whole: bool) -> tuple[HostState, str]:
        """``snapshot``, or the part of it that a picture is made from, and ``state_digest``: all crosses once."""
        names = self._state.kept_names if whole else self._state.picture_names
        copies, sha256 = self._state.crossed(self.frame, names)
        return {**(self._progress() if whole else {}), **copies}, sha256

    def keep(self, to_compare: bool = False) -> KeptState:
        """The state, on the device where that leaves enough of its memory; ``to_compare``: there, or not at all."""
        kept = self._state.keep(self.particle_count, to_compare)
        kept.words = {**self._progress(), **kept.words}
        return kept

    def same_as(self, kept: KeptState) -> bool:
        """Whether the state has the digest of one that was kept; False too where nothing was kept on the device."""
        return self.frame == int(kept.words["progress"][0]) and self._state.same_as(kept)

    def _progress(self) -> dict[str, np.ndarray]:
        """What the host knows of a state."""
        return {
            "progress": np.array([self.frame, self.particle_count], np.int64),
            "emitted": np.array([source.emitted for source in self._sources], np.int64),
        }

    def restore(self, state: HostState | KeptState) -> None:
        """Put a state back. Raises KeyError or ValueError when it is another scene's."""
        words = state.words if isinstance(state, KeptState) else state
        frame, particle_count = (int(value) for value in words["progress"])
        blocks = int(words["counts"][k.COUNT_BLOCKS])
        if len(words["emitted"]) != len(self._sources):
            raise ValueError("the state of another scene: emitters")
        if blocks > self._state.block_capacity:
            self._make_room(blocks)
        self._state.put_back(state, particle_count)
        for source, number in zip(self._sources, words["emitted"]):
            source.emitted = int(number)
        self.frame, self.particle_count = frame, particle_count
        self._under_way = None

    # --- Advance ------------------------------------------------------------------------------------

    def advance_frame(self) -> FrameWork:
        """Simulate one frame. Raises CheckFailed when a kernel has found a limit broken."""
        if self._under_way is None:
            self._under_way = self._begin_frame()
        frame = self._under_way
        while frame.done < len(frame.substeps):
            if frame.blocks_needed:
                self._make_room(more_blocks(frame.blocks_needed, block_grid(self.scene.cells)))
                self._go_on()
                frame.blocks_needed = 0
            self._launch_substeps(frame)
            counts = self.backend.host(self.counts)
            self._raise_for(int(counts[k.COUNT_ERROR]), self.frame + 1)  # liquid that burst wants no room
            if counts[k.COUNT_BLOCKS_NEEDED] == 0:
                break
            self._go_back(frame, counts)
        self._under_way = None
        self.frame += 1
        self._state.place_solids(self.frame)
        if self._has_effects:
            self._move_effects(frame.time_s)
        counts = self.backend.host(self.counts)
        step = self.backend.host(self._state.arrays["step"])
        least, most = float(step[k.STEP_VOLUME_LEAST]), float(step[k.STEP_VOLUME_MOST])
        done = [(before[0], one.sound_steps) for before, one in zip(frame.before, frame.substeps, strict=True)]
        return FrameWork(
            frame=self.frame,
            substeps=len(frame.substeps),
            dt_s=frame.dt_s,
            particle_count=int(counts[k.COUNT_PARTICLES]),
            active_blocks=int(counts[k.COUNT_BLOCKS]),
            effect_count=int(counts[k.COUNT_EFFECTS]),
            particle_substeps=sum(particles for particles, _ in done),
            sound_steps=sum(sound_steps for _, sound_steps in done),
            particle_sound_steps=sum(particles * sound_steps for particles, sound_steps in done),
            speed_m_per_s=float(step[k.STEP_SPEED_MOST]),
            speed_limit_m_per_s=self.scene.speed_limit_m_per_s,
            volume_ratios=(least, most) if most > 0.0 else (1.0, 1.0),
        )

    def _begin_frame(self) -> FrameUnderWay:
        """Make room, set the steps and the clock; the fixed-point scale follows from both state and sound step."""
        scene = self.scene
        time_s = scene.start_time + self.frame * scene.frame_dt_s
        steps = scene_steps(scene, max(scene.speed_limit_m_per_s, self._peak_speed()))
        dt_s = scene.frame_dt_s / steps.substeps
        counts = self.backend.host(self.counts)
        used, completed = int(counts[k.COUNT_BLOCKS]), int(counts[k.COUNT_SUBSTEPS])
        room = more_blocks(used, block_grid(scene.cells))
        if used > BLOCK_GROW_AT * self._state.block_capacity and room > self._state.block_capacity:
            self._make_room(room)  # before anything else: where it fails, nothing has changed
        step = np.array(self.backend.host(self._state.arrays["step"]))
        sound_dt_s = F32(dt_s / steps.sound_steps)
        changed = step[k.STEP_DT] != sound_dt_s
        step[k.STEP_DT], step[k.STEP_SOUND_STEPS], step[k.STEP_TIME] = sound_dt_s, steps.sound_steps, time_s
        step[k.STEP_FRAME_TIME] = time_s
        self._state.place_solids(self.frame)
        volume = float(self.scene.material[k.MATERIAL_PARTICLE_VOLUME])
        step[k.STEP_FULL] = round(self.scene.cell_size_m**3 / volume, 3)  # the volume is rounded, 8 is not
        step[[k.STEP_SPEED_MOST, k.STEP_VOLUME_LEAST, k.STEP_VOLUME_MOST]] = 0.0
        self.backend.fill(self._state.arrays["step"], step)
        if self.frame == 0:
            self._emit(time_s)
            self._run(mpm_key.KERNEL, first_particle=0, key_out=self._state.arrays["key"])
        if changed:
            self._run(mpm_control.KERNEL, completed_steps=0)
        return FrameUnderWay(time_s, dt_s, substeps_of(scene, steps, from_rest=completed == 0), completed)

    def _launch_substeps(self, frame: FrameUnderWay) -> None:
        """Those of a frame that are not done."""
        left, ends = frame.substeps[frame.done :], frame.time_s + len(frame.substeps) * frame.dt_s
        if not self._emits(ends):
            frame.before += [self._progress_of_emitters()] * len(left)
            self._quiet_substeps(left)
            return
        for n, substep in enumerate(left, frame.done):
            frame.before.append(self._progress_of_emitters())
            self._emitting_substep(frame.time_s + (n + 1) * frame.dt_s, substep)

    def _go_back(self, frame: FrameUnderWay, counts: np.ndarray) -> None:
        """To the beginning of the first substep that was not done: what it reads is as it was, under another name."""
        launched, frame.done = len(frame.before), int(counts[k.COUNT_SUBSTEPS]) - frame.first_substep
        frame.blocks_needed = int(counts[k.COUNT_BLOCKS_NEEDED])
        if (launched - frame.done) % 2:
            self._turn()
        self.particle_count, emitted = frame.before[frame.done]
        for source, number in zip(self._sources, emitted, strict=True):
            source.emitted = number
        del frame.before[frame.done :]

    def _go_on(self) -> None:
        """Let kernels change the state again."""
        counts = np.array(self.backend.host(self.counts))
        counts[k.COUNT_BLOCKS_NEEDED] = 0
        self.backend.fill(self.counts, counts)

    def _progress_of_emitters(self) -> tuple[int, tuple[int, ...]]:
        return self.particle_count, tuple(source.emitted for source in self._sources)

    def _peak_speed(self) -> float:
        """Largest velocity component (m/s) after the last substep, 0 before the first."""
        if self.frame == 0:
            return 0.0
        used = int(self.backend.host(self.counts)[k.COUNT_BLOCKS])
        peak = self.backend.host(self._state.arrays["peak"][:used])
        return float(peak[:, PEAK_SPEED_X : PEAK_SPEED_Z + 1].max(initial=0.0))

    def _emits(self, end_s: float) -> bool:
        """Whether a particle leaves an emitter by ``end_s``."""
        return any(source.due(end_s) > source.emitted for source in self._sources)

    def _quiet_substeps(self, substeps: tuple[Substep, ...]) -> None:
        """Substeps without emission: the same launches in every frame that has as many, so a device may keep them."""

        def launches() -> None:
            before = self._side
            try:
                for substep in substeps:
                    self._substep(substep, completed=True)
                    self._turn()
            finally:
                # What is launched may be replayed, or have failed half way and be launched once more: names stay
                if self._side != before:
                    self._turn()

        self._recording.run((self._side, substeps), launches)
        if len(substeps) % 2:
            self._turn()

    def _emitting_substep(self, end_s: float, substep: Substep) -> None:
        """One substep that ends at ``end_s``, and what has left the emitters by then."""
        emits = self._emits(end_s)
        self._recording.run((self._side, substep, emits), lambda: self._substep(substep, completed=not emits))
        self._turn()
        if emits:
            first = self.particle_count
            self._emit(end_s)
            self._run(mpm_key.KERNEL, first_particle=first)
            self._run(mpm_control.KERNEL, completed_steps=1)

    def _substep(self, substep: Substep, completed: bool) -> None:
        """Launches of one substep."""
        self._run(mpm_sort.KERNEL)
        if substep.heat_dt_s > 0.0:
            self._step_heat(substep.heat_dt_s)
        self._run(mpm_p2g.KERNEL)
        self._run(mpm_grid.KERNEL, sound_step=0)
        for _ in range(1, substep.sound_steps):
            self._run(mpm_strain.KERNEL)
            self._run(mpm_control.KERNEL, completed_steps=0)
            self._run(mpm_push.KERNEL)
            self._run(mpm_grid.KERNEL, sound_step=1)  # whichever: equal launches have one block of parameters
        self._run(mpm_g2p.KERNEL)
        if self.scene.has_heat:
            self._run(mpm_rheology.KERNEL, velocity_in=self._other["velocity"])
        if completed:
            self._run(mpm_control.KERNEL, completed_steps=1)

    def _turn(self) -> None:
        """What was written is read from here on."""
        self._state.swap(self._state.double_names)
        self._side = 1 - self._side

    def _step_heat(self, heat_dt_s: float) -> None:
        """Conduct and radiate for ``heat_dt_s``, in the arenas and nodes that the momentum fills afterwards."""
        wide, node = self._state.arrays["arena"].view(np.int64).reshape(-1, ARENA_INT64), self.node
        self._run(mpm_heat_p2g.KERNEL, arena_out=wide)
        self._run(mpm_heat_grid.KERNEL, arena_in=wide, heat_node_out=node)
        dt = F32(heat_dt_s)
        self._run(mpm_heat_conduct.KERNEL, heat_dt_s=dt, heat_node_inout=node)
        self._run(mpm_heat_g2p.KERNEL, heat_dt_s=dt, heat_node_in=node)

    def _move_effects(self, time_s: float) -> None:
        """Move spray, foam and embers over the frame that begins at ``time_s``; let new ones be born."""
        self._run(fx_move.KERNEL, time_s=F32(time_s))
        self._run(fx_birth_count.KERNEL, frame=self.frame)
        self._run(fx_scan.KERNEL, alive_in=self._state.arrays["alive"])
        self._run(fx_compact.KERNEL)
        self._run(fx_birth.KERNEL, frame=self.frame)
        self._state.swap(EFFECTS)

    def _emit(self, time_s: float) -> None:
        """Append what has left the emitters by ``time_s``."""
        for source in self._sources:
            number = source.due(time_s) - source.emitted
            if number <= 0:
                continue
            if self.particle_count + number > self.scene.particle_capacity:
                self._raise_for(k.ERROR_PARTICLE_CAPACITY, self.frame + 1)
            age_s = time_s - source.start_s - (source.emitted + 0.5) / source.flux_per_s
            self._run(
                mpm_emit.KERNEL,
                first=self.particle_count,
                emit_count=number,
                serial=source.emitted,
                age_s=F32(age_s),
                interval_s=F32(1.0 / source.flux_per_s),
                emitter_in=source.vector,
            )
            source.emitted += number
            self.particle_count += number

    def _raise_for(self, errors: int, frame: int) -> None:
        """Raise CheckFailed where kernels have set an error bit in a frame."""
        if errors:
            said = "; ".join(text for bit, text in ERRORS.items() if errors & bit) or f"error bits {errors}"
            raise CheckFailed(f"{self.scene.shot_name} {self.scene.size}: simulation, frame {frame}: {said}")

    # --- Arrays -------------------------------------------------------------------------------------

    def _run(self, kernel: Kernel, **given: object) -> None:
        """Launch a kernel with arrays and scalars by name: a double buffer has one side to read, one to write."""
        names = self._names.get(kernel.name)
        if names is None:
            names = self._names[kernel.name] = kernel.argument_names
        argument = self._state.argument
        self.backend.launch(kernel, *[given[name] if name in given else argument(name) for name in names])

    def _make_room(self, blocks: int) -> None:
        """Room for ``blocks`` active blocks."""
        self._recording.forget()
        self._state.make_room(blocks)
