"""``shotmark kernels``: every kernel alone, against what this machine can do at the most."""

from __future__ import annotations

import json

import click

from bench.base.console import console
from bench.base.errors import CheckFailed, UserError
from bench.cli import options


@click.command("kernels")
@click.argument("names", nargs=-1, type=options.KERNEL, metavar="[NAME ...]")
@options.backend("numba", "cupy", "auto", default="numba", all="a GPU is held against the CPU in any case")
@options.device()
@options.threads
@click.option("--size", type=click.IntRange(1, 2**26), default=None, help="Size of the examples [larger than cache].")
@click.option("--scaling", is_flag=True, help="Time against work instead: particles x 8, pixels x 4, samples x 4.")
@options.json
@options.needs_numba
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
    from bench.backend.choose import choose_backends
    from bench.backend.cupy_gpu import CupyBackend
    from bench.backend.numba_cpu import NumbaBackend
    from bench.measure.kernels import chosen_kernels, time_kernels
    from bench.measure.kernels_gpu import time_on_device
    from bench.report.devices import tell_unused
    from bench.report.kernels import show_kernels

    found_here = choose_backends(backend, threads, device)
    tell_unused(found_here.gpu_unused)
    (chosen,) = found_here.backends
    count = NumbaBackend(threads).threads or 1
    if scaling:
        if chosen.name != "numba":
            raise UserError("--scaling: expected --backend numba: it times the CPU")
        _scaling(count, as_json)
        return
    kernels = chosen_kernels(names)
    with console(stderr=True).status("kernels") as status:
        if isinstance(chosen, CupyBackend):
            found = time_on_device(kernels, chosen, count, size, status.update)
        else:
            found = time_kernels(kernels, count, size, status.update)
    if as_json:
        click.echo(json.dumps(found.document(), indent=1, allow_nan=False))
    else:
        show_kernels(found)
    if wrong := found.problems():
        raise CheckFailed("; ".join(wrong))


def _scaling(threads: int, as_json: bool) -> None:
    from bench.measure.scaling import disproportions, particles, pictures, scaling_document
    from bench.report.kernels import show_scaling

    with console(stderr=True).status("simulating two sizes of water") as status:
        first, memory = particles(threads)
        status.update("tracing one picture at three sizes")
        rows = [first, *pictures(threads)]
    if as_json:
        click.echo(json.dumps(scaling_document(rows, memory, threads), indent=1, allow_nan=False))
    else:
        show_scaling(rows, memory)
    if wrong := disproportions(rows):
        raise CheckFailed(f"cost does not grow as the work within 15 %: {'; '.join(wrong)}")
