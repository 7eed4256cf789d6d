"""Kernels alone, and cost against work, as the terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.measure.kernels import KernelTable, KernelTiming, part_of
from bench.measure.roofs import AnyRoofs, Roofs
from bench.measure.roofs_gpu import DeviceRoofs
from bench.measure.scaling import Memory, Scaling
from bench.record.statistics import median

if TYPE_CHECKING:
    from rich.table import Table


def show_kernels(found: KernelTable) -> None:
    """Print the table of a CPU or of a GPU, and below it the roofs."""
    out, roofs = console(), found.roofs
    if isinstance(roofs, DeviceRoofs):
        out.print(_table([_device_columns(one, roofs) for one in found.timings]))
        shared = f"additions to shared memory {units.count(roofs.shared_adds_per_s)}/s"
        out.print(f"\n{plain(roofs.device)}, {_roofs_text(roofs)}; {shared}", soft_wrap=True)
        return
    assert isinstance(roofs, Roofs)
    out.print(_table([_cpu_columns(one, roofs) for one in found.timings]))
    cache = f"last-level cache {units.byte_size(roofs.llc_bytes)}"
    out.print(f"\n{roofs.threads} threads, {_roofs_text(roofs)}; {cache}", soft_wrap=True)
    out.print("A kernel that works in cache is held against the cache's bandwidth, the others against memory's.")


def _cpu_columns(one: KernelTiming, roofs: Roofs) -> dict[str, str]:
    return {
        **_columns(one),
        "B/s": units.count(one.bytes_per_s),
        "of copy": units.share(part_of(one.bytes_per_s, roofs.copy_bytes_per_s)),
        "flop/s": units.count(one.flop_per_s),
        "of FMA": units.share(part_of(one.flop_per_s, roofs.fma_flop_per_s)),
        "works in": one.level,
        "1 = n threads": _equal(one),
    }


def _device_columns(one: KernelTiming, roofs: DeviceRoofs) -> dict[str, str]:
    roof, share = one.binding(roofs) or (units.UNKNOWN, None)
    return {
        **_columns(one),
        "B/s": units.count(one.bytes_per_s),
        "flop/s": units.count(one.flop_per_s),
        "nearest roof": roof,
        "of it": units.share(share),
        "CPU = GPU": _equal(one),
    }


def _columns(one: KernelTiming) -> dict[str, str]:
    """What the tables of CPU and GPU begin with, by heading."""
    return {
        "kernel": one.name,
        "item": one.item,
        "items": units.count(one.traffic.items),
        "median": units.seconds(one.median_s),
        "items/s": units.count(one.items_per_s),
    }


def _equal(one: KernelTiming) -> str:
    return "equal bits" if one.proof is None else plain(one.proof)


def _table(lines: Sequence[dict[str, str]]) -> Table:
    """Lines by heading as a table: words to the left, numbers to the right, and the proof last."""
    first, second, *numbers, last = lines[0]
    table = new_table((first, second), numbers, (last,))
    for line in lines:
        table.add_row(*line.values())
    return table


def _roofs_text(roofs: AnyRoofs) -> str:
    return (
        f"measured here: copy {units.count(roofs.copy_bytes_per_s)}B/s, read {units.count(roofs.read_bytes_per_s)}B/s;"
        f" in cache copy {units.count(roofs.cache_copy_bytes_per_s)}B/s,"
        f" read {units.count(roofs.cache_read_bytes_per_s)}B/s;"
        f" fused multiply-adds {units.count(roofs.fma_flop_per_s)}flop/s"
    )


def show_scaling(rows: Sequence[Scaling], memory: Memory) -> None:
    """Print what the work costs at two sizes, and what a particle takes of memory."""
    table = new_table(("work grows",), ("from", "to", "time from", "to", "cost of an item", "within 15 %"))
    for row in rows:
        table.add_row(
            row.what,
            units.count(row.small),
            f"{units.count(row.large)} {row.item}s",
            units.seconds(median(row.small_s)),
            units.seconds(median(row.large_s)),
            units.ratio(row.cost_ratio),
            "yes" if row.proportional else "no",
        )
    out = console()
    out.print(table)
    grown = units.byte_size(memory.resident_bytes / memory.particles) if memory.resident_bytes else units.UNKNOWN
    stated, held = memory.stated_bytes_per_particle, memory.arrays_bytes_per_particle
    out.print(
        f"\nMemory of a particle of water, 8 a cell, blocks included: stated {units.byte_size(stated)},"
        f" arrays {units.byte_size(held)}, the process grew by {grown}",
        soft_wrap=True,
    )
