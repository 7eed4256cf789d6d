"""What cannot be run is refused before it is run: speeds that the limit does not allow, emitters that cannot pour.

A limit is what substeps are chosen by and what the liquid's stiffness follows from: what is faster from the start runs
wrong or not at all. What falls or is thrown faster only on its way shows in the run, which warns of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.shot.extent import SAME_LENGTH, cell_size_m, disc_reach
from bench.shot.problem import Got, Problem
from bench.shot.schema import BoxCollider, CapsuleCollider, Collider, Emitter, ShotFile, SphereCollider, Swing
from bench.shot.speeds import fastest_of_shape, fastest_own, ring

SOUND_OVER_FLOW = 10.0  # sound speed over the speed limit at the least: the liquid is squeezed by 1 % then
ROUNDING = 1.0e-6  # share by which a number may be over a limit that it was meant to be
SWING_FRAMES = 4  # of a collider's swing: in as many straight lines it still gets to both of its ends
AXES = "xyz"
RIM_POINTS = 16  # of an emitter's disc


def validate_runnable(shot: ShotFile) -> None:
    """Raise a Problem where a shot cannot run as it is written, at any size."""
    limit = shot.material.speed_limit_m_per_s
    sound = shot.material.sound_speed_m_per_s
    if sound is not None and over(SOUND_OVER_FLOW * limit, sound):
        least = f"at least {SOUND_OVER_FLOW:g} x material.speed_limit_m_per_s ({SOUND_OVER_FLOW * limit:g})"
        raise Problem("material.sound_speed_m_per_s", least, sound)
    most = f"at most material.speed_limit_m_per_s ({limit:g} m/s)"
    for i, body in enumerate(shot.body):
        key, speed = fastest_of_shape(body, shot.domain)
        for name, found in (("velocity", fastest_own(body, shot.domain)), (key, speed)):
            if over(found, limit):
                raise Problem(f"body[{i}].{name}", f"{most} everywhere in the body", Got(f"{found:.4g} m/s"))
    for i, emitter in enumerate(shot.emitter):
        if over(emitter.speed_m_per_s, limit):
            raise Problem(f"emitter[{i}].speed_m_per_s", most, emitter.speed_m_per_s)
        _validate_place(shot, f"emitter[{i}]", emitter)
        _validate_pouring(shot, f"emitter[{i}]", emitter)
    for i, collider in enumerate(shot.collider):
        if collider.motion is not None and over(collider.motion.fastest_m_per_s, limit):
            got = Got(f"{collider.motion.fastest_m_per_s:.4g} m/s")
            raise Problem(f"collider[{i}].motion", f"{most} all the way", got)
        shortest_s = SWING_FRAMES / shot.shot.frame_rate
        if isinstance(collider.motion, Swing) and over(shortest_s, collider.motion.period_s):
            least = f"at least {SWING_FRAMES} frames ({shortest_s:.4g} s): it goes straight in each"
            raise Problem(f"collider[{i}].motion.period_s", least, collider.motion.period_s)
    vortex = shot.force.vortex
    for name in ("swirl_m_per_s", "updraft_m_per_s", "inflow_m_per_s") if vortex is not None else ():
        if over(abs(getattr(vortex, name)), limit):
            raise Problem(f"force.vortex.{name}", most, getattr(vortex, name))


def over(value: float, limit: float) -> bool:
    """Whether a value is over its limit by more than rounding."""
    return value > limit * (1.0 + ROUNDING)


def disc_points(emitter: Emitter) -> list[list[float]]:
    """Points of an emitter's disc: its middle, its rim, and half way between."""
    rings = (ring(emitter.centre_m, emitter.direction, s * emitter.radius_m, RIM_POINTS) for s in (0.5, 1.0))
    return [list(emitter.centre_m), *(point for one in rings for point in one)]


def _validate_place(shot: ShotFile, key: str, emitter: Emitter) -> None:
    """The disc lies in the domain and in no solid, and looks into the domain."""
    size, reach = shot.domain.size_m, disc_reach(emitter)
    for axis, length, r in zip(AXES, size, reach):
        if over(2.0 * r, length):
            raise Problem(
                f"{key}.radius_m", f"a disc that fits into the domain, {length:g} m along {axis}", emitter.radius_m
            )
    slack = [SAME_LENGTH * length for length in size]
    for axis, length, r, c, s in zip(AXES, size, reach, emitter.centre_m, slack):
        if not r - s <= c <= length - r + s:
            expected = f"a disc inside the domain, rim and all: {r:.4g} to {length - r:.4g} along {axis}"
            raise Problem(f"{key}.centre_m", expected, list(emitter.centre_m))
    cell = max(cell_size_m(shot.domain, one) for one in shot.size.values())
    step = cell / math.hypot(*emitter.direction)
    for axis, length, c, d, s in zip(AXES, size, emitter.centre_m, emitter.direction, slack):
        if not -s <= c + step * d <= length + s:
            expected = f"a direction into the domain: a cell ahead it ends along {axis}"
            raise Problem(f"{key}.direction", expected, list(emitter.direction))
    for n, collider in enumerate(shot.collider):
        depth = -min(distance_to(collider, point) for point in disc_points(emitter))
        if depth > ROUNDING * size[0]:
            got = Got(f"one that is {depth:.3g} m deep in collider[{n}]")
            raise Problem(f"{key}.centre_m", "a disc outside all colliders, rim and all", got)


def _validate_pouring(shot: ShotFile, key: str, emitter: Emitter) -> None:
    """Something comes out while the shot lasts, at every size."""
    begin, end = shot.shot.start_s, shot.shot.start_s + shot.shot.frames / shot.shot.frame_rate
    if emitter.start_s >= end:
        raise Problem(f"{key}.start_s", f"a time before the shot's end ({end:g} s)", emitter.start_s)
    if emitter.end_s <= max(begin, emitter.start_s):
        raise Problem(
            f"{key}.end_s", f"a time after it begins to pour ({max(begin, emitter.start_s):g} s)", emitter.end_s
        )
    seconds = min(emitter.end_s, end) - max(emitter.start_s, begin)
    poured_m3 = math.pi * emitter.radius_m * emitter.radius_m * emitter.speed_m_per_s * seconds
    for name, size in shot.size.items():
        particle_m3 = cell_size_m(shot.domain, size) ** 3 / 8.0
        if poured_m3 < 0.5 * particle_m3:
            expected = f"a disc that pours at least a particle at size {name} ({particle_m3:.3g} m^3)"
            raise Problem(f"{key}.radius_m", expected, Got(f"one that pours {poured_m3:.3g} m^3 in {seconds:g} s"))


def distance_to(collider: Collider, point: Sequence[float]) -> float:
    """Signed distance (m) from a collider's surface; less than 0 inside."""
    if isinstance(collider, SphereCollider):
        return math.dist(point, collider.centre_m) - collider.radius_m
    if isinstance(collider, CapsuleCollider):
        axis = [b - a for a, b in zip(collider.from_m, collider.to_m)]
        from_end = [p - a for p, a in zip(point, collider.from_m)]
        length2 = sum(a * a for a in axis)
        share = min(max(sum(a * b for a, b in zip(axis, from_end)) / length2, 0.0), 1.0) if length2 > 0.0 else 0.0
        return math.dist(from_end, [share * a for a in axis]) - collider.radius_m
    if isinstance(collider, BoxCollider):
        away = [max(low - p, p - high) for low, p, high in zip(collider.min_m, point, collider.max_m)]
    else:
        x, y, z = (p - c for p, c in zip(point, collider.centre_m))
        away = [math.hypot(x, y) - collider.radius_m, abs(z) - 0.5 * collider.height_m]
    away = [a + collider.rounding_m for a in away]
    return math.hypot(*(max(a, 0.0) for a in away)) + min(max(away), 0.0) - collider.rounding_m
