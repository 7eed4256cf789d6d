"""All that a machine can prove in the time given: twins, shots, roofs, kernels, a large block of water, energy.

Parts follow each other by worth; one that fails does not end the others, and one for which no time is left is named as
left out. On a CPU "twins" are one thread against many; on a GPU they are the CUDA texts against the CPU, bit for bit.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.backend.ahead import CompiledModule, prepare
from bench.backend.protocol import Backend
from bench.base import units
from bench.base.errors import BudgetSpent, ShotmarkError
from bench.base.progress import Silent
from bench.check import sanitizer as sanitize
from bench.check.forecast import Forecast
from bench.measure.meter import ROUNDS_MIN
from bench.measure.plugin import measure_into, meters_of
from bench.pipeline.frame import FRAME_DEFAULT
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, CertificateDraft, Finding
from bench.record.statistics import median
from kernels.base.kernel import Kernel
from kernels.base.registry import all_kernels

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend
    from bench.measure.roofs import AnyRoofs
    from bench.shot.load import Shot

TWIN_LONG_S = 4.0  # forecast of one kernel at one size
LEAST_S = 0.5  # of the budget, for a part to begin
HOT = ("mpm_p2g", "mpm_g2p", "mpm_sort", "mpm_grid", "img_trace", "surf_field", "surf_distance")  # what takes the time
WATER_PARTICLE_BYTES = 320  # of a block of water, everything included, and more than that


@dataclass(frozen=True)
class Limits:
    """How large everything may be, and what is compiled with it; tests make it tiny."""

    twin_sizes: tuple[int, ...] = (17, 300, 2000)
    kernel_size: int | None = None  # None: larger than cache
    kernels: tuple[str, ...] = ()  # none: every one
    shots: tuple[str, ...] = ()  # none: all that ship
    sizes: tuple[str, ...] = ("S", "M", "L", "XL")
    cpu_sizes: tuple[str, ...] = ("S", "M")  # where the CPU is measured beside a GPU
    rounds: int = 5
    frame: int = FRAME_DEFAULT
    water_cells: tuple[int, int] = (40, 128)  # edge of the block of water on a CPU, on a GPU: 8 particles a cell
    water_rounds: int = 5
    energy_s: float = 4.0
    roofs: dict[str, Any] = dataclasses.field(default_factory=dict)  # arguments of measure_device_roofs
    modules: tuple[CompiledModule, ...] = ()  # compiled ahead beside the kernels


class Certifier:
    """One machine, one back-end, one budget."""

    def __init__(
        self, backend: Backend, cpu: Backend, certificate: CertificateDraft, results: Path, limits: Limits | None = None
    ) -> None:
        self.backend = backend
        self.cpu = cpu
        self.certificate = certificate
        self.results = results
        self.limits = limits or Limits()
        self.roofs: AnyRoofs | None = None  # once they are measured
        self.on_gpu = backend.is_gpu
        self._forecast = Forecast(self.limits.sizes[0])
        self._kernel_rows: list[dict[str, object]] = []

    @property
    def _gpu(self) -> CupyBackend:
        """The back-end, where it is a GPU's."""
        assert self.on_gpu
        return cast("CupyBackend", self.backend)

    def run(self, tell: Callable[[str], None] = lambda text: None) -> CertificateDraft:
        """Do every part that the budget holds; the record is written after each."""
        known = all_kernels()
        names = self.limits.kernels or (*HOT, *(name for name in known if name not in HOT))
        kernels = [known[name] for name in names]
        first, *others = self.limits.sizes
        parts: list[tuple[str, float, Callable[[], Finding]]] = [
            # name, share of the whole budget at the most, what to do
            ("compile", 1.0, self.compile),
            ("twins", 0.2, lambda: self.twins(kernels)),
            (f"shots {first}", 0.35, lambda: self.shots(first)),
            ("roofs", 0.2, self.measure_roofs),
            ("water", 0.15, self.water),
            *((f"sanitizer {tool}", 0.06, lambda tool=tool: self.sanitizer(tool)) for tool in sanitize.TOOLS),
            ("kernels", 0.2, lambda: self.kernels(kernels)),
            *((f"shots {size}", 0.4, lambda size=size: self.shots(size)) for size in others[:1]),
            ("energy", 0.05, self.energy),
            *((f"shots {size}", 0.5, lambda size=size: self.shots(size)) for size in others[1:]),
            ("checks", 0.5, self.checks),
        ]
        for name, share, part in parts:
            tell(name)
            self._do(name, share, part)
        if self.certificate.parts["kernels"].verdict == LEFT_OUT:
            tell("kernels, the rest")
            self._do("kernels", 1.0, lambda: self.kernels(kernels))
        self.certificate.save(complete=True)
        return self.certificate

    def _do(self, name: str, share: float, part: Callable[[], Finding]) -> None:
        """One part, its errors as one line, and the record with it."""
        certificate = self.certificate
        start = time.perf_counter()
        self._deadline = time.monotonic() + min(certificate.left_s, share * certificate.budget_s)
        if certificate.left_s < LEAST_S:
            begun = certificate.parts.get(name)
            found = Finding(begun.verdict, begun.line, begun.data) if begun else Finding(LEFT_OUT, "no time left")
        else:
            try:
                found = part()
            except BudgetSpent:
                found = Finding(LEFT_OUT, "no time left")
            except OSError:
                raise  # the record cannot be written: nothing later could be
            except (Exception, MemoryError) as error:  # a part that breaks is a finding, not the end
                text = str(error) if isinstance(error, ShotmarkError) else f"{type(error).__name__}: {error}"
                found = Finding(FAILED, " ".join(text.split())[:300])
        certificate.note(name, found, time.perf_counter() - start)
        certificate.save()

    def _left_s(self) -> float:
        return self._deadline - time.monotonic()

    @property
    def _late(self) -> bool:
        return self._left_s() <= 0.0

    def _keep(self, name: str, found: Finding) -> None:
        """What a part has found so far: a stop in the middle of it loses the rest alone."""
        self.certificate.note(name, found)
        self.certificate.save()

    # --- Parts --------------------------------------------------------------------------------------
    def compile(self) -> Finding:
        """Machine code for everything: the device's, and the CPU's that it is held against."""
        made = prepare([self.cpu, self.backend] if self.on_gpu else [self.backend], Silent(), self.limits.modules)
        text = f"{made.kernel_count} texts compiled" if made.kernel_count else "everything was on disk"
        data: dict[str, object] = {"compiled_count": made.kernel_count, "wall_s": made.wall_s}
        if self.on_gpu:
            gpu = self._gpu
            data["nvrtc"], data["architecture"] = list(gpu.compiler.version), gpu.compiler.architecture
            data |= {"device": gpu.device_name, "multiprocessors": gpu.multiprocessors, "l2_bytes": gpu.l2_bytes}
            data |= {"clock_max_hz": gpu.clock_max_hz, "memory_bytes": gpu.total_bytes()}
        return Finding(NOTED, text, data)

    def twins(self, kernels: Sequence[Kernel]) -> Finding:
        """Every kernel's example at several sizes: equal bits on both sides."""
        from bench.measure.kernels import many_threads

        if not self.on_gpu and many_threads(self.cpu.threads) == 1:
            return Finding(LEFT_OUT, "one core: there are no many threads to hold one against")
        wrong: dict[str, str] = {}
        sizes: dict[str, list[int]] = {kernel.name: [] for kernel in kernels}
        spent_s: dict[str, float] = {}
        for size in self.limits.twin_sizes:
            for kernel in kernels:
                tried = sizes[kernel.name]
                # A kernel's work may grow as the square of what its example is made for
                forecast_s = spent_s[kernel.name] * (size / tried[-1]) ** 2 if tried else 0.0
                if forecast_s >= min(TWIN_LONG_S, self._left_s()):
                    continue
                start = time.monotonic()
                found = self._disagreement(kernel, size)
                spent_s[kernel.name] = time.monotonic() - start
                tried.append(size)
                if found:
                    wrong.setdefault(kernel.name, found)
            self._keep("twins", self._twins_found(sizes, wrong))
        return self._twins_found(sizes, wrong)

    def _twins_found(self, sizes: dict[str, list[int]], wrong: dict[str, str]) -> Finding:
        done, most = sum(1 for tried in sizes.values() if tried), max(len(tried) for tried in sizes.values())
        data = {"sizes": sizes, "wrong": wrong}
        what = "CPU = GPU" if self.on_gpu else "one thread = many"
        if wrong:
            name, line = next(iter(wrong.items()))
            return Finding(FAILED, f"{len(wrong)} of {done} kernels differ; {name}: {line}", data)
        if done < len(sizes):
            return Finding(LEFT_OUT, f"{what} for {done} of {len(sizes)} kernels, then no time was left", data)
        return Finding(PASSED, f"{what} to the last bit: {done} kernels, at up to {most} sizes", data)

    def _disagreement(self, kernel: Kernel, size: int) -> str | None:
        from bench.measure.kernels import disagreement, make_example
        from bench.measure.kernels_gpu import prove

        threads = self.cpu.threads or 1
        if self.on_gpu:
            return "; ".join(prove(kernel, self.backend, (size,), threads)) or None
        return disagreement(kernel, make_example(kernel, size), threads)

    def shots(self, size: str) -> Finding:
        """Shots at one size: golden or repeated bits, then all three times; the CPU beside a GPU where it is small."""
        from bench.check.cases import make_cases
        from bench.pipeline.makers import MAKERS, require_memory

        done, unfit = 0, 0
        lines: list[str] = []
        wrong: list[str] = []
        shots = self._shots()
        for shot in shots:
            backends = [self.backend]
            if self.on_gpu and size in self.limits.cpu_sizes:
                backends.insert(0, self.cpu)
            try:
                require_memory(shot, size, self.backend)
            except ShotmarkError as error:
                lines.append(str(error))
                unfit += 1
                continue
            backends = [one for one in backends if self._forecast.seconds(shot, size, one) < self._left_s()]
            if not backends:
                lines.append(f"{shot.name} {size}: it would take longer than the time left")
                unfit += 1
                continue
            start = time.monotonic()
            draft = self.certificate.draft
            cases = make_cases([shot], size, min(self.limits.frame, shot.frames), self._rounds(size))
            makers = dataclasses.replace(MAKERS, build_scene=self._forecast.timed(MAKERS.build_scene))
            meters = meters_of(cases, backends, makers, draft.slot.pictures)
            plugin = measure_into(draft, meters, self.results, deadline=self._deadline)
            self._forecast.spent_s[shot.name, size] = time.monotonic() - start
            results = {identity: meter.result for identity, meter in plugin.meters.items()}
            unfit += bool(plugin.left_out)
            lines += [f"{identity}: no time left" for identity in plugin.left_out]
            lines += [
                meter.in_words() for meter in plugin.meters.values() if meter.result.verified and meter.result.rounds
            ]
            wrong += [f"{identity}: {result.rejected}" for identity, result in results.items() if result.rejected]
            if len({result.first.state_sha256 for result in results.values() if result.first}) > 1:
                wrong.append(f"{shot.name}: the states of {' and '.join(results)} differ")
            done += not plugin.left_out
        if wrong:
            return Finding(FAILED, "; ".join(wrong)[:300], {"lines": [*lines, *wrong]})
        verdict = PASSED if done and not unfit else LEFT_OUT
        return Finding(verdict, f"{done} of {len(shots)} shots proved and timed", {"lines": lines})

    def _rounds(self, size: str) -> int:
        """Fewer where a round is long."""
        return self.limits.rounds if size == self.limits.sizes[0] else min(self.limits.rounds, ROUNDS_MIN)

    def measure_roofs(self) -> Finding:
        if self.on_gpu:
            from bench.measure.roofs_gpu import measure_device_roofs

            self.roofs = measure_device_roofs(self._gpu, **self.limits.roofs)
        else:
            from bench.measure.roofs import measure_roofs

            self.roofs = measure_roofs(self.cpu.threads or 1)
        return self._roofs_found(self.roofs)

    def _roofs_found(self, roofs: AnyRoofs) -> Finding:
        line = f"copy {units.count(roofs.copy_bytes_per_s)}B/s, {units.count(roofs.fma_flop_per_s)}flop/s"
        return Finding(NOTED, line, roofs.document())

    def kernels(self, kernels: Sequence[Kernel]) -> Finding:
        """Every kernel alone, proved, timed, and held against the roofs; one that is too long for the rest waits."""
        from bench.measure.kernels import document, measure_against
        from bench.measure.kernels_gpu import measure_on_device
        from bench.measure.roofs import Roofs

        if self.roofs is None:
            return Finding(LEFT_OUT, "the roofs were not measured")
        rows = self._kernel_rows
        done = {row["kernel"] for row in rows}
        # What was begun in the part's own time may end after it, but not after the budget
        threads, size, left_s = self.cpu.threads or 1, self.limits.kernel_size, lambda: self.certificate.left_s
        for kernel in kernels:
            if kernel.name in done:
                continue
            if self._late:
                break
            try:
                if self.on_gpu:
                    found = measure_on_device(kernel, self._gpu, threads, size, left_s=left_s)
                else:
                    assert isinstance(self.roofs, Roofs)
                    found, self.roofs = measure_against(kernel, threads, self.roofs, size, left_s)
                    self.certificate.note("roofs", self._roofs_found(self.roofs))
            except BudgetSpent:
                continue
            rows.append(document(found, self.roofs))
            self._keep("kernels", self._kernels_found(len(kernels)))
        return self._kernels_found(len(kernels))

    def _kernels_found(self, number: int) -> Finding:
        rows = self._kernel_rows
        wrong = [f"{row['kernel']}: {row['problem']}" for row in rows if row["problem"]]
        if wrong:
            return Finding(FAILED, "; ".join(wrong)[:300], rows)
        verdict = PASSED if len(rows) == number else LEFT_OUT
        return Finding(verdict, f"{len(rows)} of {number} kernels timed, none above a roof", rows)

    def water(self) -> Finding:
        """Particle-substeps a second of a block of water, 8 particles a cell."""
        from bench.measure.scaling import water_block
        from bench.pipeline.simulate import Simulation

        cells = self.limits.water_cells[self.on_gpu]
        while self.on_gpu and 8 * cells**3 * WATER_PARTICLE_BYTES > self._gpu.free_bytes():
            cells //= 2
        simulation = Simulation(water_block(cells), self.backend)
        simulation.advance_frame()
        samples_s: list[float] = []
        work = None
        for _ in range(self.limits.water_rounds):
            if self._late and samples_s:
                break
            before = self.backend.clock()
            work = simulation.advance_frame()
            samples_s.append(float(self.backend.clock() - before))
        assert work is not None
        rate = work.particle_substeps / (median(samples_s) or float("inf"))
        data = {
            "particle_count": work.particle_count,
            "substeps": work.substeps,
            "samples_s": samples_s,
            "particle_substeps_per_s": rate,
            "graphs": self.backend.graph_problem or "used" if self.on_gpu else None,
        }
        return Finding(NOTED, f"{units.rate(rate, 'particle-substeps')}, {units.count(work.particle_count)}", data)

    def sanitizer(self, tool: str) -> Finding:
        """compute-sanitizer on small examples of every kernel."""
        if not self.on_gpu:
            return Finding(LEFT_OUT, "it watches GPUs")
        found = sanitize.run_tool(tool, self._gpu.device, max(1.0, self._left_s()))
        # A tool that cannot start (a card for one process alone, a driver newer than it, no ptrace) has proved nothing
        verdict = {"clean": PASSED, "errors": FAILED}.get(found.verdict, LEFT_OUT)
        return Finding(verdict, found.line, dataclasses.asdict(found))

    def energy(self) -> Finding:
        """Joules of a frame, by the board's own counter: informative."""
        from bench.measure.timed_frame import frames_energy
        from bench.pipeline.makers import MAKERS

        if not self.on_gpu:
            return Finding(LEFT_OUT, "only a GPU's counter is read")
        meter = self._gpu.energy_meter()
        if meter is None or meter.joules() is None:
            return Finding(LEFT_OUT, "the driver shows no energy counter of this GPU alone")
        size, least_s = self.limits.sizes[0], self.limits.energy_s
        data = [
            frames_energy(meter, MAKERS, self.backend, shot, size, least_s) for shot in self._shots() if not self._late
        ]
        if not data:
            return Finding(LEFT_OUT, "no time left")
        known = [f"{row['shot']} {row['joules_per_frame']:.3g} J" for row in data if row["joules_per_frame"]]
        return Finding(NOTED, f"a frame at {self.limits.sizes[0]}: {', '.join(known) or 'unknown'} (informative)", data)

    def _shots(self) -> list[Shot]:
        from bench.shot.load import load_shot, shot_names

        return [load_shot(name) for name in self.limits.shots or shot_names()]

    def checks(self) -> Finding:
        """Physics and tracer against closed forms."""
        from bench.check.physics import CHECKS

        rows = []
        for check in CHECKS:
            if self._late:
                break
            found = check(self.backend)
            rows.append({**dataclasses.asdict(found), "passed": found.passed})
        wrong = [str(row["name"]) for row in rows if not row["passed"]]
        if wrong:
            return Finding(FAILED, f"outside their limits: {', '.join(wrong)}", rows)
        verdict = PASSED if len(rows) == len(CHECKS) else LEFT_OUT
        return Finding(verdict, f"{len(rows)} of {len(CHECKS)} checks of physics and tracer passed", rows)
