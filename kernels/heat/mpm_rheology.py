"""Carry temperatures into the new sorted order, and find each particle's viscosity for the next scatter.

Where a sort has stopped nothing is done.

The viscosity follows from temperature and the strain rate that ``mpm_g2p`` has just found (see ``mpm_lava``).

order_in int32[cap]: where the particle of each sorted place came from; temperature_in, _out and viscosity_out
float32[cap] (K, Pa s); velocity_in float32[cap,12] in sorted order.

Paper: Giordano, Russell and Dingwell 2008 (viscosity); Papanastasiou 1987 (yield stress).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import device, kernel
from kernels.base.constants import COUNT_PARTICLES
from kernels.base.kernel import Kernel, Traffic
from kernels.base.vector import load16, peek, poke, store, vadd, vmul, vsqrt
from kernels.heat.mpm_lava import viscosity16
from kernels.mpm.mpm_common import stopped
from kernels.mpm.mpm_lanes import load_fields

TASK = 2048  # particles


@kernel
def cpu(counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out):
    if stopped(counts_in):
        return
    for task in numba.prange((counts_in[COUNT_PARTICLES] + TASK - 1) // TASK):
        _carry(
            task, counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _carry(task, counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out):
    """Particles of one task, sixteen at a time."""
    begin, end = task * TASK, min((task + 1) * TASK, np.int64(counts_in[COUNT_PARTICLES]))
    for n in range(begin, end):
        poke(temperature_out, n, peek(temperature_in, np.int64(peek(order_in, n))))
    index, rest = np.empty(16, np.int32), np.empty(16, np.float32)
    for first in range(begin, end, 16):
        full = first + 16 <= end
        for i in range(16):
            poke(index, i, min(first + i, end - 1))
        if full:
            temperature = load16(temperature_out, first)
        else:
            for i in range(16):
                poke(rest, i, peek(temperature_out, np.int64(peek(index, i))))
            temperature = load16(rest, 0)
        viscosity = viscosity16(temperature, _strain_rate(velocity_in, index), material_in)
        if full:
            store(viscosity_out, first, viscosity)
        else:
            store(rest, 0, viscosity)
            for i in range(end - first):
                poke(viscosity_out, first + i, peek(rest, i))


@device
def _strain_rate(velocity_in, index):
    """sqrt(2 D:D) of sixteen particles, as ``mpm_lava.strain_rate``."""
    _, _, _, xx = load_fields(velocity_in, 12, 0, index, 0)
    xy, xz, yx, yy = load_fields(velocity_in, 12, 4, index, 0)
    yz, zx, zy, zz = load_fields(velocity_in, 12, 8, index, 0)
    xy, xz, yz = vadd(xy, yx), vadd(xz, zx), vadd(yz, zy)
    normal = vadd(vadd(vmul(xx, xx), vmul(yy, yy)), vmul(zz, zz))
    shear = vadd(vadd(vmul(xy, xy), vmul(xz, xz)), vmul(yz, yz))
    return vsqrt(vadd(vadd(normal, normal), shear))


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    return Traffic(items=particles, bytes_read=(8 + 36) * particles, bytes_written=8 * particles, flops=80 * particles)


def example(rng, size):
    from kernels.heat.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_rheology", item="particle", cpu=cpu, traffic=traffic, example=example)
