"""What a shot file may say, as frozen dataclasses; SI units stand in the names.

A field is declared with the check that its TOML key must pass (``bench.shot.checking``). Positions are in metres in the
shot's own frame: the domain runs from 0 to ``domain.size_m``, z points up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.shot.checking import (
    Got,
    choice,
    kind_tables,
    kinds,
    named_tables,
    number,
    table,
    tables,
    text,
    truth,
    vector,
    whole,
)
from bench.shot.shapes import BODIES, TEMPERATURES, TERRAIN_LAYERS, VELOCITIES, Body, TerrainLayer

SIZE_NAMES = ("S", "M", "L", "XL")
SCHEMA_VERSION = 1
FAR = 1.0e5  # m, no coordinate is larger
PARTICLE_MAX = 2_000_000_000  # per shot and size
GRID_BLOCK_MAX = 2**30
BOUNDARIES = ("stick", "slip", "separate")
Wrong = tuple[str, str, Any] | None  # key, what was expected, what stood there


@dataclass(frozen=True, kw_only=True)
class Heading:
    """[shot]: what it is called and how long it runs."""

    name: str = text(r"[a-z][a-z0-9_-]{0,39}", "1 to 40 of a-z, 0-9, _ and -, a letter first")
    title: str = text(r"[^\x00-\x1f\x7f<>]{1,120}", "1 to 120 printable characters without < and >")
    frames: int = whole(1, 100_000)
    frame_rate: float = number(1.0, 1000.0, 24.0, "1/s")
    start_s: float = number(0.0, 1.0e6, 0.0, "s")


@dataclass(frozen=True, kw_only=True)
class Walls:
    """[domain.walls]: how the fluid meets each side of the domain."""

    x_min: str = choice(*BOUNDARIES, default="slip")
    x_max: str = choice(*BOUNDARIES, default="slip")
    y_min: str = choice(*BOUNDARIES, default="slip")
    y_max: str = choice(*BOUNDARIES, default="slip")
    z_min: str = choice(*BOUNDARIES, default="slip")
    z_max: str = choice(*BOUNDARIES, default="separate")


@dataclass(frozen=True, kw_only=True)
class Domain:
    """[domain]: the box that the fluid cannot leave."""

    size_m: tuple[float, float, float] = vector(3, 1.0e-3, 1.0e4)
    walls: Walls = table(Walls, Walls())


@dataclass(frozen=True, kw_only=True)
class Size:
    """[size.S] and so on: the same scene, finer."""

    cells_x: int = whole(8, 16384, multiple_of=4)  # cells along the domain's x; eight particles a cell
    width: int = whole(2, 16384)
    height: int = whole(2, 16384)
    samples: int = whole(1, 1_048_576)
    voxel_per_cell: float = number(0.1, 4.0, 0.5)  # edge of a picture voxel in cells
    max_depth: int = whole(1, 1024, 24)  # bounces


@dataclass(frozen=True, kw_only=True)
class Water:
    """[material] kind = "water": weakly compressible, p = K (J^-7 - 1) with K = density c^2 / 7."""

    density_kg_per_m3: float = number(1.0, 3.0e4, 1000.0)
    viscosity_pa_s: float = number(0.0, 1.0e5, 1.0e-3)
    speed_limit_m_per_s: float = number(1.0e-3, 1.0e3)  # the largest speed that the shot is designed for
    sound_speed_m_per_s: float | None = number(1.0e-2, 1.0e4, None)  # absent: ten times the limit


@dataclass(frozen=True, kw_only=True)
class Lava:
    """[material] kind = "lava": log10 mu = A + B / (T - C), Bingham, heat (Giordano et al. 2008; Mauna Ulu 1974)."""

    density_kg_per_m3: float = number(1.0, 3.0e4, 2600.0)
    vft_a: float = number(-20.0, 20.0, -4.7)
    vft_b_k: float = number(0.0, 1.0e5, 5429.7)
    vft_c_k: float = number(0.0, 1.0e4, 595.5)
    viscosity_max_pa_s: float = number(1.0e-3, 1.0e9, 1500.0)
    yield_stress_pa: float = number(0.0, 1.0e6, 200.0)
    yield_temperature_k: float = number(1.0, 5000.0, 1100.0)
    liquidus_k: float = number(1.0, 5000.0, 1473.0)
    papanastasiou_s: float = number(0.0, 1.0e6, 10.0)
    specific_heat_j_per_kg_k: float = number(1.0, 1.0e5, 1150.0)
    conductivity_w_per_m_k: float = number(0.0, 1.0e3, 2.0)
    emissivity: float = number(0.0, 1.0, 0.95)
    radiating_layer_m: float = number(1.0e-6, 100.0, 0.02)
    ambient_temperature_k: float = number(0.0, 5000.0, 300.0)
    speed_limit_m_per_s: float = number(1.0e-3, 1.0e3)
    sound_speed_m_per_s: float | None = number(1.0e-2, 1.0e4, None)

    def problem(self) -> Wrong:
        if self.yield_temperature_k >= self.liquidus_k:
            return "yield_temperature_k", f"less than liquidus_k ({self.liquidus_k:g})", self.yield_temperature_k
        return None


@dataclass(frozen=True, kw_only=True)
class Emitter:
    """[[emitter]]: a disc that pours."""

    centre_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-4, 1.0e4)
    direction: tuple[float, float, float] = vector(3, -1.0e3, 1.0e3)
    speed_m_per_s: float = number(0.0, 1.0e3)
    temperature_k: float = number(0.0, 5000.0, 0.0)
    start_s: float = number(0.0, 1.0e6, 0.0)
    end_s: float = number(0.0, 1.0e6, 1.0e6)

    def problem(self) -> Wrong:
        if all(abs(d) < 1.0e-6 for d in self.direction):
            return "direction", "a vector that is not zero", list(self.direction)
        if self.end_s < self.start_s:
            return "end_s", f"at least start_s ({self.start_s:g})", self.end_s
        return None


@dataclass(frozen=True, kw_only=True)
class SphereCollider:
    centre_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-3, FAR)
    boundary: str = choice(*BOUNDARIES, default="separate")


@dataclass(frozen=True, kw_only=True)
class BoxCollider:
    min_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    max_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    rounding_m: float = number(0.0, 1.0e3, 0.0)
    boundary: str = choice(*BOUNDARIES, default="separate")

    def problem(self) -> Wrong:
        if any(b <= a for a, b in zip(self.min_m, self.max_m)):
            return "max_m", "more than min_m on every axis", list(self.max_m)
        return None


@dataclass(frozen=True, kw_only=True)
class CapsuleCollider:
    from_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    to_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-3, FAR)
    boundary: str = choice(*BOUNDARIES, default="separate")


@dataclass(frozen=True, kw_only=True)
class CylinderCollider:
    """An upright solid cylinder."""

    centre_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    radius_m: float = number(1.0e-3, FAR)
    height_m: float = number(1.0e-3, FAR)
    rounding_m: float = number(0.0, 1.0e3, 0.0)
    boundary: str = choice(*BOUNDARIES, default="separate")


COLLIDERS = {
    "sphere": SphereCollider,
    "box": BoxCollider,
    "capsule": CapsuleCollider,
    "cylinder": CylinderCollider,
}


@dataclass(frozen=True, kw_only=True)
class Terrain:
    """[terrain]: a height field; each layer changes what the ones before it made."""

    origin_m: tuple[float, float] = vector(2, -FAR, FAR)
    size_m: tuple[float, float] = vector(2, 1.0e-2, FAR)
    spacing_per_cell: float = number(0.1, 16.0, 1.0)  # distance of two heights in cells
    boundary: str = choice(*BOUNDARIES, default="slip")
    layer: tuple[TerrainLayer, ...] = kind_tables(TERRAIN_LAYERS)


@dataclass(frozen=True, kw_only=True)
class Vortex:
    """[force.vortex]: a driven whirl about an upright axis."""

    centre_m: tuple[float, float] = vector(2, -FAR, FAR)
    z_low_m: float = number(-FAR, FAR)
    z_high_m: float = number(-FAR, FAR)
    core_m: float = number(1.0e-3, 1.0e4)
    swirl_m_per_s: float = number(-1.0e3, 1.0e3)
    updraft_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)
    inflow_m_per_s: float = number(-1.0e3, 1.0e3, 0.0)
    rate_per_s: float = number(0.0, 1.0e4)
    flare: float = number(0.0, 10.0, 0.0)  # core radius growth per metre of height
    sway_m: float = number(0.0, 1.0e3, 0.0)
    reach_m: float = number(1.0e-3, 1.0e5)

    def problem(self) -> Wrong:
        if self.z_high_m <= self.z_low_m:
            return "z_high_m", f"more than z_low_m ({self.z_low_m:g})", self.z_high_m
        return None


@dataclass(frozen=True, kw_only=True)
class Force:
    gravity_m_per_s2: tuple[float, float, float] = vector(3, -1.0e3, 1.0e3, (0.0, 0.0, -9.81))
    vortex: Vortex | None = table(Vortex, None)


@dataclass(frozen=True, kw_only=True)
class Effects:
    """[effects]: spray and foam where water breaks up, embers over lava.

    Rates (births per liquid particle and second) and radii hold at ``reference_cell_m``; both shrink with the cell, so
    that a finer size has more and smaller effects particles of the same total cross section.
    """

    capacity_per_particle: float = number(0.0, 16.0, 0.5)
    reference_cell_m: float = number(1.0e-4, 1.0e3)
    spray_per_s: float = number(0.0, 1.0e4, 0.0)
    foam_per_s: float = number(0.0, 1.0e4, 0.0)
    ember_per_s: float = number(0.0, 1.0e4, 0.0)
    speed_m_per_s: tuple[float, float] = vector(2, 0.0, 1.0e3, (4.0, 10.0))  # potential 0 and 1
    strain_per_s: tuple[float, float] = vector(2, 0.0, 1.0e5, (5.0, 30.0))
    surface_fraction: float = number(0.0, 2.0, 0.7)
    life_s: tuple[float, float] = vector(2, 0.0, 1.0e4, (0.5, 2.0))
    drag_per_s: float = number(0.0, 1.0e4, 1.0)
    radius_m: tuple[float, float] = vector(2, 1.0e-6, 1.0e3)
    wind: float = number(0.0, 10.0, 0.0)
    scatter_m_per_s: float = number(0.0, 1.0e3, 0.5)
    turbulence_m_per_s: float = number(0.0, 1.0e3, 0.5)
    ember_temperature_k: float = number(0.0, 5000.0, 1250.0)
    ember_rise_m_per_s: float = number(-1.0e3, 1.0e3, 2.0)
    ember_cooling_per_s: float = number(0.0, 1.0e4, 0.5)

    def problem(self) -> Wrong:
        for name in ("speed_m_per_s", "strain_per_s", "life_s", "radius_m"):
            low, high = getattr(self, name)
            if high < low:
                return name, "the smaller number first", [low, high]
        return None


@dataclass(frozen=True, kw_only=True)
class CameraKey:
    frame: float = number(-1.0e6, 1.0e6)
    position_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    target_m: tuple[float, float, float] = vector(3, -FAR, FAR)
    focal_length_mm: float = number(1.0, 2000.0, 35.0)
    roll_degrees: float = number(-180.0, 180.0, 0.0)

    def problem(self) -> Wrong:
        across = [abs(t - p) for p, t in zip(self.position_m, self.target_m)]
        if max(across[0], across[1]) < 1.0e-4 * max(1.0e-3, across[2]):
            return "target_m", "a point that is not straight above, below or at position_m", list(self.target_m)
        return None


@dataclass(frozen=True, kw_only=True)
class Camera:
    """[camera]: a pin-hole behind a film as wide as the sensor, moved between its keys."""

    sensor_width_mm: float = number(1.0, 200.0, 36.0)
    between: str = choice("linear", "smooth", default="smooth")
    key: tuple[CameraKey, ...] = tables(CameraKey, at_least=1)

    def problem(self) -> Wrong:
        for i, (a, b) in enumerate(zip(self.key, self.key[1:])):
            if b.frame <= a.frame:
                return f"key[{i + 1}].frame", f"more than the frame before ({a.frame:g})", b.frame
        return None


def colour(default: Any = None) -> Any:
    return vector(3, 0.0, 1.0e6, default) if default is not None else vector(3, 0.0, 1.0e6)


@dataclass(frozen=True, kw_only=True)
class Light:
    """[light]: sun and sky. Azimuth counts from +x towards +y; radiances are linear RGB."""

    sun_azimuth_degrees: float = number(-360.0, 360.0)
    sun_elevation_degrees: float = number(-90.0, 90.0)
    sun_radius_degrees: float = number(0.0, 90.0, 2.0)  # angular radius of the disc; 0: no sun
    sun_radiance: tuple[float, float, float] = colour()
    zenith_radiance: tuple[float, float, float] = colour()
    horizon_radiance: tuple[float, float, float] = colour()
    ground_radiance: tuple[float, float, float] = colour((0.05, 0.05, 0.05))
    zenith_exponent: float = number(0.01, 10.0, 0.5)
    glow_radiance: tuple[float, float, float] = colour((0.0, 0.0, 0.0))
    glow_tightness: float = number(0.0, 1.0e4, 12.0)
    cloud_radiance: tuple[float, float, float] = colour((0.0, 0.0, 0.0))
    cloud_amount: float = number(0.0, 1.0, 0.0)
    cloud_scale: float = number(0.0, 1.0e3, 1.0)
    ground_blend: float = number(1.0e-4, 1.0, 0.05)


@dataclass(frozen=True, kw_only=True)
class Look:
    """[look]: what liquid, crust, spray, ground and the surroundings look like."""

    index_of_refraction: float = number(1.0, 4.0, 1.333)
    absorption_per_m: tuple[float, float, float] = colour((0.35, 0.06, 0.05))
    water_radiance: tuple[float, float, float] = colour((0.0, 0.0, 0.0))  # that very much water tends to
    foam_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.9, 0.93, 0.95))
    foam_gain: float = number(0.0, 1.0e4, 1.5)
    ripple: float = number(0.0, 2.0, 0.0)
    ripple_m: float = number(1.0e-3, 1.0e3, 0.5)
    lava_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.05, 0.045, 0.042))
    lava_bump: float = number(0.0, 4.0, 0.4)
    lava_scale_m: float = number(1.0e-3, 1.0e3, 0.5)
    lava_crust_k: float = number(0.0, 2000.0, 150.0)
    glow_gain: float = number(0.0, 1.0e6, 1.0)
    fog_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.95, 0.96, 0.97))
    fog_anisotropy: float = number(-0.99, 0.99, 0.6)
    fog_gain: float = number(0.0, 1.0e6, 1.0)
    fog_glow_gain: float = number(0.0, 1.0e6, 1.0)
    flat_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.25, 0.22, 0.18))
    steep_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.18, 0.16, 0.14))
    steep_below: float = number(0.0, 1.0, 0.75)
    terrain_scale_m: float = number(1.0e-3, 1.0e4, 1.0)
    terrain_bump: float = number(0.0, 4.0, 0.3)
    wet_below_m: float | None = number(-FAR, FAR, None)
    collider_albedo: tuple[float, float, float] = vector(3, 0.0, 1.0, (0.4, 0.4, 0.4))
    mirror_x_min: bool = truth(False)  # the sea goes on as its mirror image beyond this side
    mirror_x_max: bool = truth(False)
    mirror_y_min: bool = truth(False)
    mirror_y_max: bool = truth(False)
    mirror_folds: int = whole(0, 64, 8)
    plane: bool = truth(False)  # a water plane goes on outside the domain
    plane_z_m: float = number(-FAR, FAR, 0.0)
    plane_ripple: float = number(0.0, 2.0, 0.0)
    plane_ripple_m: float = number(1.0e-3, 1.0e4, 1.0)
    plane_radiance: tuple[float, float, float] = colour((0.01, 0.03, 0.04))  # that deep water sends back up
    floor: bool = truth(False)
    haze_m: float = number(0.0, 1.0e6, 0.0)  # distance at which 63 % is horizon; 0: none


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    exposure: float = number(1.0e-6, 1.0e6, 1.0)
    seed: int = whole(0, 2**31 - 1, 1)


MATERIALS = {"water": Water, "lava": Lava}
KIND_OF = {
    cls: kind
    for kinds_of in (MATERIALS, COLLIDERS, BODIES, VELOCITIES, TEMPERATURES, TERRAIN_LAYERS)
    for kind, cls in kinds_of.items()
}


@dataclass(frozen=True, kw_only=True)
class ShotFile:
    """The whole file."""

    schema: int = whole(SCHEMA_VERSION, SCHEMA_VERSION)
    shot: Heading = table(Heading)
    domain: Domain = table(Domain)
    size: dict[str, Size] = named_tables(Size, SIZE_NAMES)
    material: Water | Lava = kinds(MATERIALS)
    body: tuple[Body, ...] = kind_tables(BODIES)
    emitter: tuple[Emitter, ...] = tables(Emitter, at_most=16)
    collider: tuple[Any, ...] = kind_tables(COLLIDERS, at_most=64)
    terrain: Terrain | None = table(Terrain, None)
    force: Force = table(Force, Force())
    effects: Effects | None = table(Effects, None)
    camera: Camera = table(Camera)
    light: Light = table(Light)
    look: Look = table(Look, Look())
    picture: PictureSettings = table(PictureSettings, PictureSettings())

    def problem(self) -> Wrong:
        if not self.body and not self.emitter:
            return "body", "at least one [[body]] or [[emitter]]", Got("neither")
        return None
