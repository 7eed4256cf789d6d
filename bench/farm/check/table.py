"""A site's check as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import new_table, plain
from bench.project.inputs.site_check import SiteCheck
from bench.record.statistics import median

if TYPE_CHECKING:
    from rich.table import Table


def workers_table(check: SiteCheck) -> Table:
    """A row a worker."""
    table = new_table(
        ("node", "worker", "backend", "device", "Shotmark", "kernels", "Numba", "CuPy"),
        ("import", "start", "frame alone", "all together"),
        ("hashes",),
        title=f"{plain(check.site)} ({plain(check.provider)}), {check.date}",
    )
    for node in check.nodes:
        for one in node.workers:
            frames = [
                units.seconds(times.simulate_s + times.render_s) if times is not None else units.UNKNOWN
                for times in (one.alone, one.together)
            ]
            versions = (one.version, one.kernels[:8], one.numba, one.cupy or "")
            words = (node.node, one.worker, one.backend, one.device, *versions)
            numbers = (units.seconds(one.import_s), units.seconds(one.start_s), *frames)
            table.add_row(*map(plain, words), *numbers, plain(one.hashes))
    return table


def nodes_table(check: SiteCheck) -> Table:
    """A row a node: the machine, and the shared folder as it sees it."""
    table = new_table(("node",), ("cores", "memory", "write", "read", "small file", "seen after"))
    for node in check.nodes:
        table.add_row(
            plain(node.node),
            str(node.cores),
            units.byte_size(node.memory_bytes),
            f"{units.byte_size(node.write_bytes_per_s)}/s",
            f"{units.byte_size(node.read_bytes_per_s)}/s",
            units.seconds(node.sync_s),
            units.seconds(node.visible_s),
        )
    return table


def times_line(check: SiteCheck) -> str:
    """What carrying tasks costs."""
    queue, dispatch, latency = (units.seconds(median(v)) for v in (check.queue_s, check.dispatch_s, check.latency_s))
    return f"a node comes after {queue}; an empty task takes {latency} there and back, {dispatch} among many"
