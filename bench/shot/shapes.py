"""Shapes of a shot file: bodies of liquid, their velocities and temperatures, layers of terrain.

The geometry itself lives in ``bench/pipeline/scene``; here stands what a file may say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.shot.checking import choice, kinds, number, points, truth, vector, whole

FAR = 1.0e5  # m
Wrong = tuple[str, str, Any] | None
Three = tuple[float, float, float]
Two = tuple[float, float]


# --- Velocity of a body ---------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class ConstantVelocity:
    velocity_m_per_s: Three = vector(3, -1.0e3, 1.0e3)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Rigid rotation about an axis, on top of ``velocity_m_per_s``."""

    point_m: Three = vector(3, -FAR, FAR)
    axis_rad_per_s: Three = vector(3, -1.0e3, 1.0e3)  # its length is the rate
    velocity_m_per_s: Three = vector(3, -1.0e3, 1.0e3, (0.0, 0.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Shear:
    """velocity + direction * gradient . (x - point)."""

    point_m: Three = vector(3, -FAR, FAR)
    direction: Three = vector(3, -1.0e3, 1.0e3)
    gradient_per_s: Three = vector(3, -1.0e3, 1.0e3)
    velocity_m_per_s: Three = vector(3, -1.0e3, 1.0e3, (0.0, 0.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Swirl:
    """Kaufmann vortex about an upright axis: v = 2 V q / (1 + q^2), q = r / core, and an updraft inside."""

    centre_m: Two = vector(2, -FAR, FAR)
    core_m: float = number(1.0e-3, 1.0e4)
    swirl_m_per_s: float = number(-1.0e3, 1.0e3)
    updraft_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)


VELOCITIES = {"constant": ConstantVelocity, "rotation": Rotation, "shear": Shear, "swirl": Swirl}
Velocity = ConstantVelocity | Rotation | Shear | Swirl


# --- Temperature of a body ------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class ConstantTemperature:
    temperature_k: float = number(0.0, 5000.0)


@dataclass(frozen=True, kw_only=True)
class DepthTemperature:
    """surface_k at the body's surface, core_k below a skin."""

    surface_k: float = number(0.0, 5000.0)
    core_k: float = number(0.0, 5000.0)
    skin_m: float = number(1.0e-4, 1.0e3)


@dataclass(frozen=True, kw_only=True)
class PlatesTemperature:
    """A skin of cooled plates with hot cracks between them; none round the vent."""

    core_k: float = number(0.0, 5000.0)
    plate_k: float = number(0.0, 5000.0)
    crack_k: float = number(0.0, 5000.0)
    plate_m: float = number(1.0e-2, 1.0e3)  # size of a plate
    crack_m: float = number(0.0, 1.0e3)  # width of a crack
    skin_m: float = number(1.0e-4, 1.0e3)
    vent_m: Three = vector(3, -FAR, FAR)
    vent_reach_m: float = number(1.0e-3, FAR)  # plates grow from the vent to this distance
    vent_k: float = number(0.0, 5000.0)
    stretch: float = number(0.1, 10.0, 1.0)  # plates are this much longer along x
    seed: int = whole(0, 2**31 - 1, 1)


TEMPERATURES = {"constant": ConstantTemperature, "depth": DepthTemperature, "plates": PlatesTemperature}
Temperature = ConstantTemperature | DepthTemperature | PlatesTemperature


# --- Bodies ---------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class _Body:
    velocity: Velocity = kinds(VELOCITIES, ConstantVelocity(velocity_m_per_s=(0.0, 0.0, 0.0)))
    temperature: Temperature = kinds(TEMPERATURES, ConstantTemperature(temperature_k=300.0))
    hydrostatic: bool = truth(False)  # compressed by its own depth, so that it rests without ringing


@dataclass(frozen=True, kw_only=True)
class Box(_Body):
    min_m: Three = vector(3, -FAR, FAR)
    max_m: Three = vector(3, -FAR, FAR)

    def problem(self) -> Wrong:
        if any(b <= a for a, b in zip(self.min_m, self.max_m)):
            return "max_m", "more than min_m on every axis", list(self.max_m)
        return None


@dataclass(frozen=True, kw_only=True)
class Sphere(_Body):
    centre_m: Three = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-3, FAR)


@dataclass(frozen=True, kw_only=True)
class Cylinder(_Body):
    from_m: Three = vector(3, -FAR, FAR)
    to_m: Three = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-3, FAR)
    inner_radius_m: float = number(0.0, FAR, 0.0)

    def problem(self) -> Wrong:
        if max(abs(a - b) for a, b in zip(self.from_m, self.to_m)) < 1.0e-4:
            return "to_m", "a point away from from_m", list(self.to_m)
        if self.inner_radius_m >= self.radius_m:
            return "inner_radius_m", f"less than radius_m ({self.radius_m:g})", self.inner_radius_m
        return None


@dataclass(frozen=True, kw_only=True)
class Column(_Body):
    """An upright, hollow, swaying column: profile_m lists height, inner and outer radius from the foot up.

    The axis leaves the centre by sway * h * (sin, cos)(twist * h), h from 0 at the foot to 1 at the top: the axis of
    ``force.vortex`` at time 0 with twist 2.6. The wall is roughened by noise of the given amplitude and wavelength.
    """

    centre_m: Two = vector(2, -FAR, FAR)
    profile_m: tuple[Three, ...] = points(3, -FAR, FAR, 2)
    sway_m: float = number(0.0, 1.0e3, 0.0)
    twist_radians: float = number(-100.0, 100.0, 2.6)
    rough_m: float = number(0.0, 100.0, 0.0)
    rough_wavelength_m: float = number(1.0e-2, 1.0e3, 1.0)
    core_m: float = number(1.0e-3, 1.0e3)  # radius of the fastest swirl at the foot
    core_growth: float = number(0.0, 10.0, 0.0)  # per metre of height
    swirl_m_per_s: float = number(-1.0e3, 1.0e3)
    updraft_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)

    def problem(self) -> Wrong:
        for i, (z, inner, outer) in enumerate(self.profile_m):
            if not 0.0 <= inner < outer:
                return f"profile_m[{i}]", "0 <= inner radius < outer radius", [z, inner, outer]
            if i and z <= self.profile_m[i - 1][0]:
                return f"profile_m[{i}]", "a height above the one before", [z, inner, outer]
        return None


@dataclass(frozen=True, kw_only=True)
class Sea(_Body):
    """All that lies below a level, above terrain, with a choppy surface; optionally only inside a box."""

    level_m: float = number(-FAR, FAR)
    chop_m: float = number(0.0, 100.0, 0.0)  # amplitude
    chop_wavelength_m: float = number(1.0e-2, 1.0e4, 1.0)
    min_m: Three | None = vector(3, -FAR, FAR, None)
    max_m: Three | None = vector(3, -FAR, FAR, None)
    dip_m: float = number(0.0, 100.0, 0.0)  # a hollow round dip_centre_m, as a whirl makes one
    dip_radius_m: float = number(1.0e-3, 1.0e4, 1.0)
    dip_centre_m: Two = vector(2, -FAR, FAR, (0.0, 0.0))
    swirl_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)  # about the same centre, fastest at the dip's radius


@dataclass(frozen=True, kw_only=True)
class BreakingWave(_Body):
    """A steep crest that travels towards +x over still water and is about to plunge.

    The elevation is height * f, f = 1 / (1 + q^2)^2 with q = distance / (front or back length), sheared forward by
    lean * ((z - level) / height)^lean_power, so that the face is hollow and the lip overhangs. Below, the water moves
    as in a long wave, u = c * elevation / depth there; the lip is faster by lip_speed * ((z - level) / height)^2.
    """

    level_m: float = number(-FAR, FAR)
    height_m: float = number(1.0e-3, 1.0e3)
    crest_x_m: float = number(-FAR, FAR)
    front_m: float = number(1.0e-3, 1.0e4)
    back_m: float = number(1.0e-3, 1.0e4)
    lean_m: float = number(0.0, 1.0e3)
    lean_power: float = number(1.0, 8.0, 3.0)
    trough_m: float = number(0.0, 1.0e3, 0.0)  # drawn down in front of the face
    wave_speed_m_per_s: float = number(0.0, 1.0e3)
    lip_speed_m_per_s: float = number(0.0, 1.0e3, 0.0)
    vary_height: float = number(0.0, 0.9, 0.0)  # share of the height that changes along the crest
    vary_crest_m: float = number(0.0, 100.0, 0.0)  # how far the crest line bends
    vary_wavelength_m: float = number(1.0e-2, 1.0e4, 10.0)
    chop_m: float = number(0.0, 100.0, 0.0)
    chop_wavelength_m: float = number(1.0e-2, 1.0e4, 1.0)


@dataclass(frozen=True, kw_only=True)
class Flow(_Body):
    """A stream over the terrain along a line of [x, y, half width, thickness], faster at its surface and middle."""

    path_m: tuple[tuple[float, float, float, float], ...] = points(4, -FAR, FAR, 2)
    lump_m: float = number(0.0, 100.0, 0.0)  # noise of the thickness
    lump_wavelength_m: float = number(1.0e-2, 1.0e3, 1.0)
    surface_speed_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)

    def problem(self) -> Wrong:
        for i, (_, _, half_width, thickness) in enumerate(self.path_m):
            if half_width <= 0.0 or thickness <= 0.0:
                return f"path_m[{i}]", "a half width and a thickness above 0", list(self.path_m[i])
        return None


BODIES = {
    "box": Box,
    "sphere": Sphere,
    "cylinder": Cylinder,
    "column": Column,
    "sea": Sea,
    "breaking_wave": BreakingWave,
    "flow": Flow,
}
Body = Box | Sphere | Cylinder | Column | Sea | BreakingWave | Flow


# --- Layers of terrain ----------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Plane:
    """Adds height + slope . (x, y)."""

    height_m: float = number(-FAR, FAR)
    slope: Two = vector(2, -100.0, 100.0, (0.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """Adds a profile along a direction: points of [distance, height], smoothly joined."""

    point_m: Two = vector(2, -FAR, FAR, (0.0, 0.0))
    direction: Two = vector(2, -1.0e3, 1.0e3, (1.0, 0.0))
    profile_m: tuple[Two, ...] = points(2, -FAR, FAR, 2)

    def problem(self) -> Wrong:
        if all(abs(d) < 1.0e-6 for d in self.direction):
            return "direction", "a vector that is not zero", list(self.direction)
        for i in range(1, len(self.profile_m)):
            if self.profile_m[i][0] <= self.profile_m[i - 1][0]:
                return f"profile_m[{i}]", "a distance above the one before", list(self.profile_m[i])
        return None


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Adds fractal value noise, ridges or billows, weaker along the line calm_m of [x, y, half width, share]."""

    amplitude_m: float = number(-FAR, FAR)
    wavelength_m: float = number(1.0e-2, FAR)
    octaves: int = whole(1, 16, 4)
    gain: float = number(0.0, 1.0, 0.5)
    style: str = choice("smooth", "ridged", "billow", default="smooth")
    seed: int = whole(0, 2**31 - 1, 1)
    calm_m: tuple[tuple[float, float, float, float], ...] = points(4, -FAR, FAR, 2, ())

    def problem(self) -> Wrong:
        for i, point in enumerate(self.calm_m):
            if point[2] <= 0.0:
                return f"calm_m[{i}]", "a half width above 0", list(point)
        return None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Carves a bed along a line of [x, y, half width, depth], with banks where the carved earth went."""

    path_m: tuple[tuple[float, float, float, float], ...] = points(4, -FAR, FAR, 2)
    bank_m: float = number(0.0, 1.0e3, 0.0)

    def problem(self) -> Wrong:
        for i, point in enumerate(self.path_m):
            if point[2] <= 0.0:
                return f"path_m[{i}]", "a half width above 0", list(point)
        return None


@dataclass(frozen=True, kw_only=True)
class Cone:
    """Adds a cone with a crater; what is negative digs."""

    centre_m: Two = vector(2, -FAR, FAR)
    radius_m: float = number(1.0e-2, FAR)
    height_m: float = number(-FAR, FAR)
    crater_radius_m: float = number(0.0, FAR, 0.0)
    crater_depth_m: float = number(0.0, FAR, 0.0)


@dataclass(frozen=True, kw_only=True)
class Boulders:
    """Adds rounded rocks on a jittered lattice."""

    spacing_m: float = number(1.0e-2, FAR)
    radius_m: float = number(1.0e-3, FAR)
    height_m: float = number(0.0, FAR)
    share: float = number(0.0, 1.0, 0.5)
    seed: int = whole(0, 2**31 - 1, 1)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Turns heights into terraces of the given rise; 1 is sharp, 0 leaves the slope."""

    rise_m: float = number(1.0e-2, FAR)
    sharpness: float = number(0.0, 1.0, 0.8)


TERRAIN_LAYERS = {
    "plane": Plane,
    "ramp": Ramp,
    "noise": Noise,
    "channel": Channel,
    "cone": Cone,
    "boulders": Boulders,
    "steps": Steps,
}
TerrainLayer = Plane | Ramp | Noise | Channel | Cone | Boulders | Steps
