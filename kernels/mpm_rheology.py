"""Carry temperatures into the new sorted order, and find each particle's viscosity for the next scatter.

The viscosity follows from temperature and the strain rate that ``mpm_g2p`` has just found (see ``mpm_lava``).

order_in int32[cap]: where the particle of each sorted place came from; temperature_in, _out and viscosity_out
float32[cap] (K, Pa s); velocity_in float32[cap,12] in sorted order.
"""

from __future__ import annotations

import numba

from kernels.common import kernel
from kernels.constants import COUNT_PARTICLES
from kernels.kernel import Kernel, Traffic
from kernels.mpm_lava import lava_viscosity, strain_rate

TASK = 2048  # particles


@kernel
def cpu(counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out):
    for task in numba.prange((counts_in[COUNT_PARTICLES] + TASK - 1) // TASK):
        _carry(
            task, counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _carry(task, counts_in, material_in, order_in, temperature_in, velocity_in, temperature_out, viscosity_out):
    for n in range(task * TASK, min((task + 1) * TASK, counts_in[COUNT_PARTICLES])):
        temperature = temperature_in[order_in[n]]
        temperature_out[n] = temperature
        viscosity_out[n] = lava_viscosity(temperature, strain_rate(velocity_in, n), material_in)


def traffic(**arguments):
    particles = int(arguments["counts_in"][COUNT_PARTICLES])
    return Traffic(items=particles, bytes_read=(8 + 36) * particles, bytes_written=8 * particles, flops=80 * particles)


def example(rng, size):
    from kernels.mpm_heat_example import make_heat_state

    state = make_heat_state(rng, size)
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(name="mpm_rheology", item="particle", cpu=cpu, traffic=traffic, example=example)
