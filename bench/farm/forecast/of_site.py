"""The projection of a run on a loaded site, with the records that lie in the results: what ``farm run`` calls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Protocol

from bench.base.errors import UserError
from bench.base.files import default_results
from bench.farm.forecast.document import project
from bench.farm.forecast.facts import Here, Known, SiteFacts, site_facts
from bench.pipeline.shoot import RenderJob
from bench.project.backtest.farm_runs import farm_folder, read_run
from bench.project.inputs.site_check import SiteCheck

BOOT_ID, LOAD = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/loadavg")
LOOKS, BETWEEN_S = 12, 0.03
OTHERS_LEAST = 0.5  # threads; fewer are what a system does by itself
LOOK_S = 0.25  # the dispatcher looks for new states so often, and hears of what ended a moment later


class PoolLike(Protocol):
    """Equal nodes of one provider, as a site file says it."""

    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def nodes(self) -> int: ...
    @property
    def gpus(self) -> int: ...
    @property
    def workers(self) -> int: ...
    @property
    def cores(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def backend(self) -> str: ...


class SiteLike(Protocol):
    """A loaded site."""

    @property
    def name(self) -> str: ...
    @property
    def pools(self) -> Sequence[PoolLike]: ...


def facts_of(site: SiteLike, check: SiteCheck | None) -> SiteFacts:
    """The nodes of all pools; those that a check found stand for the first of them, in its order."""
    found, before = [], 0
    for pool in site.pools:
        backend = "cupy" if pool.backend == "cupy" or (pool.backend == "auto" and pool.gpus > 0) else "numba"
        part = None
        if check is not None and len(check.nodes) > before:
            part = check.model_copy(update={"nodes": check.nodes[before : before + pool.nodes]})
        made = site_facts(
            site.name,
            pool.provider,
            nodes=pool.nodes,
            workers=pool.workers,
            threads=pool.threads,
            cores=pool.cores,
            backend=backend,
            check=part,
        )
        # Two pools may both have a "node 1"
        several = len(site.pools) > 1 and part is None
        found += [node.of(pool.name) if several else node for node in made.nodes]
        before += pool.nodes
    return SiteFacts(site.name, site.pools[0].provider, tuple(found))


def project_on(
    job: RenderJob,
    site: SiteLike,
    check: SiteCheck | None,
    *,
    pieces: int | None = None,
    simulated_to: int = 0,
    losses_per_hour: float = 0.0,
    results: Path | None = None,
) -> dict[str, object]:
    """Project a job's frames on a site; ``job.frames`` are those that are left to make."""
    from bench.project.output.projection import known_records
    from bench.record import machine

    folder = results or default_results()
    facts = facts_of(site, check)
    known = Known(pieces, simulated_to, LOOK_S, losses_per_hour, look_here(facts), lessons_of(site.name, folder))
    return project(
        job,
        facts,
        check,
        known_records(folder),
        known,
        machine=str(machine.describe()["id"]),
    )


def lessons_of(site: str, results: Path) -> tuple[float, ...]:
    """Of the runs on a site that are kept and went without a fault: what each took over what the model had said."""
    calm = []
    for path in sorted(farm_folder(results).glob("*.json")):
        with contextlib.suppress(UserError):  # backtest says what is wrong with it
            run = read_run(path)
            if run.site == site and run.sessions == 1 and not run.fault_count:
                calm.append(run)
    foretold = [(run, run.projected.makespan_s.p50) for run in calm]
    return tuple(run.actual.makespan_s * run.learned / middle for run, middle in foretold if middle)


def look_here(facts: SiteFacts) -> Here:
    """What is so just now on this machine, as far as the run is on it."""
    mine = boot_id()
    if facts.provider != "local" and all(node.machine != mine for node in facts.nodes):
        return Here(mine)
    from bench.backend.ahead import uncached
    from bench.pipeline.makers import COMPILED

    on_cpu = any(node.backend == "numba" for node in facts.nodes)
    return Here(mine, threads_of_others(), bool(uncached(COMPILED, kernels=on_cpu)))


def boot_id() -> str | None:
    """What tells this machine, since it was started, from others; None where the system does not say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def threads_of_others(looks: int = LOOKS, between_s: float = BETWEEN_S) -> float:
    """Threads that run or wait for a core just now beside this one, over some looks; 0 where nobody says."""
    found = []
    for _ in range(looks):
        try:
            running = LOAD.read_text(encoding="ascii").split()[3].partition("/")[0]
            found.append(max(0, int(running) - 1))
        except (OSError, ValueError, IndexError):
            return 0.0
        time.sleep(between_s)
    middle = fmean(found)
    return middle if middle >= OTHERS_LEAST else 0.0
