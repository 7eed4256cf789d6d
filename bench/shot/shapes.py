"""Shapes of a shot file: bodies of liquid, their velocities and temperatures, layers of terrain.

The geometry itself lives in ``bench/pipeline/scene``; here stands what a file may say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.shot.problem import Problem
from bench.shot.quantities import FAR, Component, Coordinate, Kelvin, Line, Pair, Place, Point, Quadruple, Share, Vector
from bench.shot.table import Table

Slope = Annotated[float, Field(ge=-100.0, le=100.0)]


# --- Velocity of a body ---------------------------------------------------------------------------
class ConstantVelocity(Table):
    kind: Literal["constant"] = "constant"
    velocity_m_per_s: Vector = Field(description="of all of it")


class Rotation(Table):
    """Rigid rotation about an axis, on top of ``velocity_m_per_s``."""

    kind: Literal["rotation"] = "rotation"
    point_m: Point = Field(description="on the axis")
    axis_rad_per_s: Vector = Field(description="its length is the rate")
    velocity_m_per_s: Vector = Field(default=(0.0, 0.0, 0.0), description="of that point")


class Shear(Table):
    """velocity + direction * gradient . (x - point)."""

    kind: Literal["shear"] = "shear"
    point_m: Point = Field(description="where only velocity_m_per_s is left")
    direction: Vector = Field(description="of the flow")
    gradient_per_s: Vector = Field(description="growth of speed along x, y and z")
    velocity_m_per_s: Vector = Field(default=(0.0, 0.0, 0.0), description="of that point")


class Swirl(Table):
    """Kaufmann vortex about an upright axis: v = 2 V q / (1 + q^2), q = r / core, and an updraft inside."""

    kind: Literal["swirl"] = "swirl"
    centre_m: Place = Field(description="where the axis stands")
    core_m: float = Field(ge=1.0e-3, le=1.0e4, description="radius of the fastest swirl")
    swirl_m_per_s: Component = Field(description="fastest speed round the axis")
    updraft_m_per_s: Component = Field(default=0.0, description="upward speed on the axis")


Velocity = Annotated[
    ConstantVelocity | Rotation | Shear | Swirl,
    Field(discriminator="kind"),
]


# --- Temperature of a body ------------------------------------------------------------------------
class ConstantTemperature(Table):
    kind: Literal["constant"] = "constant"
    temperature_k: Kelvin = Field(description="of all of it")


class DepthTemperature(Table):
    """surface_k at the body's surface, core_k below a skin."""

    kind: Literal["depth"] = "depth"
    surface_k: Kelvin = Field(description="at the surface")
    core_k: Kelvin = Field(description="below the skin")
    skin_m: float = Field(ge=1.0e-4, le=1.0e3, description="thickness of the skin")


class PlatesTemperature(Table):
    """A skin of cooled plates with hot cracks between them; none round the vent."""

    kind: Literal["plates"] = "plates"
    core_k: Kelvin = Field(description="below the skin")
    plate_k: Kelvin = Field(description="of a plate's surface")
    crack_k: Kelvin = Field(description="in a crack")
    plate_m: float = Field(ge=1.0e-2, le=1.0e3, description="size of a plate")
    crack_m: float = Field(ge=0.0, le=1.0e3, description="width of a crack")
    skin_m: float = Field(ge=1.0e-4, le=1.0e3, description="thickness of the skin")
    vent_m: Point = Field(description="where no plates are")
    vent_reach_m: float = Field(ge=1.0e-3, le=FAR, description="plates grow from the vent to this distance")
    vent_k: Kelvin = Field(description="of the surface at the vent")
    stretch: float = Field(default=1.0, ge=0.1, le=10.0, description="plates are this much longer along x")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="of the pattern")


Temperature = Annotated[
    ConstantTemperature | DepthTemperature | PlatesTemperature,
    Field(discriminator="kind"),
]


# --- Bodies ---------------------------------------------------------------------------------------
class _Body(Table):
    velocity: Velocity = Field(default=ConstantVelocity(velocity_m_per_s=(0.0, 0.0, 0.0)), description="at the start")
    temperature: Temperature = Field(default=ConstantTemperature(temperature_k=300.0), description="at the start")
    hydrostatic: bool = Field(default=False, description="compressed by its own depth: rests without ringing")


class Box(_Body):
    kind: Literal["box"] = "box"
    min_m: Point = Field(description="lowest corner")
    max_m: Point = Field(description="highest corner")

    def validate_together(self) -> None:
        if any(b <= a for a, b in zip(self.min_m, self.max_m)):
            raise Problem("max_m", "more than min_m on every axis", list(self.max_m))


class Sphere(_Body):
    kind: Literal["sphere"] = "sphere"
    centre_m: Point = Field(description="middle")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="radius")


class Cylinder(_Body):
    kind: Literal["cylinder"] = "cylinder"
    from_m: Point = Field(description="one end of its axis")
    to_m: Point = Field(description="the other end")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="outer radius")
    inner_radius_m: float = Field(default=0.0, ge=0.0, le=FAR, description="of the hole along the axis; 0: none")

    def validate_together(self) -> None:
        if max(abs(a - b) for a, b in zip(self.from_m, self.to_m)) < 1.0e-4:
            raise Problem("to_m", "a point away from from_m", list(self.to_m))
        if self.inner_radius_m >= self.radius_m:
            raise Problem("inner_radius_m", f"less than radius_m ({self.radius_m:g})", self.inner_radius_m)


class Column(_Body):
    """An upright, hollow, swaying column: profile_m lists height, inner and outer radius from the foot up.

    The axis leaves the centre by sway * h * (sin, cos)(twist * h), h from 0 at the foot to 1 at the top: the axis of
    ``force.vortex`` at time 0 with twist 2.6. The wall is roughened by noise of the given amplitude and wavelength.
    """

    kind: Literal["column"] = "column"
    centre_m: Place = Field(description="where it stands")
    profile_m: Line[Point] = Field(description="points of height, inner and outer radius, from the foot up")
    sway_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="how far the axis leaves the centre at the top")
    twist_radians: float = Field(default=2.6, ge=-100.0, le=100.0, description="angle of the axis from foot to top")
    rough_m: float = Field(default=0.0, ge=0.0, le=100.0, description="amplitude of the wall's noise")
    rough_wavelength_m: float = Field(default=1.0, ge=1.0e-2, le=1.0e3, description="its wavelength")
    core_m: float = Field(ge=1.0e-3, le=1.0e3, description="radius of the fastest swirl at the foot")
    core_growth: float = Field(default=0.0, ge=0.0, le=10.0, description="per metre of height")
    swirl_m_per_s: Component = Field(description="fastest speed round the axis")
    updraft_m_per_s: Component = Field(default=0.0, description="upward speed")

    def validate_together(self) -> None:
        for i, (z, inner, outer) in enumerate(self.profile_m):
            if not 0.0 <= inner < outer:
                raise Problem(f"profile_m[{i}]", "0 <= inner radius < outer radius", [z, inner, outer])
            if i and z <= self.profile_m[i - 1][0]:
                raise Problem(f"profile_m[{i}]", "a height above the one before", [z, inner, outer])


class Sea(_Body):
    """All that lies below a level, above terrain, with a choppy surface; optionally only inside a box."""

    kind: Literal["sea"] = "sea"
    level_m: Coordinate = Field(description="height of still water")
    chop_m: float = Field(default=0.0, ge=0.0, le=100.0, description="amplitude")
    chop_wavelength_m: float = Field(default=1.0, ge=1.0e-2, le=1.0e4, description="its wavelength")
    min_m: Point | None = Field(default=None, description="lowest corner of a box that bounds it; absent: none")
    max_m: Point | None = Field(default=None, description="highest corner of that box; absent: none")
    dip_m: float = Field(default=0.0, ge=0.0, le=100.0, description="a hollow round dip_centre_m, as a whirl makes one")
    dip_radius_m: float = Field(default=1.0, ge=1.0e-3, le=1.0e4, description="radius of the hollow")
    dip_centre_m: Place = Field(default=(0.0, 0.0), description="middle of the hollow")
    swirl_m_per_s: Component = Field(default=0.0, description="about the same centre, fastest at the dip's radius")


class BreakingWave(_Body):
    """A steep crest that travels towards +x over still water and is about to plunge.

    The elevation is height * f, f = 1 / (1 + q^2)^2 with q = distance / (front or back length), sheared forward by
    lean * ((z - level) / height)^lean_power, so that the face is hollow and the lip overhangs. Below, the water moves
    as in a long wave, u = c * elevation / depth there; the lip is faster by lip_speed * ((z - level) / height)^2.
    """

    kind: Literal["breaking_wave"] = "breaking_wave"
    level_m: Coordinate = Field(description="height of still water")
    height_m: float = Field(ge=1.0e-3, le=1.0e3, description="of the crest over still water")
    crest_x_m: Coordinate = Field(description="where the crest is")
    front_m: float = Field(ge=1.0e-3, le=1.0e4, description="length of its front")
    back_m: float = Field(ge=1.0e-3, le=1.0e4, description="length of its back")
    lean_m: float = Field(ge=0.0, le=1.0e3, description="how far the crest leans forward")
    lean_power: float = Field(default=3.0, ge=1.0, le=8.0, description="how suddenly it leans")
    trough_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="drawn down in front of the face")
    wave_speed_m_per_s: float = Field(ge=0.0, le=1.0e3, description="of the wave")
    lip_speed_m_per_s: float = Field(default=0.0, ge=0.0, le=1.0e3, description="that the lip is faster")
    vary_height: float = Field(default=0.0, ge=0.0, le=0.9, description="share that changes along the crest")
    vary_crest_m: float = Field(default=0.0, ge=0.0, le=100.0, description="how far the crest line bends")
    vary_wavelength_m: float = Field(default=10.0, ge=1.0e-2, le=1.0e4, description="of both along the crest")
    chop_m: float = Field(default=0.0, ge=0.0, le=100.0, description="amplitude of the choppy surface")
    chop_wavelength_m: float = Field(default=1.0, ge=1.0e-2, le=1.0e4, description="its wavelength")


class Flow(_Body):
    """A stream over the terrain along a line of [x, y, half width, thickness], faster at its surface and middle."""

    kind: Literal["flow"] = "flow"
    path_m: Line[Quadruple[Coordinate]] = Field(description="points of x, y, half width and thickness")
    lump_m: float = Field(default=0.0, ge=0.0, le=100.0, description="noise of the thickness")
    lump_wavelength_m: float = Field(default=1.0, ge=1.0e-2, le=1.0e3, description="its wavelength")
    surface_speed_m_per_s: Component = Field(default=0.0, description="at the surface, in the middle")

    def validate_together(self) -> None:
        for i, (_, _, half_width, thickness) in enumerate(self.path_m):
            if half_width <= 0.0 or thickness <= 0.0:
                raise Problem(f"path_m[{i}]", "a half width and a thickness above 0", list(self.path_m[i]))


Body = Annotated[
    Box | Sphere | Cylinder | Column | Sea | BreakingWave | Flow,
    Field(discriminator="kind"),
]


# --- Layers of terrain ----------------------------------------------------------------------------
class Plane(Table):
    """Adds height + slope . (x, y)."""

    kind: Literal["plane"] = "plane"
    height_m: Coordinate = Field(description="at x = y = 0")
    slope: Pair[Slope] = Field(default=(0.0, 0.0), description="rise along x and y")


class Ramp(Table):
    """Adds a profile along a direction: points of [distance, height], smoothly joined."""

    kind: Literal["ramp"] = "ramp"
    point_m: Place = Field(default=(0.0, 0.0), description="where distances count from")
    direction: Pair[Component] = Field(default=(1.0, 0.0), description="in which they count")
    profile_m: Line[Place] = Field(description="points of distance and height")

    def validate_together(self) -> None:
        if all(abs(d) < 1.0e-6 for d in self.direction):
            raise Problem("direction", "a vector that is not zero", list(self.direction))
        for i in range(1, len(self.profile_m)):
            if self.profile_m[i][0] <= self.profile_m[i - 1][0]:
                raise Problem(f"profile_m[{i}]", "a distance above the one before", list(self.profile_m[i]))


class Noise(Table):
    """Adds fractal value noise, ridges or billows, weaker along the line calm_m of [x, y, half width, share]."""

    kind: Literal["noise"] = "noise"
    amplitude_m: Coordinate = Field(description="of the largest octave")
    wavelength_m: float = Field(ge=1.0e-2, le=FAR, description="of the largest octave")
    octaves: int = Field(default=4, ge=1, le=16, description="of half the wavelength each")
    gain: Share = Field(default=0.5, description="amplitude of an octave over that before")
    style: Literal["smooth", "ridged", "billow"] = Field(default="smooth", description="its form")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="of the noise")
    calm_m: Line[Quadruple[Coordinate]] = Field(default=(), description="points of x, y, half width, share gone")

    def validate_together(self) -> None:
        for i, point in enumerate(self.calm_m):
            if point[2] <= 0.0:
                raise Problem(f"calm_m[{i}]", "a half width above 0", list(point))


class Channel(Table):
    """Carves a bed along a line of [x, y, half width, depth], with banks where the carved earth went."""

    kind: Literal["channel"] = "channel"
    path_m: Line[Quadruple[Coordinate]] = Field(description="points of x, y, half width and depth")
    bank_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="height of the banks")

    def validate_together(self) -> None:
        for i, point in enumerate(self.path_m):
            if point[2] <= 0.0:
                raise Problem(f"path_m[{i}]", "a half width above 0", list(point))


class Cone(Table):
    """Adds a cone with a crater; what is negative digs."""

    kind: Literal["cone"] = "cone"
    centre_m: Place = Field(description="of its foot")
    radius_m: float = Field(ge=1.0e-2, le=FAR, description="of its foot")
    height_m: Coordinate = Field(description="of its top; negative digs")
    crater_radius_m: float = Field(default=0.0, ge=0.0, le=FAR, description="of the crater's rim")
    crater_depth_m: float = Field(default=0.0, ge=0.0, le=FAR, description="of the crater")


class Boulders(Table):
    """Adds rounded rocks on a jittered lattice."""

    kind: Literal["boulders"] = "boulders"
    spacing_m: float = Field(ge=1.0e-2, le=FAR, description="of the lattice")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="largest radius of a rock")
    height_m: float = Field(ge=0.0, le=FAR, description="largest height of a rock")
    share: Share = Field(default=0.5, description="of the lattice's places that have a rock")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="of the pattern")


class Steps(Table):
    """Turns heights into terraces of the given rise; 1 is sharp, 0 leaves the slope."""

    kind: Literal["steps"] = "steps"
    rise_m: float = Field(ge=1.0e-2, le=FAR, description="height of a terrace")
    sharpness: Share = Field(default=0.8, description="1 is sharp, 0 leaves the slope")


TerrainLayer = Annotated[
    Plane | Ramp | Noise | Channel | Cone | Boulders | Steps,
    Field(discriminator="kind"),
]
