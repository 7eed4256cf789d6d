"""A cluster whose overheads were measured: what ``farm check`` found on a site in place of the file's numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.base.errors import UserError
from bench.project.inputs.cluster import Cluster, Range
from bench.project.inputs.site_check import SiteCheck, check_path, load_check
from bench.record.statistics import median
from bench.shot.load import shown

BANDWIDTH_LEAST = 1e3  # that a cluster may have, bytes/s
CHECK_SUFFIX, SITE_SUFFIX = ".json", ".toml"


def with_check(cluster: Cluster, check: SiteCheck, scene_s: float | None = None) -> Cluster:
    """Dispatch, start-up and storage as measured; ``scene_s``: what building the wanted scene adds, where known."""
    workers = [one for node in check.nodes for one in node.workers]
    rates = [max(BANDWIDTH_LEAST, min(n.write_bytes_per_s, n.read_bytes_per_s)) for n in check.nodes]
    on = f"measured by farm check on {check.date}, site {check.site}"
    scene = f", and {scene_s:.3g} s for the scene by the record" if scene_s else ", with its scene at size S"
    clients = _range(rates)
    found = {
        "dispatch_s": (_range(check.dispatch_s), f"{on}: {len(check.dispatch_s)} empty tasks"),
        "startup_s": (
            _range([one.import_s + one.start_s + (scene_s or 0.0) for one in workers]),
            f"{on}: imports, kernels from a warm cache, first kernel, of {len(workers)} workers{scene}",
        ),
        "storage_client_bandwidth_bytes_per_s": (clients, f"{on}: one file on each of {len(rates)} nodes"),
        "storage_bandwidth_bytes_per_s": (
            Range(clients.high, max(clients.high, 0.5 * sum(rates)), max(clients.high, sum(rates))),
            f"{on}: at least one node's, at most that of its {len(rates)} nodes together",
        ),
    }
    sources = cluster.sources | {key: source for key, (_, source) in found.items()}
    return cluster.model_copy(update={**{key: value for key, (value, _) in found.items()}, "sources": sources})


def _range(values: Sequence[float]) -> Range:
    return Range(min(values), median(values) or 0.0, max(values))


def check_of(site: str, results: Path, tell: Callable[[str], None]) -> SiteCheck | None:
    """The check of a site, by its name, its file, or the file of the check itself; None, and a line, without one.

    Raises UserError where a file is named that is not there, or a check cannot be read.
    """
    path = Path(site)
    if path.suffix == CHECK_SUFFIX:
        return load_check(path)
    if (path.suffix == SITE_SUFFIX or os.sep in site) and not path.is_file():
        raise UserError(f"--site: expected a site, its .toml file or the .json of its check, got {shown(site)!r}")
    name = path.stem if path.suffix == SITE_SUFFIX else site
    found = check_path(results, name)
    if not found.is_file():
        tell(
            f"{shown(name)} was not checked: the cluster's own numbers stand;"
            f" shotmark farm check --site {shown(site)} measures dispatch, start-up and storage"
        )
        return None
    return load_check(found)
