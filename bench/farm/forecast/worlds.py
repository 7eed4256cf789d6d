"""Draws of what is not known of a farm run: each is one consistent world, in which the run happens once.

What a check measured on the site stands in the place of an assumption; what was measured on another day is drawn with a
spread of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean

import numpy as np

from bench.farm.forecast.facts import Known, NodeFacts, SiteFacts
from bench.pipeline.scene.needs import KEPT_BYTES
from bench.pipeline.shoot import RenderJob
from bench.project.inputs.assumptions import farm_assumptions
from bench.project.inputs.site_check import SiteCheck, WorkerCheck
from bench.project.model import farm
from bench.project.model.farm import FarmMachine, FarmOutcome, FarmWorker, FrameWork, Handing
from bench.project.model.farm_costs import PARTS, Costs, FrameCosts
from bench.project.model.graph import F64
from bench.project.model.shared_cores import crowding_of
from bench.project.output.result import Quantiles
from bench.record.statistics import median

FLUID_BYTES = 20.0  # of a particle: position, volume, temperature
KEEP_SHARE = 0.1  # of the simulation's time, at most, goes into keeping whole states
CROWDING_LEAST, CROWDING_MOST = 0.7, 2.5
CROWDING_SHARE = 0.4  # of what a check measured beyond sharing, that is the machine's own at the least
CROWDING_SPREAD = 0.05  # standard deviation of the logarithm, beside what workers differ by
DRIFTED_S, DRIFT_AT_ONCE = 4 * 3600.0, 0.35  # a machine has drifted after so long, and this share of it at once
SEED, LOSSES_MOST = 20251223, 2000
LESSONS_LEAST, LESSONS_LIKE, UNLEARNED = 3, 2.0, 0.03  # runs; runs that say "as the model"; least spread (log)
AGAIN = 0.15  # of a time that was measured on another day: queue, start-up, storage


class World:
    """All draws of one site and job."""

    def __init__(
        self,
        job: RenderJob,
        site: SiteFacts,
        check: SiteCheck | None,
        costs: Costs,
        values: dict[str, F64],
        generator: np.random.Generator,
        known: Known,
        now_s: float,
    ) -> None:
        self.job, self.site, self.check, self.costs, self.values = job, site, check, costs, dict(values)
        self.known, self.here = known, known.here
        self.count, self.generator = len(values["unforeseen"]), generator
        self.measured: set[str] = set()  # assumptions in whose place something measured stands
        self.kinds: dict[tuple[str, int], FrameCosts] = {}
        for node in site.nodes:
            key = node.backend, node.threads
            if key not in self.kinds:
                alone = [worker.alone for worker in self._checked(*key) if worker.alone is not None]
                self.kinds[key] = costs.frame_costs(*key, alone, self.values, generator, drift_share(check, now_s))
        first = site.nodes[0]
        self.main = self.kinds[first.backend, first.threads]
        if self.main.stands_on or any(worker.alone for worker in self._checked(first.backend, first.threads)):
            self.measured |= {"core_simulate", "core_surface", "core_trace", "core_pixel"}
        if known.poll_s is not None:
            self._measure("poll", [known.poll_s], 0.0)
        if (scene_s := costs.scene_s(first.backend)) is not None:
            self._measure("scene", [scene_s])
        self._take_from_check()
        if known.here.compiles and (compile_s := costs.compile_s()) is not None:
            self._measure("compile", [compile_s])
        self._learn(known.lessons)
        self.last = max(job.frames)
        self.noise = self.main.noise * generator.standard_normal((self.count, self.last + 1))

    # --- what is known of the site -----------------------------------------------------------
    def _checked(self, backend: str, threads: int) -> list[WorkerCheck]:
        nodes = self.check.nodes if self.check else ()
        return [one for node in nodes for one in node.workers if (one.backend, one.threads) == (backend, threads)]

    def _measure(self, name: str, measured: Sequence[float], again: float = AGAIN) -> None:
        """Draw from what was measured in place of an assumption."""
        found = np.asarray(measured, np.float64)
        drawn = found[self.generator.integers(0, len(found), self.count)]
        self.values[name] = drawn * np.exp(again * self.generator.standard_normal(self.count))
        self.measured.add(name)

    def _take_from_check(self) -> None:
        check = self.check
        self.values["queue"] = self.values["queue_local" if self.site.provider == "local" else "queue_batch"]
        if check is None:
            return
        nodes, workers = check.nodes, [one for node in check.nodes for one in node.workers]
        self._measure("queue", check.queue_s)
        self.measured |= {"queue_local", "queue_batch"}
        # Each worker of a check starts while no other works; its start holds one scene, which is counted apart here
        scene_s = float(np.median(self.values["scene"])) * self.costs.work.particles
        own = scene_s if any(one.alone and one.alone.size == self.job.size for one in workers) else 0.0
        self._measure("start", [one.import_s + max(0.2 * one.start_s, one.start_s - own) for one in workers])
        self._measure("dispatch", check.dispatch_s)
        self._measure("latency", check.latency_s)
        self._measure("write_rate", [node.write_bytes_per_s for node in nodes])
        self._measure("read_rate", [node.read_bytes_per_s for node in nodes])
        self._measure("sync", [node.sync_s for node in nodes])
        self._measure("visible", [node.visible_s for node in nodes])
        slowing = [one.slowing for one in workers if one.slowing is not None]
        if slowing:
            asked = sum(float(one.threads) for one in workers)
            level = crowding_of(median(slowing) or 1.0, check.cores, asked, len(workers))
            most = math.log(min(CROWDING_MOST, max(CROWDING_LEAST, level)))
            # One frame each, alone and together: whoever else used the machine then made it slower, never faster
            share = self.generator.uniform(CROWDING_SHARE, 1.0, self.count)
            self._measure("crowding", [1.0], CROWDING_SPREAD)
            self.values["crowding"] *= np.exp(share * most)

    def _learn(self, lessons: Sequence[float]) -> None:
        """What earlier runs of this site took that is in no model; few of them say little."""
        if len(lessons) < LESSONS_LEAST:
            return
        logs = np.log(lessons)
        count = len(logs)
        middle = float(np.median(logs)) * count / (count + LESSONS_LIKE)
        spread = math.hypot(float(np.std(logs, ddof=1)) * math.sqrt(1.0 + 1.0 / count), UNLEARNED)
        self.values["unforeseen"] = np.exp(middle + spread * self.generator.standard_normal(self.count))
        self.measured.add("unforeseen")

    @property
    def learned(self) -> float:
        """By how much what is in no model moves the middle of all draws."""
        return float(np.median(self.values["unforeseen"]))

    def stands_on(self) -> list[str]:
        found = [path for kind in self.kinds.values() for path in kind.stands_on]
        if self.check is not None:
            found.append(f"{self.check.site}: farm check of {self.check.date}")
        if "unforeseen" in self.measured:
            found.append(f"{len(self.known.lessons)} earlier runs on {self.site.name}")
        return list(dict.fromkeys(found))

    def assumed(self) -> set[str]:
        unused = {"queue_batch" if self.site.provider == "local" else "queue_local"}
        if self.known.losses_per_hour <= 0.0:
            unused.add("notice")
        if not self.here.compiles:
            unused.add("compile")
        if not self.here.threads_of_others:
            unused.add("others")
        return {name for name in farm_assumptions() if name not in self.measured | unused}

    # --- one draw ----------------------------------------------------------------------------
    def run(self, draw: int) -> FarmOutcome:
        machines, workers = self._workers(draw)
        return farm.run(machines, workers, self._frames(draw, self.main), self._handing(draw), self._losses(draw))

    def _losses(self, draw: int) -> list[tuple[float, int]]:
        """Workers that are lost, one after another, as often as was said; any of them is as likely as any other."""
        if self.known.losses_per_hour <= 0.0:
            return []
        generator = np.random.Generator(np.random.PCG64([SEED, draw]))
        times = np.cumsum(generator.exponential(3600.0 / self.known.losses_per_hour, LOSSES_MOST))
        return [(float(at), int(generator.integers(0, self.site.worker_count))) for at in times]

    def _workers(self, draw: int) -> tuple[list[FarmMachine], list[FarmWorker]]:
        """Workers of a CPU share their machine's cores; a GPU is its worker's own."""
        machines: list[FarmMachine] = []
        place: dict[str, int] = {}
        workers = []
        arrives_s, start_s, scene_s = (
            self._arrives_s(draw),
            float(self.values["start"][draw]),
            self._scene_s(draw),
        )
        for node in self.site.nodes:
            kind = self.kinds[node.backend, node.threads]
            slow = fmean(float(kind.draws[p][draw] / self.main.draws[p][draw]) for p in ("simulate", "trace"))
            for _ in range(node.workers):
                if node.backend == "cupy":
                    machines.append(FarmMachine(1.0))
                    workers.append(FarmWorker(len(machines) - 1, arrives_s, start_s, scene_s, 1.0, slow))
                    continue
                if node.machine not in place:
                    place[node.machine] = len(machines)
                    machines.append(self._machine(node, draw))
                workers.append(FarmWorker(place[node.machine], arrives_s, start_s, scene_s, node.threads, slow))
        return machines, workers

    def _arrives_s(self, draw: int) -> float:
        """When the workers can begin; one compiles for all where nothing is compiled."""
        compile_s = float(self.values["compile"][draw]) if self.here.compiles else 0.0
        return float(self.values["queue"][draw]) + compile_s

    def _machine(self, node: NodeFacts, draw: int) -> FarmMachine:
        mine = self.site.provider == "local" or node.machine == self.here.machine
        others = self.here.threads_of_others * float(self.values["others"][draw]) if mine else 0.0
        return FarmMachine(node.cores, float(self.values["crowding"][draw]), others)

    def _scene_s(self, draw: int) -> float:
        return float(self.values["scene"][draw] * self.costs.work.particles)

    def _start_s(self, draw: int) -> float:
        """Of a new worker's first task."""
        return self._process_s(draw) + self._scene_s(draw)

    def _process_s(self, draw: int) -> float:
        """Of a new worker, before its first scene."""
        return float(self.values["start"][draw] + self.values["first_task"][draw])

    def _frames(self, draw: int, kind: FrameCosts) -> list[FrameWork]:
        values, particles, pixels = self.values, self.costs.work.particles, self.costs.work.pixels
        sync, rate = float(values["sync"][draw]), float(values["write_rate"][draw])
        digest = float(values["digest_rate"][draw])
        store_s = sync + FLUID_BYTES * particles / rate + KEPT_BYTES * particles / digest
        keep_s = sync + KEPT_BYTES * particles / rate
        load_s = FLUID_BYTES * particles / float(values["read_rate"][draw])
        write_s = sync + 24.0 * pixels / digest
        wanted, found = set(self.job.frames), []
        there = sorted(frame for frame in wanted if frame <= self.known.simulated_to)
        for frame in [*there, *range(self.known.simulated_to + 1, self.last + 1)]:
            present = frame <= self.known.simulated_to
            seconds = {part: kind.seconds(part, draw, frame) for part in PARTS}
            again = math.exp(float(self.noise[draw, frame]))
            found.append(
                FrameWork(
                    frame=frame,
                    simulate_s=0.0 if present else seconds["simulate"],
                    store_s=0.0 if present else store_s + min(keep_s, KEEP_SHARE * seconds["simulate"]),
                    wanted=frame in wanted,
                    present=present,
                    load_s=load_s,
                    surface_s=seconds["surface"] * again,
                    trace_s=seconds["trace"] * again,
                    encode_s=seconds["encode"],
                    write_s=write_s,
                )
            )
        return found

    def _handing(self, draw: int) -> Handing:
        values = {name: float(found[draw]) for name, found in self.values.items()}
        return Handing(
            dispatch_s=values["dispatch"],
            latency_s=values["latency"],
            seen_s=values["visible"] + 0.5 * values["poll"],
            pieces=self.known.pieces,
            sums_s=values["sync"] + 16.0 * self.costs.work.pixels / values["write_rate"],
            assemble_s=values["assemble"] * len(self.job.frames),
            notice_s=values["notice"],
            return_s=values["queue_local"],
        )

    # --- simpler estimates, and limits -------------------------------------------------------
    def _likely(self) -> list[FrameWork]:
        """Of the draw whose trace is the middle one."""
        middle = int(np.argsort(self.main.draws["trace"])[self.count // 2])
        return self._frames(middle, self.main)

    def linear_s(self) -> float:
        """The work over the workers, as if each had its cores to itself."""
        frames = self._likely()
        work = sum(one.simulate_s + (_picture_s(one) if one.wanted else 0.0) for one in frames)
        return work / self.site.worker_count

    def farm_formula_s(self) -> float:
        """OpenCue's: (pending x mean + slowest) / running."""
        pictures = [_picture_s(one) for one in self._likely() if one.wanted]
        if not pictures:
            return self.linear_s()
        return ((len(pictures) - 1) * fmean(pictures) + max(pictures)) / min(self.site.worker_count, len(pictures))

    def limits(self, count: int) -> dict[str, float | None]:
        """P90 of each kind of task on the slowest frame, on a new worker while all are busy: for limits of time."""
        found: dict[str, list[float]] = {"simulate": [], "render": [], "part_fixed": [], "part_per_sample": []}
        for draw in range(count):
            machines, workers = self._workers(draw)
            busy = max(_busy(machines, workers, n) * one.slow for n, one in enumerate(workers))
            frames = self._frames(draw, self.main)
            start_s = busy * self._start_s(draw)
            fixed_s = start_s + max(one.load_s + busy * one.surface_s for one in frames) + self._handing(draw).sums_s
            found["simulate"].append(start_s + sum(busy * one.simulate_s + one.store_s for one in frames))
            found["render"].append(start_s + max(busy * _picture_s(one) for one in frames))
            found["part_fixed"].append(fixed_s)
            found["part_per_sample"].append(busy * max(one.trace_s for one in frames) / self._pixel_samples())
        return {name: Quantiles.of(values).p90 for name, values in found.items()}

    def _pixel_samples(self) -> float:
        return self.costs.work.pixels * self.costs.samples


def drift_share(check: SiteCheck | None, now_s: float) -> float:
    """Of the drift between records hours apart, what lies between a check and now: it grows as the root of the time."""
    if check is None:
        return 1.0
    age_s = max(0.0, now_s - datetime.fromisoformat(check.checked).timestamp())
    return min(1.0, max(DRIFT_AT_ONCE, math.sqrt(age_s / DRIFTED_S)))


def _picture_s(one: FrameWork) -> float:
    return one.load_s + one.surface_s + one.trace_s + one.encode_s + one.write_s


def _busy(machines: Sequence[FarmMachine], workers: Sequence[FarmWorker], number: int) -> float:
    """Times that a worker takes longer while all on its machine work."""
    mine = [one for one in workers if one.machine == workers[number].machine]
    machine = machines[workers[number].machine]
    asked = sum(min(one.threads, machine.cores) for one in mine)
    return max(1.0, asked / machine.cores) * (max(1.0, machine.crowding) if len(mine) > 1 else 1.0)
