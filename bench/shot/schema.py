"""What a shot file may say, as frozen models; SI units stand in the names.

A field is declared with the range of its TOML key and its meaning. Positions are in metres in the shot's own frame: the
domain runs from 0 to ``domain.size_m``, z points up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic.json_schema import JsonSchemaValue

from bench.shot.picture import Camera, Light, Look, PictureSettings
from bench.shot.problem import Got, Problem, plain_key
from bench.shot.quantities import (
    FAR,
    Component,
    Coordinate,
    Kelvin,
    Pair,
    Place,
    Point,
    Share,
    Speed,
    Tables,
    Triple,
    Vector,
)
from bench.shot.shapes import Body, TerrainLayer
from bench.shot.sizes import SIZE_NAMES
from bench.shot.table import UNIT, Table

SCHEMA_VERSION = 1
PARTICLE_MAX = 2_000_000_000  # per shot and size
GRID_BLOCK_MAX = 2**25  # a particle's sort key is its block times 64 plus its cell, in an int32

Boundary = Literal["stick", "slip", "separate"]
BOUNDARIES: tuple[str, ...] = get_args(Boundary)
MEETS = "separate slides along it and leaves freely, slip slides and never leaves, stick is held"
StrainRate = Annotated[float, Field(ge=0.0, le=1.0e5)]
Duration = Annotated[float, Field(ge=0.0, le=1.0e4)]
Radius = Annotated[float, Field(ge=1.0e-6, le=1.0e3)]


class Heading(Table):
    """[shot]: what it is called and how long it runs."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="1 to 40 of a-z, 0-9, _ and -, a letter first")
    title: str = Field(
        pattern=r"^[^\x00-\x1f\x7f<>]{1,120}$", description="1 to 120 printable characters without < and >"
    )
    frames: int = Field(ge=1, le=100_000, description="frames of the shot")
    frame_rate: float = Field(
        default=24.0, ge=1.0, le=1000.0, description="frames a second", json_schema_extra={UNIT: "1/s"}
    )
    start_s: float = Field(
        default=0.0, ge=0.0, le=1.0e6, description="time of the first frame", json_schema_extra={UNIT: "s"}
    )


class Walls(Table):
    """[domain.walls]: how the fluid meets each side of the domain."""

    x_min: Boundary = Field(default="separate", description=f"side at x = 0: {MEETS}")
    x_max: Boundary = Field(default="separate", description=f"side at the largest x: {MEETS}")
    y_min: Boundary = Field(default="separate", description=f"side at y = 0: {MEETS}")
    y_max: Boundary = Field(default="separate", description=f"side at the largest y: {MEETS}")
    z_min: Boundary = Field(default="separate", description=f"bottom: {MEETS}")
    z_max: Boundary = Field(default="separate", description=f"top: {MEETS}")


class Domain(Table):
    """[domain]: the box that the fluid cannot leave."""

    size_m: Triple[Annotated[float, Field(ge=1.0e-3, le=1.0e4)]] = Field(
        description="edges along x, y and z; a size's whole cells give y and z to half a cell"
    )
    walls: Walls = Walls()


class Size(Table):
    """[size.S] and so on: the same scene, finer."""

    cells_x: int = Field(ge=8, le=16384, multiple_of=4, description="along the domain's x; 8 particles a cell")
    width: int = Field(ge=2, le=16384, description="of the picture in pixels")
    height: int = Field(ge=2, le=16384, description="of the picture in pixels")
    samples: int = Field(ge=1, le=1_048_576, description="of each pixel")
    voxel_per_cell: float = Field(default=0.5, ge=0.1, le=4.0, description="edge of a picture voxel in cells")
    max_depth: int = Field(default=24, ge=1, le=1024, description="bounces")


class Water(Table):
    """[material] kind = "water": weakly compressible, p = K (J^-7 - 1) with K = density c^2 / 7."""

    kind: Literal["water"] = "water"
    density_kg_per_m3: float = Field(default=1000.0, ge=1.0, le=3.0e4, description="density at rest")
    viscosity_pa_s: float = Field(default=1.0e-3, ge=0.0, le=1.0e5, description="dynamic viscosity")
    friction_factor: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Darcy's, of walls and solids that it separates from; absent: 0.03 where the grid does not notice "
        "its viscosity, else 0",
    )
    speed_limit_m_per_s: float = Field(
        ge=1.0e-3,
        le=1.0e3,
        description="largest speed that it is designed for: it may begin no faster, and a run that is warns",
    )
    sound_speed_m_per_s: float | None = Field(default=None, ge=1.0e-2, le=1.0e4, description="absent: 10 x the limit")


class Lava(Table):
    """[material] kind = "lava": log10 mu = A + B / (T - C), Bingham, heat (Giordano et al. 2008; Mauna Ulu 1974)."""

    gone: ClassVar = {"radiating_layer_m": "no such key any more: what radiates is as deep as its particles are thick"}

    kind: Literal["lava"] = "lava"
    density_kg_per_m3: float = Field(default=2600.0, ge=1.0, le=3.0e4, description="density at rest")
    vft_a: float = Field(default=-4.7, ge=-20.0, le=20.0, description="A of the viscosity law: log10 of Pa s")
    vft_b_k: float = Field(default=5429.7, ge=0.0, le=1.0e5, description="B of the viscosity law")
    vft_c_k: float = Field(default=595.5, ge=0.0, le=1.0e4, description="C of the viscosity law")
    viscosity_max_pa_s: float = Field(default=1500.0, ge=1.0e-3, le=1.0e9, description="viscosity of the coldest lava")
    yield_stress_pa: float = Field(default=200.0, ge=0.0, le=1.0e6, description="below it cold lava does not flow")
    yield_temperature_k: float = Field(default=1100.0, ge=1.0, le=5000.0, description="full yield stress below it")
    liquidus_k: float = Field(default=1473.0, ge=1.0, le=5000.0, description="no yield stress above it")
    papanastasiou_s: float = Field(default=10.0, ge=0.0, le=1.0e6, description="how sharply the yield stress sets in")
    specific_heat_j_per_kg_k: float = Field(default=1150.0, ge=1.0, le=1.0e5, description="specific heat capacity")
    conductivity_w_per_m_k: float = Field(default=2.0, ge=0.0, le=1.0e3, description="thermal conductivity")
    emissivity: Share = Field(default=0.95, description="of the surface, 1 for a black body")
    ambient_temperature_k: Kelvin = Field(default=300.0, description="of the surroundings that it radiates to")
    speed_limit_m_per_s: float = Field(
        ge=1.0e-3,
        le=1.0e3,
        description="largest speed that it is designed for: it may begin no faster, and a run that is warns",
    )
    sound_speed_m_per_s: float | None = Field(default=None, ge=1.0e-2, le=1.0e4, description="absent: 10 x the limit")

    def validate_together(self) -> None:
        if self.yield_temperature_k >= self.liquidus_k:
            raise Problem(
                "yield_temperature_k", f"less than liquidus_k ({self.liquidus_k:g})", self.yield_temperature_k
            )


class Emitter(Table):
    """[[emitter]]: a disc that pours."""

    centre_m: Point = Field(description="middle of the disc")
    radius_m: float = Field(ge=1.0e-4, le=1.0e4, description="of the disc")
    direction: Vector = Field(description="the liquid leaves along it; its length does not matter")
    speed_m_per_s: float = Field(ge=1.0e-3, le=1.0e3, description="at which the liquid leaves")
    temperature_k: Kelvin = Field(default=0.0, description="of the liquid")
    start_s: float = Field(default=0.0, ge=0.0, le=1.0e6, description="pours from this time of the shot on")
    end_s: float = Field(default=1.0e6, ge=0.0, le=1.0e6, description="until this time")

    def validate_together(self) -> None:
        if all(abs(d) < 1.0e-6 for d in self.direction):
            raise Problem("direction", "a vector that is not zero", list(self.direction))
        if self.end_s < self.start_s:
            raise Problem("end_s", f"at least start_s ({self.start_s:g})", self.end_s)


class Slide(Table):
    """motion of a collider, kind = "constant": along a straight line from start_s to end_s."""

    kind: Literal["constant"] = "constant"
    velocity_m_per_s: Vector = Field(description="how fast it goes")
    start_s: float = Field(default=0.0, ge=0.0, le=1.0e6, description="when it sets out, after the shot's first state")
    end_s: float = Field(default=1.0e6, ge=0.0, le=1.0e6, description="when it stops")

    def validate_together(self) -> None:
        if self.end_s < self.start_s:
            raise Problem("end_s", f"at least start_s ({self.start_s:g})", self.end_s)

    @property
    def way(self) -> Sequence[float]:
        """The direction that it moves along."""
        return self.velocity_m_per_s

    @property
    def fastest_m_per_s(self) -> float:
        return math.hypot(*self.velocity_m_per_s)


class Swing(Table):
    """motion of a collider, kind = "oscillate": to and fro about where it stands, as a sine from start_s on."""

    kind: Literal["oscillate"] = "oscillate"
    amplitude_m: Point = Field(description="how far it goes to either side")
    period_s: float = Field(ge=1.0e-3, le=1.0e6, description="time of one swing, there and back")
    start_s: float = Field(default=0.0, ge=0.0, le=1.0e6, description="when it sets out, after the shot's first state")

    @property
    def way(self) -> Sequence[float]:
        """The direction that it moves along."""
        return self.amplitude_m

    @property
    def fastest_m_per_s(self) -> float:
        return 2.0 * math.pi * math.hypot(*self.amplitude_m) / self.period_s


Motion = Annotated[Slide | Swing, Field(discriminator="kind")]
MOVES = "how it moves; absent: it stands. From frame to frame in a straight line"


class SphereCollider(Table):
    kind: Literal["sphere"] = "sphere"
    centre_m: Point = Field(description="middle")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="radius")
    boundary: Boundary = Field(default="separate", description=f"how the fluid meets it: {MEETS}")
    motion: Motion | None = Field(default=None, description=MOVES)


class BoxCollider(Table):
    kind: Literal["box"] = "box"
    min_m: Point = Field(description="lowest corner")
    max_m: Point = Field(description="highest corner")
    rounding_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="radius of its edges")
    boundary: Boundary = Field(default="separate", description=f"how the fluid meets it: {MEETS}")
    motion: Motion | None = Field(default=None, description=MOVES)

    def validate_together(self) -> None:
        if any(b <= a for a, b in zip(self.min_m, self.max_m)):
            raise Problem("max_m", "more than min_m on every axis", list(self.max_m))


class CapsuleCollider(Table):
    kind: Literal["capsule"] = "capsule"
    from_m: Point = Field(description="one end of its axis")
    to_m: Point = Field(description="the other end")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="radius")
    boundary: Boundary = Field(default="separate", description=f"how the fluid meets it: {MEETS}")
    motion: Motion | None = Field(default=None, description=MOVES)


class CylinderCollider(Table):
    """An upright solid cylinder."""

    kind: Literal["cylinder"] = "cylinder"
    centre_m: Point = Field(description="middle")
    radius_m: float = Field(ge=1.0e-3, le=FAR, description="radius")
    height_m: float = Field(ge=1.0e-3, le=FAR, description="from its foot to its top")
    rounding_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="radius of its edges")
    boundary: Boundary = Field(default="separate", description=f"how the fluid meets it: {MEETS}")
    motion: Motion | None = Field(default=None, description=MOVES)


Collider = Annotated[
    SphereCollider | BoxCollider | CapsuleCollider | CylinderCollider,
    Field(discriminator="kind"),
]


class Terrain(Table):
    """[terrain]: a height field; each layer changes what the ones before it made."""

    origin_m: Place = Field(description="corner with the smallest x and y")
    size_m: Pair[Annotated[float, Field(ge=1.0e-2, le=FAR)]] = Field(description="edges along x and y")
    spacing_per_cell: float = Field(default=1.0, ge=0.1, le=16.0, description="distance of two heights in cells")
    boundary: Boundary = Field(default="separate", description=f"how the fluid meets it: {MEETS}")
    layer: Tables[TerrainLayer] = Field(default=(), max_length=256)


class Vortex(Table):
    """[force.vortex]: a driven whirl about an upright axis."""

    centre_m: Place = Field(description="where the axis stands")
    z_low_m: Coordinate = Field(description="height of its foot")
    z_high_m: Coordinate = Field(description="height of its top")
    core_m: float = Field(ge=1.0e-3, le=1.0e4, description="radius of the fastest swirl at the foot")
    swirl_m_per_s: Component = Field(description="fastest speed round the axis")
    updraft_m_per_s: Component = Field(default=0.0, description="upward speed on the axis")
    inflow_m_per_s: Component = Field(default=0.0, description="fastest speed towards the axis")
    rate_per_s: float = Field(ge=0.0, le=1.0e4, description="how fast the liquid takes that speed on")
    flare: float = Field(default=0.0, ge=0.0, le=10.0, description="core radius growth per metre of height")
    sway_m: float = Field(default=0.0, ge=0.0, le=1.0e3, description="how far the top of the axis swings")
    reach_m: float = Field(ge=1.0e-3, le=1.0e5, description="distance at which it ends")

    def validate_together(self) -> None:
        if self.z_high_m <= self.z_low_m:
            raise Problem("z_high_m", f"more than z_low_m ({self.z_low_m:g})", self.z_high_m)


class Force(Table):
    """[force]: what moves the liquid."""

    gravity_m_per_s2: Vector = Field(default=(0.0, 0.0, -9.81), description="acceleration of free fall")
    vortex: Vortex | None = None


class Effects(Table):
    """[effects]: spray and foam where water breaks up, embers over lava.

    Rates (births per liquid particle and second) and radii hold at ``reference_cell_m``; both shrink with the cell, so
    that a finer size has more and smaller effects particles of the same total cross section.
    """

    capacity_per_particle: float = Field(default=0.5, ge=0.0, le=16.0, description="room for them, per liquid particle")
    reference_cell_m: float = Field(ge=1.0e-4, le=1.0e3, description="cell at which rates and radii hold")
    spray_per_s: float = Field(default=0.0, ge=0.0, le=1.0e4, description="rate of birth of spray")
    foam_per_s: float = Field(default=0.0, ge=0.0, le=1.0e4, description="rate of birth of foam")
    ember_per_s: float = Field(default=0.0, ge=0.0, le=1.0e4, description="rate of birth of embers")
    speed_m_per_s: Pair[Speed] = Field(default=(4.0, 10.0), description="at which spray begins, and is full")
    strain_per_s: Pair[StrainRate] = Field(default=(5.0, 30.0), description="at which foam begins, and is full")
    surface_fraction: float = Field(default=0.7, ge=0.0, le=2.0, description="fill of a cell that lies at the surface")
    life_s: Pair[Duration] = Field(default=(0.5, 2.0), description="shortest and longest life")
    drag_per_s: float = Field(default=1.0, ge=0.0, le=1.0e4, description="how fast spray takes on the air's speed")
    radius_m: Pair[Radius] = Field(description="smallest and largest radius")
    wind: float = Field(default=0.0, ge=0.0, le=10.0, description="share of the vortex' velocity that the air has")
    scatter_m_per_s: float = Field(default=0.5, ge=0.0, le=1.0e3, description="random speed at birth")
    turbulence_m_per_s: float = Field(default=0.5, ge=0.0, le=1.0e3, description="random speed of the air")
    ember_temperature_k: Kelvin = Field(default=1250.0, description="lava below it sends out no embers")
    ember_rise_m_per_s: Component = Field(default=2.0, description="of the hot air over lava")
    ember_cooling_per_s: float = Field(default=0.5, ge=0.0, le=1.0e4, description="rate at which embers cool")

    def validate_together(self) -> None:
        for name in ("speed_m_per_s", "strain_per_s", "life_s", "radius_m"):
            low, high = getattr(self, name)
            if high < low:
                raise Problem(name, "the smaller number first", [low, high])


def _by_size(value: object) -> object:
    """The tables of the sizes in rising order; raises Problem on other names."""
    expected = "tables under " + ", ".join(SIZE_NAMES)
    if not isinstance(value, dict) or not value:
        raise Problem("", expected, value)
    for name in value:
        if name not in SIZE_NAMES:
            raise Problem(plain_key(name), expected, Got("an unknown key"))
    return {name: value[name] for name in SIZE_NAMES if name in value}


def _complete_sizes(schema: JsonSchemaValue) -> None:
    size = schema.pop("additionalProperties")
    schema.update(properties=dict.fromkeys(SIZE_NAMES, size), additionalProperties=False, minProperties=1)


class ShotFile(Table):
    """A shot: one scene, what moves it, how it looks, and the sizes that it is simulated and rendered at."""

    schema_: int = Field(alias="schema", ge=SCHEMA_VERSION, le=SCHEMA_VERSION, description="version of this format")
    shot: Heading
    domain: Domain
    size: Annotated[dict[str, Size], BeforeValidator(_by_size)] = Field(json_schema_extra=_complete_sizes)
    material: Water | Lava = Field(discriminator="kind")
    body: Tables[Body] = Field(default=(), max_length=256)
    emitter: Tables[Emitter] = Field(default=(), max_length=16)
    collider: Tables[Collider] = Field(default=(), max_length=64)
    terrain: Terrain | None = None
    force: Force = Force()
    effects: Effects | None = None
    camera: Camera
    light: Light
    look: Look = Look()
    picture: PictureSettings = PictureSettings()

    def validate_together(self) -> None:
        if not self.body and not self.emitter:
            raise Problem("body", "at least one [[body]] or [[emitter]]", Got("neither"))
        if self.effects is not None and self.effects.ember_per_s > 0.0 and isinstance(self.material, Water):
            raise Problem("effects.ember_per_s", "0 with water: embers come from lava", self.effects.ember_per_s)
