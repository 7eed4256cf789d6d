"""A farm run that never was: the model lets it happen; log, manifest and projection are as farm run writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.project.model.farm import ASSEMBLE, SIMULATE, Done, FarmMachine, FarmWorker, FrameWork, Handing, run

AT_S = 1_790_000_000.0  # when it began, unix time
FIGURES = ("chain_s", "start_s", "load_s", "render_s", "write_s", "dispatch_s", "wait_s")


@dataclass
class MadeUp:
    """What a test may change before it is written."""

    projection: dict[str, Any]
    events: list[dict[str, Any]]
    manifest: dict[str, Any]
    makespan_s: float
    notes: list[str] = field(default_factory=list)

    def write(self, out: Path) -> Path:
        farm = out / "farm"
        farm.mkdir(parents=True, exist_ok=True)
        (farm / "projection.json").write_text(json.dumps(self.projection))
        (farm / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))
        (out / "manifest.json").write_text(json.dumps(self.manifest))
        return out


def made_up_run(
    frames: int = 12,
    workers: int = 6,
    nodes: int = 3,
    losses: Sequence[tuple[float, int]] = (),
    pieces: int | None = None,
    shot: str = "wave",
    node: str = "gb",
) -> MadeUp:
    work = [
        FrameWork(
            n, 0.5, store_s=0.02, load_s=0.03, surface_s=0.2, trace_s=2.0 + 0.1 * (n % 5), encode_s=0.05, write_s=0.02
        )
        for n in range(1, frames + 1)
    ]
    handing = Handing(0.002, 0.01, 0.12, pieces, sums_s=0.02, assemble_s=0.3, notice_s=3.0, return_s=4.0)
    crew = [FarmWorker(0, 3.0 + 0.2 * n, start_s=0.8, scene_s=0.3) for n in range(workers)]
    found = run([FarmMachine(2)], crew, work, handing, losses)

    def who(worker: int) -> dict[str, Any]:
        return {"node": f"{node}{worker % nodes + 1}", "worker": str(worker // nodes)}

    def place(worker: int) -> dict[str, Any]:
        return {**who(worker), "device": "AMD EPYC, 1 thread", "backend": "numba", "pid": 1000 + worker}

    events: list[dict[str, Any]] = [{
        "event": "begin", "at_s": AT_S, "site": "three", "shot": shot, "size": "S", "samples": 16,
        "frames": list(range(1, frames + 1)), "formats": ["png"], "workers_wanted": workers, "command": ["shotmark"],
    }]  # fmt: skip
    for number, one in enumerate(crew):
        ready = {"event": "worker", "at_s": AT_S + one.arrives_s, "ready_s": one.arrives_s, "backend": "numba"}
        events.append({**ready, **who(number), "threads": 1, "device": "AMD EPYC, 1 thread"})
    manifest: dict[str, list[dict[str, Any]]] = {str(n): [] for n in range(1, frames + 1)}
    attempts: dict[tuple[str, int], int] = {}
    for task in found.tasks:
        made = _made(task, found.state_s, place(task.worker))
        for one in made:
            manifest[str(one["frame"])].append(one)
        key = task.kind, task.frame if task.kind != SIMULATE else 0
        events.append({
            "event": "task", "at_s": AT_S + task.returned_s,
            "task": "simulate" if key[0] == SIMULATE else f"render {task.frame}",
            "kind": task.kind, "frame": None if task.kind == SIMULATE else task.frame, "part": None,
            "attempt": 1 + attempts.get(key, 0), "submitted_s": AT_S + task.submitted_s, "begun_s": AT_S + task.begun_s,
            "ended_s": AT_S + task.ended_s, "returned_s": AT_S + task.returned_s, **who(task.worker),
            "outcome": "lost" if task.lost else "done", "why": "its worker was killed" if task.lost else None,
            "made": [] if task.lost else made,
        })  # fmt: skip
        attempts[key] = attempts.get(key, 0) + task.lost
        if task.kind in ("render", ASSEMBLE) and not task.lost:
            events.append({"event": "frame", "at_s": AT_S + task.returned_s, "frame": task.frame})
    events.sort(key=lambda event: event["at_s"])
    events.append({"event": "end", "at_s": AT_S + found.makespan_s, "outcome": "done", "frames": frames})

    def around(value: float) -> dict[str, float]:
        return {"p10": 0.9 * value, "p50": 0.95 * value, "p90": 1.1 * value}

    sums = {
        "chain_s": found.chain_s, "start_s": found.sum_of("start") + found.early_s, "load_s": found.sum_of("load"),
        "render_s": found.sum_of("surface", "trace"), "write_s": found.sum_of("encode", "write"),
        "dispatch_s": found.dispatch_s, "wait_s": sum(_waits(found.tasks).values()), "utilisation": found.utilisation,
    }  # fmt: skip
    projection = {
        "schema": 1, "kind": "projected", "at_s": AT_S + 0.5, "site": "three", "shot": shot, "size": "S", "samples": 16,
        "frames": list(range(1, frames + 1)), "workers": workers, "cores": 2, "threads": 1, "pieces": pieces,
        "stands_on": ["here/0001.json", "three: farm check of 2026-11-30"], "assumed": ["poll", "unforeseen"],
        "makespan_s": around(found.makespan_s), **{name: around(value) for name, value in sums.items()},
        "linear_s": found.makespan_s / 3, "farm_formula_s": found.makespan_s / 2,
        "task_p90_s": {"simulate": 60.0, "render": 20.0},
        "tasks": [
            {"frame": one.frame, "state_s": found.state_s[one.frame], "load_s": 0.09, "surface_s": 0.6, "trace_s": 6.0,
             "write_s": 0.2} for one in work
        ],
    }  # fmt: skip
    header = {"shot": shot, "size": "S"}
    manifested = {name: {"state_sha256": "0" * 64, "files": {}, "made": made} for name, made in manifest.items()}
    return MadeUp(projection, events, {"header": header, "frames": manifested}, found.makespan_s)


def _waits(tasks: Sequence[Done]) -> dict[int, float]:
    """Of each frame, until it was first begun."""
    found: dict[int, float] = {}
    for task in tasks:
        if task.kind in ("render", "part") and not task.lost:
            found[task.frame] = min(task.wait_s, found.get(task.frame, task.wait_s))
    return found


def _made(task: Done, state_s: dict[int, float], place: dict[str, Any]) -> list[dict[str, Any]]:
    """As the worker says it; of a lost task, what it had kept."""
    took = task.took_s
    begun_s = AT_S + task.begun_s
    blank = {"part": None, "start_s": None, "wait_s": None, "simulate_s": None, "load_s": None, "surface_s": None}
    blank |= {"trace_s": None, "write_s": None}
    if task.kind == SIMULATE:
        found, start_s = [], took.get("start", 0.0)
        mine = [n for n, at in state_s.items() if task.begun_s < at <= task.ended_s]
        for frame in sorted(mine):
            ended_s = AT_S + state_s[frame] - 0.02
            times = {"begun_s": begun_s, "ended_s": ended_s, "start_s": start_s}
            words = {"task": f"simulate {frame}", "kind": SIMULATE, "frame": frame}
            found.append({**words, **place, **blank, **times, "simulate_s": ended_s - begun_s - start_s})
            begun_s, start_s = AT_S + state_s[frame], 0.0
        return found
    if task.lost:
        return []
    part = [0, 0, 10, 10, 0, 16] if task.kind == "part" else None
    wait_s = task.wait_s if task.kind != ASSEMBLE else None
    times = {"begun_s": begun_s, "ended_s": AT_S + task.ended_s, "wait_s": wait_s, "start_s": took.get("start", 0.0)}
    times |= {f"{name}_s": took.get(name) for name in ("load", "surface", "trace")}
    times["write_s"] = took.get("encode", 0.0) + took.get("write", 0.0)
    words = {"task": f"render {task.frame}", "kind": task.kind, "frame": task.frame}
    return [{**words, **place, **blank, "part": part, **times}]
