"""The event simulation of a cluster, written the obvious way: objects, lists, one rule after another."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import _uniforms, gpu_factors
from bench.project.model.graph import KINDS, MERGE, SIMULATE, TRANSFER, Tasks


@dataclass
class Server:
    """Serves one after another."""

    free_s: float = 0.0

    def serve(self, now_s: float, hold_s: float) -> float:
        self.free_s = max(self.free_s, now_s) + hold_s
        return self.free_s


@dataclass
class Slot:
    """A GPU (with a factor) or a CPU core, and what it does."""

    number: int
    factor: float | None
    event_s: float = math.inf
    phase: str = "idle"
    group: int = -1
    task: int = -1
    start_s: float = 0.0
    work_s: float = 0.0
    loaded: tuple[int, int] | None = None  # shot and kind


@dataclass
class Plain:
    """One run; ``totals`` are the fields of an Outcome."""

    tasks: Tasks
    sample: ClusterSample
    seed: int
    task_sigma: float
    totals: dict[str, float] = field(default_factory=lambda: dict.fromkeys(
        ("makespan_s", "busy_gpu_s", "failures", "lost_s", "dispatch_wait_s", "startup_s", "storage_wait_s")
        + ("storage_bytes", "link_bytes", *KINDS), 0.0))  # fmt: skip

    def __post_init__(self) -> None:
        t, s = self.tasks, self.sample
        self.members = [list(range(a, b)) for a, b in pairwise(t.first.tolist())]
        self.after = [t.edge_to[a:b].tolist() for a, b in pairwise(t.edge_first.tolist())]
        self.needs = t.needs.tolist()
        self.left = [len(member) for member in self.members]
        self.priority = self.chains()
        self.totals["chain_s"] = max(self.priority)
        cores = min(s.cpu_slots, sum(n for n, kind in zip(self.left, t.kind) if MERGE <= kind < TRANSFER))
        factors = gpu_factors(s, self.seed).tolist()
        self.slots = [Slot(n, factor) for n, factor in enumerate(factors)]
        self.slots += [Slot(len(factors) + n, None) for n in range(cores)]
        self.idle_gpus = self.slots[: len(factors)][::-1]
        self.idle_cores = self.slots[len(factors) :][::-1]
        self.ready: list[tuple[float, int, int]] = []  # falling priority, group, task
        self.retry: list[tuple[int, int]] = []
        self.arriving: list[tuple[float, int]] = []  # transfers: time, group
        self.scheduler, self.storage, self.link = Server(), Server(), Server()
        self.draws = 0

    def random(self, purpose: int, index: int) -> float:
        return float(_uniforms(self.seed, purpose, np.array([index], np.uint64))[0])

    def chains(self) -> list[float]:
        t, s = self.tasks, self.sample
        behind = [0.0] * t.group_count
        for group in reversed(range(t.group_count)):
            size = float(t.write_bytes[group])
            if t.kind[group] == TRANSFER:
                alone = size / s.link_bandwidth_bytes_per_s + s.link_latency_s + s.link_handshake_s
            else:
                alone = max(float(t.duration_s[task]) for task in self.members[group])
                alone = alone / s.gpu_speed if t.kind[group] < MERGE else alone
                alone += s.dispatch_s + size / min(
                    s.storage_bandwidth_bytes_per_s, s.storage_client_bandwidth_bytes_per_s
                )
            longest = max((behind[other] for other in self.after[group]), default=0.0)
            behind[group] = float(np.float32(longest + alone))
        return behind

    def through_storage(self, now_s: float, from_s: float, size: float) -> float:
        """When ``size`` bytes are through that were asked for now and cannot begin before ``from_s``."""
        shared_s = self.storage.serve(now_s, size / self.sample.storage_bandwidth_bytes_per_s)
        done_s = max(shared_s, from_s + size / self.sample.storage_client_bandwidth_bytes_per_s)
        self.totals["storage_wait_s"] += done_s - from_s
        self.totals["storage_bytes"] += size
        return done_s

    def becomes_ready(self, group: int, now_s: float) -> None:
        kind = self.tasks.kind[group]
        for task in self.members[group]:
            if kind != TRANSFER:
                self.ready.append((-self.priority[group], group, task))
                continue
            size, s = float(self.tasks.write_bytes[group]), self.sample
            sent_s, delay_s = size / s.link_bandwidth_bytes_per_s, s.link_latency_s + s.link_handshake_s
            hold_s = max(sent_s, (sent_s + delay_s) / s.link_streams)
            begin_s = self.link.serve(now_s, hold_s) - hold_s
            self.arriving.append((begin_s + sent_s + delay_s, group))
            self.totals["link_bytes"] += size
            self.totals["transfer"] += hold_s

    def start(self, slot: Slot, group: int, task: int, now_s: float) -> None:
        t, s = self.tasks, self.sample
        at_s = self.scheduler.serve(now_s, s.dispatch_s)
        self.totals["dispatch_wait_s"] += at_s - now_s
        load = (int(t.shot[group]), int(t.kind[group]))
        warm = slot.loaded == load
        if slot.factor is not None and not warm:
            at_s += s.startup_s
            self.totals["startup_s"] += s.startup_s
        in_memory = warm and (t.kind[group] == SIMULATE or slot.group == group)
        if t.read_bytes[group] > 0.0 and not in_memory:
            at_s = self.through_storage(now_s, at_s, float(t.read_bytes[group]))
        slot.work_s = float(t.duration_s[task])
        if slot.factor is not None:
            slot.work_s *= slot.factor
            if self.task_sigma > 0.0:
                z = math.sqrt(-2.0 * math.log(self.random(3, task))) * math.cos(2.0 * math.pi * self.random(4, task))
                slot.work_s *= math.exp(self.task_sigma * z - 0.5 * self.task_sigma**2)
        slot.group, slot.task, slot.start_s, slot.loaded = group, task, now_s, load
        slot.event_s, slot.phase = at_s + slot.work_s, "computing"
        if s.failures_per_gpu_hour > 0.0 and slot.factor is not None:
            fails_s = now_s - math.log(self.random(5, self.draws)) / (s.failures_per_gpu_hour / 3600.0)
            self.draws += 1
            if fails_s < slot.event_s:
                slot.event_s, slot.phase = fails_s, "failing"

    def start_all(self, now_s: float) -> None:
        while True:
            on_gpu = sorted(entry for entry in self.ready if self.tasks.kind[entry[1]] < MERGE)
            on_core = sorted(entry for entry in self.ready if self.tasks.kind[entry[1]] >= MERGE)
            if self.idle_gpus and self.retry:
                group, task = self.retry.pop()
                self.start(self.idle_gpus.pop(), group, task, now_s)
            elif self.idle_gpus and on_gpu:
                self.ready.remove(on_gpu[0])
                self.start(self.idle_gpus.pop(), on_gpu[0][1], on_gpu[0][2], now_s)
            elif self.idle_cores and on_core:
                self.ready.remove(on_core[0])
                self.start(self.idle_cores.pop(), on_core[0][1], on_core[0][2], now_s)
            else:
                return

    def ends(self, group: int, now_s: float) -> None:
        self.totals["makespan_s"] = now_s
        self.left[group] -= 1
        if self.left[group] == 0:
            for other in self.after[group]:
                self.needs[other] -= 1
                if self.needs[other] == 0:
                    self.becomes_ready(other, now_s)

    def happens(self, slot: Slot) -> None:
        now_s = slot.event_s
        size = float(self.tasks.write_bytes[slot.group])
        if slot.phase == "failing":
            self.totals["failures"] += 1
            self.totals["lost_s"] += now_s - slot.start_s
            self.retry.append((slot.group, slot.task))
            slot.phase, slot.event_s, slot.loaded = "restarting", now_s + self.sample.restart_s, None
            return
        if slot.phase == "computing" and size > 0.0:
            slot.event_s = self.through_storage(now_s, now_s, size)
            slot.phase = "writing"
            if slot.event_s > now_s:
                return
        (self.idle_cores if slot.factor is None else self.idle_gpus).append(slot)
        if slot.phase != "restarting":
            self.totals[KINDS[self.tasks.kind[slot.group]]] += slot.work_s
            self.totals["busy_gpu_s"] += slot.work_s if slot.factor is not None else 0.0
            self.ends(slot.group, now_s)
        slot.event_s, slot.phase = math.inf, "idle"

    def run(self, failures_max: int) -> dict[str, Any]:
        for group, needs in enumerate(self.needs[:]):
            if needs == 0:
                self.becomes_ready(group, 0.0)
        self.start_all(0.0)
        while self.totals["failures"] <= failures_max:
            slot = min(self.slots, key=lambda one: (one.event_s, one.number))
            if self.arriving and self.arriving[0][0] < slot.event_s:
                now_s, group = self.arriving.pop(0)
                self.ends(group, now_s)
            elif slot.event_s < math.inf:
                now_s = slot.event_s
                self.happens(slot)
            else:
                return self.totals
            self.start_all(now_s)
        return {**self.totals, "makespan_s": math.inf}
