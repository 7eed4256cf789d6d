"""The projection of a run on a loaded site, with the records that lie in the results: what ``farm run`` calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.base.files import default_results
from bench.farm.forecast.document import project
from bench.farm.forecast.facts import SiteFacts, site_facts
from bench.pipeline.shoot import RenderJob
from bench.project.inputs.site_check import SiteCheck

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
    results: Path | None = None,
) -> dict[str, object]:
    """Project a job's frames on a site; ``job.frames`` are those that are left to make."""
    from bench.project.output.projection import known_records
    from bench.record import machine

    return project(
        job,
        facts_of(site, check),
        check,
        known_records(results or default_results()),
        machine=str(machine.describe()["id"]),
        pieces=pieces,
        simulated_to=simulated_to,
        poll_s=LOOK_S,
    )
