"""``shotmark kernels``: every kernel alone, against what this machine can do at the most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bench.backend.numba_cpu import NumbaBackend
from bench.base import units
from bench.base.console import console, new_table, plain
from bench.base.errors import CheckFailed, UserError
from bench.cli import options
from bench.measure.roofs import AnyRoofs, Roofs, measure_roofs
from bench.record import machine

if TYPE_CHECKING:
    from bench.measure.kernels import Measurement
    from bench.measure.roofs_gpu import DeviceRoofs
    from bench.measure.scaling import Growth, Memory


@click.command("kernels")
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@options.backend("numba, cupy or auto", default="numba")
@options.device()
@options.threads
@click.option("--size", type=click.IntRange(1, 2**26), default=None, help="Size of the examples [larger than cache].")
@click.option("--scaling", is_flag=True, help="Time against work instead: particles x 8, pixels x 4, samples x 4.")
@options.json
def command(
    names: tuple[str, ...],
    backend: str,
    device: str | None,
    threads: int | None,
    size: int | None,
    scaling: bool,
    as_json: bool,
) -> None:
    """Prove and time every kernel alone (or those named): items, bytes and flop a second, and the share of this
    machine's measured copy bandwidth and multiply-add rate.

    The exit code is 1 when one thread and many (on a GPU: CPU and GPU) disagree, or when a rate lies above a roof:
    then the claim is wrong.
    """
    from bench.backend.choose import make_backends
    from kernels.base.registry import all_kernels

    (chosen,) = make_backends(backend if backend != "all" else "auto", threads, device)
    count = NumbaBackend(threads).threads or 1
    if scaling:
        if chosen.name != "numba":
            raise UserError("--scaling: expected --backend numba: it times the CPU")
        _scaling(count, as_json)
        return
    known = all_kernels()
    for name in names:
        if name not in known:
            raise UserError(f"{name[:60]!r}: expected a kernel, one of {', '.join(known)}")
    if chosen.name == "numba":
        _kernels(names, count, size, as_json)
    else:
        _device_kernels(names, chosen, count, size, as_json)


def _device_kernels(names: Sequence[str], backend: Any, threads: int, size: int | None, as_json: bool) -> None:
    from bench.measure.kernels import document
    from bench.measure.kernels_gpu import measure_on_device
    from bench.measure.roofs_gpu import measure_device_roofs
    from kernels.base.registry import all_kernels

    known = all_kernels()
    status = console(stderr=True)
    with status.status("compiling for the GPU, measuring its roofs"):
        backend.prepare(known.values())
        roofs = measure_device_roofs(backend)
    found = []
    for name in names or known:
        with status.status(f"{name}: proving, timing"):
            found.append(measure_on_device(known[name], backend, threads, size))
    rows = [document(one, roofs) for one in found]
    if as_json:
        described = {"machine": machine.describe(), "device": backend.device_name, "roofs": roofs.document()}
        click.echo(json.dumps({**described, "kernels": rows}, indent=1, allow_nan=False))
    else:
        show_device(found, rows, roofs)
    refuse_wrong(rows)


def refuse_wrong(rows: Sequence[dict[str, Any]]) -> None:
    wrong = [f"{row['kernel']}: {row['problem']}" for row in rows if row["problem"]]
    if wrong:
        raise CheckFailed("; ".join(wrong))


def _kernels(names: Sequence[str], threads: int, size: int | None, as_json: bool) -> None:
    from bench.measure.kernels import document, measure_against
    from kernels.base.registry import all_kernels

    known = all_kernels()
    status = console(stderr=True)
    with status.status("measuring copy bandwidth and multiply-add rate"):
        roofs = measure_roofs(threads)
    found = []
    for name in names or known:
        with status.status(f"{name}: compiling, proving, timing"):
            one, roofs = measure_against(known[name], threads, roofs, size)
        found.append(one)
    rows = [document(one, roofs) for one in found]
    if as_json:
        described = {"machine": machine.describe(), "threads": threads, "roofs": roofs.document()}
        click.echo(json.dumps({**described, "kernels": rows}, indent=1, allow_nan=False))
    else:
        show(found, rows, roofs)
    refuse_wrong(rows)


def show_device(found: Sequence[Measurement], rows: Sequence[dict[str, Any]], roofs: DeviceRoofs) -> None:
    def device_columns(one: Measurement, row: dict[str, Any]) -> dict[str, str]:
        return {
            **columns(one, row),
            "B/s": units.count(row["bytes_per_s"]),
            "flop/s": units.count(row["flop_per_s"]),
            "nearest roof": row["binding_roof"] or units.UNKNOWN,
            "of it": units.share(row["binding_ratio"]),
            "CPU = GPU": equal(one),
        }

    out = console()
    out.print(table_of([device_columns(one, row) for one, row in zip(found, rows)]))
    out.print(
        f"\n{plain(roofs.device)}, {roofs_text(roofs)}; additions to shared memory"
        f" {units.count(roofs.shared_adds_per_s)}/s",
        soft_wrap=True,
    )


def show(found: Sequence[Measurement], rows: Sequence[dict[str, Any]], roofs: Roofs) -> None:
    def cpu_columns(one: Measurement, row: dict[str, Any]) -> dict[str, str]:
        return {
            **columns(one, row),
            "B/s": units.count(row["bytes_per_s"]),
            "of copy": units.share(row["copy_bandwidth_ratio"]),
            "flop/s": units.count(row["flop_per_s"]),
            "of FMA": units.share(row["fma_rate_ratio"]),
            "works in": one.level,
            "1 = n threads": equal(one),
        }

    out = console()
    out.print(table_of([cpu_columns(one, row) for one, row in zip(found, rows)]))
    out.print(
        f"\n{roofs.threads} threads, {roofs_text(roofs)}; last-level cache {units.byte_size(roofs.llc_bytes)}",
        soft_wrap=True,
    )
    out.print("A kernel that works in cache is held against the cache's bandwidth, the others against memory's.")


def columns(one: Measurement, row: dict[str, Any]) -> dict[str, str]:
    """What the tables of CPU and GPU begin with, by heading."""
    return {
        "kernel": one.name,
        "item": one.item,
        "items": units.count(row["items"]),
        "median": units.seconds(row["median_s"]),
        "items/s": units.count(row["items_per_s"]),
    }


def equal(one: Measurement) -> str:
    return "equal bits" if one.proof is None else plain(one.proof)


def table_of(lines: Sequence[dict[str, str]]) -> Any:
    """Lines by heading as a table: words to the left, numbers to the right, and the proof last."""
    first, second, *numbers, last = lines[0]
    table = new_table((first, second), numbers, (last,))
    for line in lines:
        table.add_row(*line.values())
    return table


def roofs_text(roofs: AnyRoofs) -> str:
    return (
        f"measured here: copy {units.count(roofs.copy_bytes_per_s)}B/s, read {units.count(roofs.read_bytes_per_s)}B/s;"
        f" in cache copy {units.count(roofs.cache_copy_bytes_per_s)}B/s,"
        f" read {units.count(roofs.cache_read_bytes_per_s)}B/s;"
        f" fused multiply-adds {units.count(roofs.fma_flop_per_s)}flop/s"
    )


def _scaling(threads: int, as_json: bool) -> None:
    from bench.measure.scaling import particles, pictures

    status = console(stderr=True)
    with status.status("simulating two sizes of water"):
        growth, memory = particles(threads)
    with status.status("tracing one picture at three sizes"):
        rows = [growth, *pictures(threads)]
    if as_json:
        click.echo(json.dumps(scaling_document(rows, memory, threads), indent=1, allow_nan=False))
    else:
        show_scaling(rows, memory)
    wrong = [f"{row.what}: an item costs {row.cost_ratio:.2f} x" for row in rows if not row.proportional]
    if wrong:
        raise CheckFailed(f"cost does not grow as the work within 15 %: {'; '.join(wrong)}")


def scaling_document(rows: Sequence[Growth], memory: Memory, threads: int) -> dict[str, Any]:
    return {
        "machine": machine.describe(),
        "threads": threads,
        "growth": [
            {
                "what": row.what,
                "item": row.item,
                "small_items": row.small,
                "large_items": row.large,
                "small_s": list(row.small_s),
                "large_s": list(row.large_s),
                "cost_per_item_ratio": row.cost_ratio,
                "proportional": row.proportional,
            }
            for row in rows
        ],
        "memory": {
            "particles": memory.particles,
            "stated_bytes": memory.stated_bytes,
            "arrays_bytes": memory.arrays_bytes,
            "resident_bytes": memory.resident_bytes,
        },
    }


def show_scaling(rows: Sequence[Growth], memory: Memory) -> None:
    from bench.record.statistics import median

    numbers = ("from", "to", "time from", "to", "cost of an item", "within 15 %")
    table = new_table(("work grows",), numbers)
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
