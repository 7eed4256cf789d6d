"""What functions of the tracer hand to each other: the scene, a segment of a ray, a bounce; arithmetic on colours.

Colours are (r, g, b) tuples of float32. Where the CUDA side changes a path in place, a function here returns what it
changes: a tuple costs nothing once it is inlined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kernels.base.common import ONE, ZERO
from kernels.trace.trace_math import device_inline

BLACK = (ZERO, ZERO, ZERO)
WHITE = (ONE, ONE, ONE)

# What ends a segment
EVENT_SKY, EVENT_MIRROR, EVENT_LIQUID, EVENT_FOG, EVENT_SOLID = 0, 1, 2, 3, 4

# How a path goes on after an event: not at all, in a direction that is known, by cosine about a normal, by the fog's
# phase function
BOUNCE_NONE, BOUNCE_SPECULAR, BOUNCE_DIFFUSE, BOUNCE_PHASE = 0, 1, 2, 3


class Scene(NamedTuple):
    """All that a ray can meet; arrays as ``img_trace`` takes them."""

    look_in: Any
    trace_in: Any
    grid_in: Any
    table: Any  # of the surface's bricks, and their values
    value: Any
    fog_table: Any
    fog_value: Any
    fog_majorant: Any
    terrain: Any
    terrain_geometry: Any
    collider: Any


class Segment(NamedTuple):
    """A stretch of a ray up to the first thing that it meets."""

    event: Any  # EVENT_*: what ends it
    t_end: Any  # m, where
    solid: Any  # SOLID_*, of EVENT_SOLID
    axis: Any  # 0 x, 1 y, of EVENT_MIRROR
    broken: Any  # of EVENT_LIQUID: 1 where the level set ends, not the liquid
    beyond: Any  # the path has used up its mirrorings
    weight: Any  # estimate of the fog's transmittance, of a ray to the sun
    u: Any  # two uniform numbers, of EVENT_FOG
    v: Any
    dim: Any  # draws of the path so far


class Bounce(NamedTuple):
    """How a path goes on after an event: a BSDF's or phase function's sample, still without its random direction."""

    kind: Any  # BOUNCE_*
    ox: Any  # where the path goes on, m
    oy: Any
    oz: Any
    dx: Any  # its direction: the new one of BOUNCE_SPECULAR, else still the old one
    dy: Any
    dz: Any
    nx: Any  # normal
    ny: Any
    nz: Any
    sign: Any  # 1 outside the liquid, -1 inside
    albedo: Any
    light: Any  # radiance that the path has gathered so far
    throughput: Any
    dim: Any  # draws of the path so far


@device_inline
def words3(words, slot):
    return words[slot], words[slot + 1], words[slot + 2]


@device_inline
def scaled(a, factor):
    return a[0] * factor, a[1] * factor, a[2] * factor


@device_inline
def albedo_of(a, factor):
    """An albedo made lighter or darker, each at most 1: what reflects more than it gets never comes to an end."""
    r, g, b = a[0] * factor, a[1] * factor, a[2] * factor
    if r > ONE:
        r = ONE
    if g > ONE:
        g = ONE
    if b > ONE:
        b = ONE
    return r, g, b


@device_inline
def times(a, b):
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@device_inline
def times_rest(a, b):
    """a (1 - b)"""
    return a[0] * (ONE - b[0]), a[1] * (ONE - b[1]), a[2] * (ONE - b[2])


@device_inline
def largest(a):
    most = a[0]
    if a[1] > most:
        most = a[1]
    if a[2] > most:
        most = a[2]
    return most


@device_inline
def add_light(light, throughput, radiance):
    """light + throughput * radiance"""
    return (
        light[0] + throughput[0] * radiance[0],
        light[1] + throughput[1] * radiance[1],
        light[2] + throughput[2] * radiance[2],
    )


@device_inline
def add_scaled_light(light, throughput, radiance, factor):
    """light + throughput * radiance * factor"""
    return (
        light[0] + throughput[0] * radiance[0] * factor,
        light[1] + throughput[1] * radiance[1] * factor,
        light[2] + throughput[2] * radiance[2] * factor,
    )
