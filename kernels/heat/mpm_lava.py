"""How lava flows and cools, as device functions.

Viscosity: log10 mu = A + B / (T - C) (Vogel, Fulcher, Tammann; Giordano, Russell, Dingwell 2008). Yield stress: linear
from its full value at MATERIAL_YIELD_TEMPERATURE to zero at MATERIAL_LIQUIDUS. Both together, regularised
(Papanastasiou 1987): mu_eff = mu + tau_y (1 - exp(-m g)) / g with the strain rate g = sqrt(2 D:D). All of it is capped
at MATERIAL_VISCOSITY_MAX, which also bounds the time step.

Cooling: dT/dt = -a (T^4 - T_a^4) with a = epsilon sigma s / (rho c_p), s the free surface over the volume it cools.

Conduction below a cell: differences between the particles of one cell the nodes cannot see, so each particle gives up a
share q of its difference to the nodes, q = b / (1 + b) with b = SUBGRID kappa dt / dx^2: an implicit step of the
relaxation of Gerya and Yuen 2003. The sum over particles of what they give up is 0. Smooth fields it conducts by
q dx^2 / 4, since the two B-splines between a particle and itself have the variance dx^2 / 2.
"""

from __future__ import annotations

import math

from kernels.base.common import F32, ONE, TWO, ZERO, device, exp_f32, log_f32
from kernels.base.constants import (
    MATERIAL_AMBIENT_TEMPERATURE,
    MATERIAL_CONDUCTIVITY,
    MATERIAL_DENSITY,
    MATERIAL_EMISSIVITY,
    MATERIAL_LIQUIDUS,
    MATERIAL_PAPANASTASIOU,
    MATERIAL_SPECIFIC_HEAT,
    MATERIAL_VFT_A,
    MATERIAL_VFT_B,
    MATERIAL_VFT_C,
    MATERIAL_VISCOSITY_MAX,
    MATERIAL_YIELD_STRESS,
    MATERIAL_YIELD_TEMPERATURE,
)
from kernels.base.vector import (
    make_constant,
    splat16,
    vadd,
    vdiv,
    vfma,
    vmax,
    vmin,
    vmul,
    vround_to_int,
    vsub,
    vto_float,
)
from kernels.base.vector_bits import vfrom_bits
from kernels.mpm.mpm_lanes import one16, zero16

STEFAN_BOLTZMANN = F32(5.670374419e-8)  # W/m^2/K^4
SUBGRID = F32(2.0)  # below 4, where the share alone would conduct more than kappa
SMOOTHING = F32(0.25)  # cells^2: what a share of 1 conducts
LN_10 = F32(2.302585093)
THREE, THIRD = F32(3.0), F32(1.0 / 3.0)
COLDEST = F32(1.0)  # K above VFT's C, so that the quotient stays finite
EXPONENT_MAX = F32(60.0)  # e^60 Pa s is solid
CREEP = F32(1.0e-3)  # least m g

log2_e16, ln2_high16, ln2_low16, e0_16, e1_16, e2_16, e3_16, e4_16, e5_16 = (
    make_constant([float(F32(value))] * 16)
    for value in (
        1.44269504088896341,
        0.693359375,
        -2.12194440e-4,
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)
bias16, one_exponent16 = make_constant([127] * 16, "i32"), make_constant([1 << 23] * 16, "i32")


@device
def strain_rate(velocity_in, p):
    """sqrt(2 D:D) of particle p, 1/s, with D the symmetric part of the affine velocity."""
    xx, yy, zz = velocity_in[p, 3], velocity_in[p, 7], velocity_in[p, 11]
    xy = velocity_in[p, 4] + velocity_in[p, 6]
    xz = velocity_in[p, 5] + velocity_in[p, 9]
    yz = velocity_in[p, 8] + velocity_in[p, 10]
    return math.sqrt(TWO * (xx * xx + yy * yy + zz * zz) + (xy * xy + xz * xz + yz * yz))


@device
def exp16(x):
    """e^x of sixteen x in [-80, 80], with the bits of ``exp_f32``."""
    n = vround_to_int(vmul(x, log2_e16()))
    whole = vto_float(n)
    r = vfma(whole, vsub(zero16(), ln2_high16()), x)
    r = vfma(whole, vsub(zero16(), ln2_low16()), r)
    p = vfma(e0_16(), r, e1_16())
    p = vfma(p, r, e2_16())
    p = vfma(p, r, e3_16())
    p = vfma(p, r, e4_16())
    p = vfma(p, r, e5_16())
    p = vadd(vfma(p, vmul(r, r), r), one16())
    return vmul(p, vfrom_bits(vmul(vadd(n, bias16()), one_exponent16())))


@device
def viscosity16(temperature, rate, material_in):
    """Effective viscosities (Pa s) at sixteen temperatures (K) and strain rates (1/s)."""
    above = vmax(vsub(temperature, splat16(material_in[MATERIAL_VFT_C])), splat16(COLDEST))
    exponent = vadd(splat16(material_in[MATERIAL_VFT_A]), vdiv(splat16(material_in[MATERIAL_VFT_B]), above))
    viscosity = exp16(vmax(vmin(vmul(splat16(LN_10), exponent), splat16(EXPONENT_MAX)), splat16(-EXPONENT_MAX)))
    m = material_in[MATERIAL_PAPANASTASIOU]
    if material_in[MATERIAL_YIELD_STRESS] > ZERO and m > ZERO:
        liquidus = material_in[MATERIAL_LIQUIDUS]
        share = vdiv(vsub(splat16(liquidus), temperature), splat16(liquidus - material_in[MATERIAL_YIELD_TEMPERATURE]))
        share = vmax(vmin(share, one16()), zero16())
        # At rest the quotient's limit is m; half the creep's m g off it is close enough, and there is no 0 / 0
        rate = vmax(rate, splat16(CREEP / m))
        falling = exp16(vmax(vmul(splat16(-m), rate), splat16(-EXPONENT_MAX)))
        quotient = vdiv(vsub(one16(), falling), rate)
        viscosity = vfma(vmul(splat16(material_in[MATERIAL_YIELD_STRESS]), share), quotient, viscosity)
    return vmin(viscosity, splat16(material_in[MATERIAL_VISCOSITY_MAX]))


@device
def diffusion_number(heat_dt_s, cell_size_m, material_in):
    """kappa dt / dx^2."""
    diffusivity = material_in[MATERIAL_CONDUCTIVITY] / (
        material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT]
    )
    return diffusivity * heat_dt_s / (cell_size_m * cell_size_m)


@device
def subgrid_share(number):
    """Share of its difference to the nodes that a particle gives up in a heat step of this diffusion number."""
    return SUBGRID * number / (ONE + SUBGRID * number)


@device
def radiate(temperature, skin_per_m, dt_s, material_in):
    """Temperature (K) after liquid with so much free surface, m^2 over its m^3, has radiated for ``dt_s``.

    Split: emission in closed form, T = T_0 (1 + 3 a dt T_0^3)^(-1/3), then absorption of the surroundings' light. Both
    are stable for any step, and T_a is kept where T = T_a up to the step's error.
    """
    a = (
        STEFAN_BOLTZMANN
        * material_in[MATERIAL_EMISSIVITY]
        * skin_per_m
        * dt_s
        / (material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT])
    )
    ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE]
    if temperature <= ambient:
        return temperature
    cooled = temperature * exp_f32(-THIRD * log_f32(ONE + THREE * a * (temperature * temperature * temperature)))
    cooled += a * (ambient * ambient * ambient * ambient)
    if cooled < ambient:
        return ambient
    if cooled > temperature:  # absorption over so long a step: what is hotter than its surroundings does not heat up
        return temperature
    return cooled
