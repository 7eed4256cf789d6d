"""Shotmark beside other programs, as the terminal shows it."""

from __future__ import annotations

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.measure.peers import compare as peers
from bench.record.statistics import median


def show_simulation(found: peers.Simulations) -> None:
    """Print both simulations, with each number of threads."""
    title = f"simulation: {peers.PARTICLES:,} particles, {peers.CELLS}^3 cells, taichi {plain(found.taichi)}"
    numbers = ("threads", f"{peers.SUBSTEPS} substeps", "particle-substeps/s", "Shotmark / taichi", "1 thread")
    table = new_table(("",), numbers, title=title)
    for row in found.rows:
        ratio = found.peer_ratio(row)
        table.add_row(
            row.name,
            str(row.threads),
            units.seconds(median(row.seconds)),
            units.count(row.particle_substeps_per_s),
            units.ratio(ratio) if ratio else "",
            units.ratio(found.threads_ratio(row)) if row.threads > 1 else "",
        )
    console().print(table)


def show_tracer(found: peers.Traces) -> None:
    """Print the tracers, and what could not run."""
    out = console()
    title = (
        f"tracer: a cloud, {peers.WIDTH} x {peers.WIDTH} x {peers.SAMPLES} samples, depth {peers.MAX_DEPTH},"
        f" Mitsuba {plain(found.mitsuba)}"
    )
    numbers = ("threads", "picture", "MSE", "1 / (MSE x s)", "Shotmark / it", "mean of the picture")
    table = new_table(("",), numbers, title=title)
    for row in found.rows:
        ratio = found.peer_ratio(row)
        table.add_row(
            row.name,
            str(row.threads),
            units.seconds(median(row.seconds)),
            f"{row.mse:.3g}",
            units.count(row.efficiency_per_s),
            units.ratio(ratio) if ratio else "",
            f"{row.mean:.5f} ± {row.mean_error:.5f}",
        )
    out.print(table)
    for line in found.missing:
        out.print(plain(line), soft_wrap=True)
    if found.missing:
        out.print("Mitsuba finds LLVM by itself; DRJIT_LIBLLVM_PATH=/path/to/libLLVM.so names a newer one")
