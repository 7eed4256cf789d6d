"""How fast the liquid of a body is where it is fastest, of what its file says; nothing is built for it.

A velocity that is linear in space is fastest at a corner of a box, at a rim of a cylinder, or at a known point of a
sphere. Where a body is cut by terrain, colliders or the noise of its own surface, what is left of it may be slower.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

from bench.shot.extent import body_bounds
from bench.shot.schema import Domain
from bench.shot.shapes import Body, Column, ConstantVelocity, Cylinder, Flow, Rotation, Sea, Shear, Sphere, Swirl

RIM_POINTS = 64  # at which a cylinder's two rims are looked at
RING_POINTS, HEIGHTS = 64, 32  # at which a whirl is looked at, between two radii, and up a column
Three = Sequence[float]


def fastest_own(body: Body, domain: Domain) -> float:
    """Largest speed (m/s) that the body's ``velocity`` gives to a point of it that lies in the domain."""
    v = body.velocity
    if isinstance(v, ConstantVelocity):
        return math.hypot(*v.velocity_m_per_s)
    low, high = body_bounds(body, domain)
    if any(b < a for a, b in zip(low, high)):
        return 0.0  # beside the domain
    if isinstance(v, Swirl):
        near, far = _radii(v.centre_m, low, high)
        return fastest_of_whirl(v.swirl_m_per_s, v.updraft_m_per_s, v.core_m, near, far)
    boxed = max(math.hypot(*_linear(v, point)) for point in product(*zip(low, high)))
    if isinstance(body, Sphere):
        return min(boxed, _fastest_in_ball(v, body.centre_m, body.radius_m))
    if isinstance(body, Cylinder):
        return min(boxed, max(math.hypot(*_linear(v, point)) for point in _rims(body)))
    return boxed


def fastest_of_shape(body: Body, domain: Domain) -> tuple[str, float]:
    """The key that a shape's own motion has, and its largest speed (m/s); of a breaking wave only a scene knows it."""
    if isinstance(body, Flow):
        return "surface_speed_m_per_s", abs(body.surface_speed_m_per_s)
    low, high = body_bounds(body, domain)
    if any(b < a for a, b in zip(low, high)):
        return "", 0.0
    if isinstance(body, Sea):
        near, far = _radii(body.dip_centre_m, low, high)
        return "swirl_m_per_s", fastest_of_whirl(body.swirl_m_per_s, 0.0, body.dip_radius_m, near, far)
    if isinstance(body, Column):
        return "swirl_m_per_s", max(_whirls_of_column(body, low[2], high[2]))
    return "", 0.0


def fastest_of_whirl(swirl: float, updraft: float, core: float, near: float, far: float) -> float:
    """Of v = 2 V q / (1 + q^2) round the axis and updraft / (1 + q^4) along it, between two radii."""

    def speed(r: float) -> float:
        q2 = (r / core) ** 2
        return math.hypot(2.0 * swirl * math.sqrt(q2) / (1.0 + q2), updraft / (1.0 + q2 * q2))

    radii = [near + (far - near) * n / RING_POINTS for n in range(RING_POINTS + 1)]
    return max(map(speed, [*radii, core] if near <= core <= far else radii))


def _whirls_of_column(b: Column, low_z: float, high_z: float) -> Iterator[float]:
    """Largest speeds at some heights of a column; between two points its radii lie between theirs."""
    foot, top = b.profile_m[0][0], b.profile_m[-1][0]
    for n in range(HEIGHTS + 1):
        z = min(max(foot + (top - foot) * n / HEIGHTS, low_z), high_z)
        part = [p for p in zip(b.profile_m, b.profile_m[1:]) if p[0][0] <= z <= p[1][0]]
        near, far = min(p[0][1] for p in part), max(p[1][2] for p in part)
        core = b.core_m + b.core_growth * (z - foot)
        yield fastest_of_whirl(b.swirl_m_per_s, b.updraft_m_per_s, core, near, far)


def _radii(centre: Sequence[float], low: Three, high: Three) -> tuple[float, float]:
    """Least and largest distance from an upright axis in a box."""
    near = [max(a - c, 0.0, c - b) for c, a, b in zip(centre, low, high)]
    far = [max(abs(a - c), abs(b - c)) for c, a, b in zip(centre, low, high)]
    return math.hypot(*near), math.hypot(*far)


def _linear(v: Rotation | Shear, point: Three) -> Three:
    """Velocity at a point."""
    d = [p - o for p, o in zip(point, v.point_m)]
    if isinstance(v, Rotation):
        return [a + b for a, b in zip(v.velocity_m_per_s, _cross(v.axis_rad_per_s, d))]
    amount = sum(g * x for g, x in zip(v.gradient_per_s, d))
    length = math.hypot(*v.direction) or 1.0
    return [a + amount * x / length for a, x in zip(v.velocity_m_per_s, v.direction)]


def _fastest_in_ball(v: Rotation | Shear, centre: Three, radius: float) -> float:
    if isinstance(v, Shear):
        steep = math.hypot(*v.gradient_per_s)
        along = [g / steep if steep > 0.0 else 0.0 for g in v.gradient_per_s]
        ends = ([c + side * radius * a for c, a in zip(centre, along)] for side in (-1.0, 1.0))
        return max(math.hypot(*_linear(v, end)) for end in ends)
    # What turns about the axis is fastest where it adds to the middle's motion at right angles to the axis
    middle, rate = _linear(v, centre), math.hypot(*v.axis_rad_per_s)
    axial = sum(m * a for m, a in zip(middle, v.axis_rad_per_s)) / rate if rate > 0.0 else 0.0
    across = math.sqrt(max(0.0, sum(m * m for m in middle) - axial * axial))
    return math.hypot(axial, across + rate * radius)


def _rims(body: Cylinder) -> Iterator[Three]:
    axis = [t - f for f, t in zip(body.from_m, body.to_m)]
    for end in (body.from_m, body.to_m):
        yield from ring(end, axis, body.radius_m, RIM_POINTS)


def ring(centre: Three, axis: Three, radius: float, points: int) -> list[list[float]]:
    """Points on a circle about an axis."""
    length = math.hypot(*axis)
    n = [a / length for a in axis]
    least = min(range(3), key=lambda i: abs(n[i]))
    u = _cross(n, [float(i == least) for i in range(3)])
    u = [a / math.hypot(*u) for a in u]
    w = _cross(n, u)
    turns = [2.0 * math.pi * k / points for k in range(points)]
    return [[c + radius * (math.cos(t) * a + math.sin(t) * b) for c, a, b in zip(centre, u, w)] for t in turns]


def _cross(a: Three, b: Three) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
