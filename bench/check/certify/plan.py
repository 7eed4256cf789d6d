"""What ``certify`` would do and when, without doing it: the same parts in the same order, timed by known figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.backend.ahead import WORKERS_MAX
from bench.check.certify.certifier import LEAST_S
from bench.check.certify.figures import GpuFigures, HostFigures
from bench.check.certify.forecast import growth
from bench.check.certify.order import steps
from bench.check.certify.session import HOT, Limits
from bench.check.golden import golden_frames, load_golden
from bench.measure.meter import ROUNDS_MIN
from bench.measure.scaling import SOUND_STEPS, SUBSTEPS
from bench.pipeline.scene.estimate import Estimate, estimate
from bench.shot.load import Shot, load_shot, shot_names
from kernels.base.registry import kernel_names

OTHER_KERNEL_S = 5.0  # of one kernel whose example is grown: 2 s of making it at the most, launches, rounds
CPU_ROOFS_S, CPU_KERNEL_S = 4.0, 5.0  # about: rounds of fixed lengths; an example that is grown, and its rounds
SIMULATED_MOST = 0.6  # of a frame on a CPU: the waterspout has the most, 36 to 40 %
STATE_BYTES = 72  # of a particle, that a proof hashes
DONE, SOME, NONE = "done", "in part", "left out"
NAMED_MOST = 3  # pieces of a part that there is no time for


@dataclass(frozen=True)
class Piece:
    """What a part can be stopped after."""

    name: str
    least_s: float  # without it, nothing is worth beginning
    round_s: float = 0.0  # of one repetition more
    rounds: int = 0  # repetitions that are wanted

    def fitted_s(self, left_s: float) -> float | None:
        """Seconds that it takes of those that are left, with fewer repetitions where there is no time for all."""
        if self.least_s + self.round_s > left_s:
            return None
        # A measurement plans a third more than its rounds take
        held = int((left_s - self.least_s) / (1.5 * self.round_s)) if self.round_s > 0.0 else 0
        return self.least_s + max(1, min(self.rounds, held)) * self.round_s if self.rounds else self.least_s


@dataclass(frozen=True)
class Planned:
    """One part as it would go."""

    part: str
    begins_s: float  # after the start
    takes_s: float
    verdict: str  # DONE, SOME or NONE
    line: str


class Planner:
    """One host, one GPU or none, one budget."""

    def __init__(self, limits: Limits, host: HostFigures, gpu: GpuFigures | None, cores: int) -> None:
        self.limits, self.host, self.gpu, self.cores = limits, host, gpu, max(1, cores)
        self._shots = [load_shot(name) for name in limits.shots or shot_names()]
        self._golden = load_golden()

    def plan(self, budget_s: float) -> list[Planned]:
        """Every part, and whether the time holds it."""
        planned, now_s = [], self.gpu.start_s if self.gpu is not None else 0.0
        for step in steps(self.limits, self.gpu is not None):
            pieces = self._pieces(step.name, now_s)
            given_s = max(0.0, min(budget_s - now_s, step.share * budget_s))
            found = _fitted(step.name, now_s, pieces, given_s)
            planned.append(found)
            now_s += found.takes_s
        return planned

    def _pieces(self, name: str, now_s: float) -> list[Piece]:
        if name.startswith("shots "):
            return self._shot_pieces(name.removeprefix("shots "), now_s)
        parts: dict[str, Callable[[float], list[Piece]]] = {
            "compile": self._compile,
            "roofs": self._roofs,
            "water": self._water,
            "twins": self._hot_twins,
            "kernels": self._kernels,
            "other twins": lambda now_s: [Piece("all", self._waits(now_s) + self.host.other_twins_s)],
            "energy": self._energy,
            "checks": lambda now_s: [Piece("all", self._on_cores(self.host.checks_core_s))],
            "other kernels": self._other_kernels,
        }
        return parts[name](now_s) if name in parts else self._sanitizer()

    # --- Numba --------------------------------------------------------------------------------------
    def _numba_s(self, core_s: float) -> float:
        """Wall seconds of compiling so much, by as many workers as there are."""
        return max(min(core_s, self.host.numba_longest_s), core_s / min(self.cores, WORKERS_MAX))

    def _waits(self, now_s: float, core_s: float | None = None) -> float:
        """Seconds until Numba has compiled what takes ``core_s`` (everything), beside the parts before."""
        if self.gpu is None:
            return 0.0
        begun_s = self.gpu.start_s
        return max(0.0, begun_s + self._numba_s(self.host.numba_core_s if core_s is None else core_s) - now_s)

    def _on_cores(self, core_s: float) -> float:
        return core_s / self.cores

    # --- Parts --------------------------------------------------------------------------------------
    def _compile(self, now_s: float) -> list[Piece]:
        return [Piece("all", self._numba_s(self.host.numba_core_s) if self.gpu is None else self.host.nvrtc_s)]

    def _roofs(self, now_s: float) -> list[Piece]:
        return [Piece("all", self.gpu.roofs_s if self.gpu is not None else CPU_ROOFS_S)]

    def _water(self, now_s: float) -> list[Piece]:
        particles = 8 * self.limits.water_cells[self.gpu is not None] ** 3
        rate = self.gpu.particle_sound_steps_per_s["wave"] if self.gpu is not None else self._cpu_rate()
        frames = (self.limits.water_rounds + 1) * SUBSTEPS * SOUND_STEPS * particles / rate
        return [Piece("all", particles * self.host.scene_s_per_particle + frames)]

    def _cpu_rate(self) -> float:
        """Particle-sound-steps a second of a frame of the wave at S, which is simulating and more."""
        need = estimate(load_shot("wave"), "S")
        return need.particle_count * need.sound_steps_per_frame / self._on_cores(self.host.frame_core_s["wave"])

    def _hot_twins(self, now_s: float) -> list[Piece]:
        waits_s = self._waits(now_s, self.host.numba_hot_core_s)
        return [Piece("all", waits_s + self.host.hot_twins_s)]

    def _kernels(self, now_s: float) -> list[Piece]:
        rounds_s = self.gpu.kernel_rounds_s if self.gpu is not None else CPU_KERNEL_S
        return [Piece(name, self.host.gpu_examples_s[name] + rounds_s) for name in HOT]

    def _other_kernels(self, now_s: float) -> list[Piece]:
        """Examples are grown: several launches on both sides, the last one of some seconds."""
        names = [name for name in kernel_names() if name not in HOT]
        return [Piece(name, OTHER_KERNEL_S) for name in names]

    def _energy(self, now_s: float) -> list[Piece]:
        return [Piece(shot.name, self.gpu.energy_s) for shot in self._shots] if self.gpu is not None else []

    def _sanitizer(self) -> list[Piece]:
        if self.gpu is None:
            return []
        starts_s, each_s = self.gpu.sanitizer_start_s, self.gpu.sanitizer_kernel_s
        return [Piece(name, each_s + (starts_s if name == HOT[0] else 0.0)) for name in HOT]

    # --- Shots --------------------------------------------------------------------------------------
    def _shot_pieces(self, size: str, now_s: float) -> list[Piece]:
        beside = self.gpu is not None and size in self.limits.cpu_sizes
        pieces: list[Piece] = []
        for shot in self._shots:
            need, small = estimate(shot, size), estimate(shot, self.limits.sizes[0])
            measured: list[Piece] = []
            if self.gpu is None or beside:
                frame_s = self._on_cores(self.host.frame_core_s[shot.name]) * growth(small, need)
                measured.append(self._measured(shot, size, need, frame_s, SIMULATED_MOST * frame_s, rounds_twice=False))
            if self.gpu is not None:
                simulated_s, picture_s = self._gpu_frame(shot, need)
                frame_s = simulated_s + picture_s
                measured.append(self._measured(shot, size, need, frame_s, simulated_s, rounds_twice=True))
            waits_s = self._waits(now_s) if beside and not pieces else 0.0
            least_s, round_s = (sum(getattr(one, name) for one in measured) for name in ("least_s", "round_s"))
            pieces.append(Piece(shot.name, waits_s + least_s, round_s, measured[0].rounds))
        return pieces

    def _gpu_frame(self, shot: Shot, need: Estimate) -> tuple[float, float]:
        """(simulate, surface to encode) of one frame, s."""
        gpu = self.gpu
        assert gpu is not None
        further = need.sound_steps_per_substep - 1
        moved_s = need.particle_count * need.sound_steps_per_substep / gpu.particle_sound_steps_per_s[shot.name]
        substep_s = max(gpu.substep_least_s + further * gpu.sound_step_least_s, moved_s)
        bricks = 2.0 * need.active_block_count
        picture_s = (
            gpu.frame_least_s
            + bricks * gpu.brick_s
            + need.sample_count / gpu.paths_per_s[shot.name]
            + need.pixel_count / gpu.encode_pixels_per_s
        )
        return need.substeps_per_frame * substep_s, picture_s

    def _measured(
        self, shot: Shot, size: str, need: Estimate, frame_s: float, simulated_s: float, rounds_twice: bool
    ) -> Piece:
        """Scene, upload, frames before the measured one, the cold one and its repeat, rounds; and a proof of each."""
        limits = self.limits
        rounds = limits.rounds if size == limits.sizes[0] else min(limits.rounds, ROUNDS_MIN)
        earlier = [n for n in golden_frames(self._golden, shot.name, size) if n < limits.frame]
        before_s = (limits.frame - 1) * simulated_s + len(earlier) * (frame_s - simulated_s)
        proof_s = need.particle_count * STATE_BYTES / self.host.digest_bytes_per_s
        scene_s = self._on_cores(need.particle_count * self.host.scene_s_per_particle)
        upload_s = need.memory_bytes["cupy"] / self.gpu.copy_bytes_per_s if self.gpu is not None else 0.0
        least_s = scene_s + upload_s + before_s + len(earlier) * proof_s + 2 * (frame_s + proof_s)
        return Piece(shot.name, least_s, (2 if rounds_twice else 1) * (frame_s + proof_s), rounds)


def _fitted(part: str, begins_s: float, pieces: list[Piece], given_s: float) -> Planned:
    """The pieces that the time holds, one after the other."""
    if given_s < LEAST_S:
        return Planned(part, begins_s, 0.0, NONE, "no time left")
    if not pieces:
        return Planned(part, begins_s, 0.0, NONE, "only on a GPU")
    taken_s = 0.0
    unfit: list[Piece] = []
    for piece in pieces:
        fitted_s = piece.fitted_s(given_s - taken_s)
        if fitted_s is None:
            unfit.append(piece)
        else:
            taken_s += fitted_s
    done = len(pieces) - len(unfit)
    if not unfit:
        return Planned(part, begins_s, taken_s, DONE, "" if done == 1 else f"{done} of {done}")
    named = ", ".join(f"{piece.name} ({piece.least_s + piece.round_s:.0f} s)" for piece in unfit[:NAMED_MOST])
    more = f" and {len(unfit) - NAMED_MOST} more" if len(unfit) > NAMED_MOST else ""
    line = f"{done} of {len(pieces)}; no time for {named}{more}"
    return Planned(part, begins_s, taken_s, SOME if done else NONE, line)
