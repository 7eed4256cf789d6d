"""The document that ``farm run`` keeps as OUT/farm/projection.json: figures of every draw as P10, P50 and P90.

``start_s``, ``load_s``, ``render_s``, ``write_s`` and ``dispatch_s`` are sums over all tasks, ``wait_s`` one over all
frames. ``chain_s`` goes from the simulation's begin to its last state, ``utilisation`` is the share of the workers'
time in work that counted. ``task_p90_s`` is for limits of time: the slowest frame on a new worker while all are busy;
a part takes ``part_fixed`` and ``part_per_sample`` for each sample of each pixel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from bench.farm.forecast.facts import Known, SiteFacts
from bench.farm.forecast.worlds import World
from bench.pipeline.shoot import RenderJob
from bench.project.inputs.assumptions import farm_assumptions
from bench.project.inputs.site_check import SiteCheck
from bench.project.model import farm
from bench.project.model.farm import FarmOutcome
from bench.project.model.farm_costs import Costs
from bench.project.model.scenario import latin_hypercube
from bench.project.output.result import Quantiles
from bench.record.schema import Record
from bench.record.statistics import median

SCHEMA = 1
SEED = 20251223
DRAWS_MOST, DRAWS_LEAST, TASKS_TOGETHER = 200, 24, 60_000
SUMS = ("start_s", "load_s", "render_s", "write_s", "dispatch_s", "wait_s", "utilisation")


def project(
    job: RenderJob,
    site: SiteFacts,
    check: SiteCheck | None = None,
    records: Sequence[Record] = (),
    known: Known | None = None,
    *,
    machine: str | None = None,
    now: Callable[[], float] = time.time,
    draws: int | None = None,
) -> dict[str, object]:
    """Project the frames of ``job``, which are those that are left to make, on a site.

    machine: this machine's id, whose records count first.
    """
    known = known or Known()
    generator = np.random.Generator(np.random.PCG64(SEED))
    costs = Costs(job.shot, job.size, job.samples, records, machine)
    count = draws or max(DRAWS_LEAST, min(DRAWS_MOST, TASKS_TOGETHER // max(1, len(job.frames) + site.worker_count)))
    assumed = farm_assumptions()
    quantiles = latin_hypercube(generator, len(assumed), count)
    values = {n: np.array([a.range.at(float(u)) for u in row]) for (n, a), row in zip(assumed.items(), quantiles)}
    at_s = now()
    world = World(job, site, check, costs, values, generator, known, at_s)
    outcomes = [world.run(index) for index in range(count)]
    factor = world.values["unforeseen"]
    # A run that comes to its end takes at least what the model knows of
    makespan = Quantiles.of([one.makespan_s * f for one, f in zip(outcomes, factor)])
    sums = {name: Quantiles.of([_sum(one, name) for one in outcomes]) for name in SUMS}
    return {
        "schema": SCHEMA,
        "kind": "projected",
        "at_s": at_s,
        "site": site.name,
        "shot": job.shot.name,
        "size": job.size,
        "samples": costs.samples,
        "frames": list(job.frames),
        "workers": site.worker_count,
        "cores": site.cores,
        "threads": max(node.threads for node in site.nodes),
        "pieces": known.pieces,
        "draws": count,
        "losses_per_hour": known.losses_per_hour,
        "threads_of_others": known.here.threads_of_others,
        "compiles": known.here.compiles,
        "stands_on": world.stands_on(),
        "assumed": sorted(world.assumed()),
        "makespan_s": asdict(makespan),
        "chain_s": asdict(Quantiles.of([one.chain_s for one in outcomes])),
        **{name: asdict(found) for name, found in sums.items()},
        "learned": world.learned,
        "linear_s": world.linear_s(),
        "farm_formula_s": world.farm_formula_s(),
        "task_p90_s": world.limits(count),
        "tasks": _tasks(outcomes),
    }


def _sum(one: FarmOutcome, name: str) -> float:
    match name:
        case "start_s":
            return one.sum_of("start") + one.early_s
        case "load_s":
            return one.sum_of("load")
        case "render_s":
            return one.sum_of("surface", "trace")
        case "write_s":
            return one.sum_of("encode", "write")
        case "dispatch_s":
            return one.dispatch_s
        case "wait_s":
            first: dict[int, float] = {}  # of a frame, until its first part begins
            for task in one.tasks:
                if task.kind in (farm.RENDER, farm.PART) and not task.lost:
                    first[task.frame] = min(task.wait_s, first.get(task.frame, math.inf))
            return sum(first.values())
    return one.utilisation


def _tasks(outcomes: Sequence[FarmOutcome]) -> list[dict[str, object]]:
    """Of each frame, the middle one of all draws: when its state was there, and what its picture took."""
    found: dict[int, dict[str, list[float]]] = {}
    for one in outcomes:
        mine: dict[int, dict[str, float]] = {}
        for frame, at in one.state_s.items():
            mine[frame] = {"state_s": at}
        for task in one.tasks:
            if task.kind == farm.SIMULATE or task.lost:
                continue
            of = mine.setdefault(task.frame, {})
            took = task.took_s
            parts = {
                "wait_s": 0.0 if task.kind == farm.ASSEMBLE or "wait_s" in of else task.wait_s,
                "start_s": took.get("start", 0.0),
                "load_s": took.get("load", 0.0),
                "surface_s": took.get("surface", 0.0),
                "trace_s": took.get("trace", 0.0),
                "write_s": took.get("encode", 0.0) + took.get("write", 0.0),
            }
            for name, seconds in parts.items():
                of[name] = of.get(name, 0.0) + seconds
            of["ended_s"] = max(of.get("ended_s", 0.0), task.ended_s)
        for frame, parts in mine.items():
            for name, seconds in parts.items():
                found.setdefault(frame, {}).setdefault(name, []).append(seconds)
    return [
        {"task": f"render {frame}", "frame": frame, **{name: median(values) for name, values in parts.items()}}
        for frame, parts in sorted(found.items())
    ]
