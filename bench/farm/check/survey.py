"""The submitting side of a check: wait for the site's workers, let them go one by one and together, write it down."""

from __future__ import annotations

import itertools
import secrets
import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import __version__
from bench.base.errors import Unavailable
from bench.base.files import make_folder, write_atomically
from bench.farm.check.probe import FRAME, NOTHING, PROBE, REPEATS, answer, verdict
from bench.farm.check.signs import Signs
from bench.farm.dispatch.answers import answer_of
from bench.farm.dispatch.view import FARM
from bench.farm.engine.parsl_engine import ParslEngine, require_engine
from bench.farm.engine.protocol import Engine, Order
from bench.farm.site import Pool, Site
from bench.farm.stop import Stop
from bench.farm.worker import SHOT_COPY, TOKEN
from bench.project.inputs.site_check import SiteCheck, parse_check

BATCH, BATCHES, ROUND_TRIPS = 60, 5, 15  # empty tasks together, and one by one
EMPTY_WITHIN_S, PROBE_WITHIN_S = 60.0, 3600.0
SIGNS = "signs"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What a check is asked for."""

    site: Site
    shot: str  # text of its file
    size: str
    folder: Path  # that all nodes share
    golden: Mapping[str, str] | None  # of the frame that is made
    wait_s: float  # after the first worker has come, for the others


def check_site(
    asked: Asked, tell: Tell, stop: Stop, start: Callable[[Site, Path], Engine] | None = None
) -> tuple[SiteCheck, int]:
    """What was found, and how many workers never came. Raises UserError, Unavailable, Stopped, OSError, CheckFailed."""
    if start is None:
        require_engine(asked.site, asked.folder)
    farm = asked.folder / FARM
    signs = farm / SIGNS
    make_folder(farm)
    shutil.rmtree(signs, ignore_errors=True)
    make_folder(signs)
    token = secrets.token_hex(4)
    write_atomically(farm / TOKEN, token.encode())
    write_atomically(farm / SHOT_COPY, asked.shot.encode())
    begun = time.monotonic()
    engine = start(asked.site, farm) if start is not None else ParslEngine(asked.site, farm / "runinfo", answer)
    try:
        survey = _Survey(asked, engine, Signs(signs, stop), tell, stop, token)
        queue_s = survey.gather_workers(begun)
        dispatch_s, latency_s = survey.empty_tasks()
        found = survey.probe()
    finally:
        engine.close()
        shutil.rmtree(signs, ignore_errors=True)
    document = _document(asked, queue_s, dispatch_s, latency_s, found)
    return parse_check(document, f"the check of {asked.site.name}"), asked.site.workers - len(found)


class _Survey:
    """One check that goes on."""

    def __init__(self, asked: Asked, engine: Engine, signs: Signs, tell: Tell, stop: Stop, token: str) -> None:
        self.asked, self.engine, self.signs, self.tell, self.stop = asked, engine, signs, tell, stop
        self._token = token
        self._pools: dict[str, int] = {}  # workers of each that came

    def gather_workers(self, begun: float) -> list[float]:
        """Wait until all workers are there, or for so long after the first; when each node's first one came."""
        wanted, queue_s, first_s = self.asked.site.workers, list[float](), None
        while True:
            self._check_stopped()
            now = time.monotonic()
            workers = dict(self.engine.workers())
            per_node = {pool.name: pool.workers for pool in self.asked.site.pools}
            nodes = sum(-(-count // per_node[name]) for name, count in workers.items())
            queue_s += [now - begun] * (nodes - len(queue_s))
            if sum(workers.values()) >= wanted or (first_s is not None and now - first_s > self.asked.wait_s):
                self._pools = workers
                return queue_s
            if first_s is None and any(workers.values()):
                first_s = now
            problem = self.engine.problem()
            if problem is not None:
                raise Unavailable(problem)
            time.sleep(0.05)

    def empty_tasks(self) -> tuple[list[float], list[float]]:
        """Seconds of an empty task among many, and of one there and back."""
        pool = next(name for name, count in self._pools.items() if count)
        self._empty(pool, 4 * self._pools[pool])  # the first of each worker imports
        dispatch_s = [self._empty(pool, BATCH) / BATCH for _ in range(BATCHES)]
        return dispatch_s, [self._empty(pool, 1) for _ in range(ROUND_TRIPS)]

    def _empty(self, pool: str, count: int) -> float:
        begun, back = time.monotonic(), 0
        for _ in range(count):
            self.engine.submit(pool, {"ask": NOTHING})
        while back < count:
            self._check_stopped()
            if time.monotonic() - begun > EMPTY_WITHIN_S:
                raise Unavailable(f"pool {pool}: {count - back} of {count} empty tasks did not come back")
            back += len(self.engine.wait(0.2))
        return time.monotonic() - begun

    def probe(self) -> list[dict[str, Any]]:
        """Hold every worker by a task of its own, and let them go as the signs say."""
        for pool in self.asked.site.pools:
            for _ in range(self._pools.get(pool.name, 0)):
                self.engine.submit(pool.name, self._order(pool))
        count = sum(self._pools.values())
        self.tell(f"{count} of {self.asked.site.workers} workers are there: a frame by each alone, then by all")
        machines = self._those_here(count)
        names = sorted(machines)
        for together in _turns(machines):
            for name in together:
                self.signs.give(f"alone-{name}")
            for name in together:
                self._wait(f"alone-done-{name}")
        first_of_node = {name.split("~")[0]: name for name in reversed(names)}
        for name in names:
            asked = first_of_node[name.split("~")[0]] == name
            self.signs.give(f"disk-{name}", {"asked": asked})
            for turn in range(REPEATS if asked else 0):
                said = self._wait(f"new-{name}-{turn}")
                self.signs.give(f"seen-{name}-{turn}", {"after_s": time.time() - float(str(said["at_s"]))})
            self._wait(f"disk-done-{name}")
        self.signs.give("together")
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += self._answers()
        return sorted(found, key=lambda one: (str(one["node"]), str(one["worker"])))

    def _order(self, pool: Pool) -> Order:
        return {
            "ask": PROBE,
            "token": self._token,
            "out": str(self.asked.folder.absolute()),
            "signs": str(self.signs.folder.absolute()),
            "size": self.asked.size,
            "backend": pool.backend,
            "threads": pool.threads,
        }

    def _those_here(self, count: int) -> dict[str, str]:
        """Names of the workers, once all have a task, and the machine of each."""
        until = time.monotonic() + PROBE_WITHIN_S
        while True:
            names = sorted(path.stem.removeprefix("here-") for path in self.signs.folder.glob("here-*.json"))
            if len(names) >= count:
                return {name: str((self.signs.read(f"here-{name}") or {}).get("machine")) for name in names}
            self._answers()  # one that comes so early went wrong
            if time.monotonic() > until:
                raise Unavailable(f"{count - len(names)} of {count} workers did not begin")

    def _wait(self, sign: str) -> dict[str, object]:
        until = time.monotonic() + PROBE_WITHIN_S
        while (said := self.signs.read(sign)) is None:
            self._answers(0.0)
            if time.monotonic() > until:
                raise Unavailable(f"{sign} did not come")
            time.sleep(0.001)  # how soon it is seen is measured
        return said

    def _answers(self, most_s: float = 0.2) -> list[dict[str, Any]]:
        """What has come back. Raises what went wrong on a worker."""
        self._check_stopped()
        found = []
        for back in self.engine.wait(most_s):
            said = answer_of(back.answer, back.lost, {}, False, None)
            said.raise_if_it_ends_the_run(str(self.asked.folder))
            if back.answer is None or said.outcome != "done":
                where = f"node {said.worker[0]}: " if said.worker is not None else ""
                raise Unavailable(f"{where}{said.why}")
            found.append(dict(back.answer))
        return found

    def _check_stopped(self) -> None:
        self.stop.raise_if_stopped("nothing was written")


def _turns(machines: Mapping[str, str]) -> list[list[str]]:
    """Who may work at the same time and be alone nevertheless: one worker of each machine."""
    of_machine: dict[str, list[str]] = {}
    for name in sorted(machines):
        of_machine.setdefault(machines[name], []).append(name)
    return [[name for name in turn if name] for turn in itertools.zip_longest(*of_machine.values())]


def _document(
    asked: Asked, queue_s: list[float], dispatch_s: list[float], latency_s: list[float], found: list[dict[str, Any]]
) -> dict[str, object]:
    """What the file of the check holds."""
    nodes: dict[str, dict[str, Any]] = {}
    keys = ("backend", "threads", "device", "python", "numba", "cupy", "version", "kernels", "import_s", "start_s")
    for one in found:
        made = nodes.setdefault(one["node"], {"node": one["node"], "machine": one["machine"], "workers": []})
        made |= {"cores": one["cores"], "memory_bytes": one["memory_bytes"], **one.get("disk", {})}
        worker = {key: one[key] for key in keys} | {"worker": one["worker"]}
        worker |= {"alone": one["alone"], "together": one["together"]}
        worker["hashes"] = verdict(one["hashes"], asked.golden, found[0]["hashes"])
        made["workers"].append(worker)
    return {
        "schema": 1,
        "site": asked.site.name,
        "provider": asked.site.providers,
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "queue_s": queue_s,
        "dispatch_s": dispatch_s,
        "latency_s": latency_s,
        "nodes": list(nodes.values()),
    }


def summary(check: SiteCheck) -> str:
    """What the site has, in a line."""
    slowing = [one for node in check.nodes for worker in node.workers if (one := worker.slowing) is not None]
    beside = f", {statistics.median(slowing):.2f} times the time alone when all work" if slowing else ""
    return f"{check.worker_count} workers on {len(check.nodes)} nodes, frame {FRAME}{beside}"
