"""How lava flows and cools, as device functions.

Viscosity: log10 mu = A + B / (T - C) (Vogel, Fulcher, Tammann; Giordano, Russell, Dingwell 2008). Yield stress: linear
from its full value at MATERIAL_YIELD_TEMPERATURE to zero at MATERIAL_LIQUIDUS. Both together, regularised
(Papanastasiou 1987): mu_eff = mu + tau_y (1 - exp(-m g)) / g with the strain rate g = sqrt(2 D:D). All of it is capped
at MATERIAL_VISCOSITY_MAX, which also bounds the time step.

Cooling: dT/dt = -a (T^4 - T_a^4) with a = epsilon sigma s / (rho c_p L), s the share of the layer L that is exposed.
"""

from __future__ import annotations

import math

from kernels.common import F32, HALF, ONE, TWO, ZERO, device, exp_f32, log_f32
from kernels.constants import (
    MATERIAL_AMBIENT_TEMPERATURE,
    MATERIAL_DENSITY,
    MATERIAL_EMISSIVITY,
    MATERIAL_LIQUIDUS,
    MATERIAL_PAPANASTASIOU,
    MATERIAL_RADIATING_LAYER,
    MATERIAL_SPECIFIC_HEAT,
    MATERIAL_VFT_A,
    MATERIAL_VFT_B,
    MATERIAL_VFT_C,
    MATERIAL_VISCOSITY_MAX,
    MATERIAL_YIELD_STRESS,
    MATERIAL_YIELD_TEMPERATURE,
)

STEFAN_BOLTZMANN = F32(5.670374419e-8)  # W/m^2/K^4
LN_10 = F32(2.302585093)
THREE, THIRD = F32(3.0), F32(1.0 / 3.0)
COLDEST = F32(1.0)  # K above VFT's C, so that the quotient stays finite
EXPONENT_MAX = F32(60.0)  # e^60 Pa s is solid
CREEP = F32(1.0e-3)  # m g below it: the quotient's limit is taken


@device
def strain_rate(velocity_in, p):
    """sqrt(2 D:D) of particle p, 1/s, with D the symmetric part of the affine velocity."""
    xx, yy, zz = velocity_in[p, 3], velocity_in[p, 7], velocity_in[p, 11]
    xy = velocity_in[p, 4] + velocity_in[p, 6]
    xz = velocity_in[p, 5] + velocity_in[p, 9]
    yz = velocity_in[p, 8] + velocity_in[p, 10]
    return math.sqrt(TWO * (xx * xx + yy * yy + zz * zz) + (xy * xy + xz * xz + yz * yz))


@device
def lava_viscosity(temperature, rate, material_in):
    """Effective viscosity (Pa s) at a temperature (K) and strain rate (1/s)."""
    above = temperature - material_in[MATERIAL_VFT_C]
    if above < COLDEST:
        above = COLDEST
    exponent = LN_10 * (material_in[MATERIAL_VFT_A] + material_in[MATERIAL_VFT_B] / above)
    if exponent > EXPONENT_MAX:
        exponent = EXPONENT_MAX
    viscosity = exp_f32(exponent)
    if material_in[MATERIAL_YIELD_STRESS] > ZERO:
        solid = (material_in[MATERIAL_LIQUIDUS] - temperature) / (
            material_in[MATERIAL_LIQUIDUS] - material_in[MATERIAL_YIELD_TEMPERATURE]
        )
        if solid > ONE:
            solid = ONE
        if solid > ZERO:
            m = material_in[MATERIAL_PAPANASTASIOU]
            mg = m * rate
            if mg < CREEP:
                quotient = m * (ONE - HALF * mg)
            else:
                quotient = (ONE - exp_f32(-mg)) / rate
            viscosity += material_in[MATERIAL_YIELD_STRESS] * solid * quotient
    if viscosity > material_in[MATERIAL_VISCOSITY_MAX]:
        viscosity = material_in[MATERIAL_VISCOSITY_MAX]
    return viscosity


@device
def radiate(temperature, exposure, dt_s, material_in):
    """Temperature (K) after the exposed skin has radiated for ``dt_s``.

    Split: emission in closed form, T = T_0 (1 + 3 a dt T_0^3)^(-1/3), then absorption of the surroundings' light. Both
    are stable for any step, and T_a is kept where T = T_a up to the step's error.
    """
    a = (
        STEFAN_BOLTZMANN
        * material_in[MATERIAL_EMISSIVITY]
        * exposure
        * dt_s
        / (material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT] * material_in[MATERIAL_RADIATING_LAYER])
    )
    ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE]
    if temperature <= ambient:
        return temperature
    cooled = temperature * exp_f32(-THIRD * log_f32(ONE + THREE * a * (temperature * temperature * temperature)))
    cooled += a * (ambient * ambient * ambient * ambient)
    if cooled < ambient:
        return ambient
    return cooled
