"""The volume ratio J against the density of particles, so that a liquid keeps its volume.

J follows the grid's divergence and never learns that particles have gathered or drifted apart: unaided, moving water
loses a twentieth of its volume in seconds while J says 1. The density is there: the fill F = sum w m / 8 of the
nodes' masses at a particle, whole numbers that no order of addition changes (``mpm_grid`` counts solids as full).

Where F is low there is either a hole or a surface near by. A surface shows in the slope of F: with
F' = F + THIN_MARGIN + SLOPE_SHARE dx |grad F|, 1 / J can be at most F'. It is at least F - DENSE_MARGIN, and at least
F' where that is below 1. In each substep J takes on CORRECTION of what it lies outside of these bounds: pressure then
moves the particles. The margins leave a liquid at rest alone, whose particles are never quite even.

Paper: Kugelstadt et al. 2019 (density of particles on the grid, as an aim beside the divergence).
"""

from __future__ import annotations

from kernels.base.common import F32, device
from kernels.base.vector import make_constant, splat16, vadd, vdiv, vfma, vmax, vmin, vmul, vsqrt, vsub

zero16, one16 = make_constant([0.0] * 16), make_constant([1.0] * 16)

# Liquids are weakly compressible: volume ratios outside these are not physics but damage. A liquid bears no tension, so
# above 1 the ratio only remembers how far it was stretched, which it has to make good before it presses again; the
# upper limit is how much of that it remembers.
VOLUME_RATIO_MIN = F32(0.5)
VOLUME_RATIO_MAX = F32(1.09375)

CORRECTION = F32(0.1)
DENSE_MARGIN = F32(0.02)  # fill over 1 that is taken for noise: liquid at rest is not stirred
THIN_MARGIN = F32(0.006)  # fill below 1 that is
SLOPE_SHARE = F32(0.5)  # of the change of fill over a cell: what a surface near by may hide
FILL_MIN = F32(0.5)  # a thinner place is spray


@device
def corrected(volume, per_full_cell, slope_share, mass, x, y, z):
    """Sixteen volume ratios after a step towards what the density at their particles leaves possible.

    ``mass``: nodes' mass at the particles (particle masses); x, y, z: its gradient (1/m); ``per_full_cell``: one over
    the particles of a full cell; ``slope_share``: SLOPE_SHARE dx times that.
    """
    fill = vmul(mass, per_full_cell)
    steep = vsqrt(vadd(vadd(vmul(x, x), vmul(y, y)), vmul(z, z)))
    full = vmax(vfma(steep, slope_share, vadd(fill, splat16(THIN_MARGIN))), splat16(FILL_MIN))
    dense = vmax(vsub(fill, splat16(DENSE_MARGIN)), vmin(full, one16()))
    high, low = vdiv(one16(), dense), vdiv(one16(), full)
    step = vadd(vmin(vsub(high, volume), zero16()), vmax(vsub(low, volume), zero16()))
    volume = vfma(step, splat16(CORRECTION), volume)
    return vmin(vmax(volume, splat16(VOLUME_RATIO_MIN)), splat16(VOLUME_RATIO_MAX))
