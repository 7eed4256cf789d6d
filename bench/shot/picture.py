"""What a shot file may say of the picture: camera, light, look, exposure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.shot.problem import Problem
from bench.shot.quantities import Albedo, Colour, Coordinate, Point, Share, Tables
from bench.shot.table import Table


class CameraKey(Table):
    frame: float = Field(ge=-1.0e6, le=1.0e6, description="when the camera is there")
    position_m: Point = Field(description="where it stands")
    target_m: Point = Field(description="what it looks at")
    focal_length_mm: float = Field(default=35.0, ge=1.0, le=2000.0, description="focal length")
    roll_degrees: float = Field(default=0.0, ge=-180.0, le=180.0, description="about the line of sight")

    def validate_together(self) -> None:
        across = [abs(t - p) for p, t in zip(self.position_m, self.target_m)]
        if max(across[0], across[1]) < 1.0e-4 * max(1.0e-3, across[2]):
            raise Problem("target_m", "a point that is not straight above, below or at position_m", list(self.target_m))


class Camera(Table):
    """[camera]: a pinhole camera, moved between its keys."""

    sensor_width_mm: float = Field(default=36.0, ge=1.0, le=200.0, description="width of the sensor")
    between: Literal["linear", "smooth"] = Field(default="smooth", description="how it moves from key to key")
    key: Tables[CameraKey] = Field(min_length=1, max_length=256)

    def validate_together(self) -> None:
        for i, (a, b) in enumerate(zip(self.key, self.key[1:])):
            if b.frame <= a.frame:
                raise Problem(f"key[{i + 1}].frame", f"more than the frame before ({a.frame:g})", b.frame)


class Light(Table):
    """[light]: sun and sky. Azimuth counts from +x towards +y; radiances are linear RGB."""

    sun_azimuth_degrees: float = Field(ge=-360.0, le=360.0, description="of the sun, from +x towards +y")
    sun_elevation_degrees: float = Field(ge=-90.0, le=90.0, description="of the sun over the horizon")
    sun_radius_degrees: float = Field(default=2.0, ge=0.0, le=90.0, description="angular radius of the disc; 0: no sun")
    sun_radiance: Colour = Field(description="of the disc")
    zenith_radiance: Colour = Field(description="of the sky overhead")
    horizon_radiance: Colour = Field(description="of the sky at the horizon")
    ground_radiance: Colour = Field(default=(0.05, 0.05, 0.05), description="of the ground straight down")
    zenith_exponent: float = Field(default=0.5, ge=0.01, le=10.0, description="zenith share is z^exponent")
    glow_radiance: Colour = Field(default=(0.0, 0.0, 0.0), description="of the glow round the sun")
    glow_tightness: float = Field(default=12.0, ge=0.0, le=1.0e4, description="4 wide, 60 tight")
    cloud_radiance: Colour = Field(default=(0.0, 0.0, 0.0), description="of clouds")
    cloud_amount: Share = Field(default=0.0, description="0 none to 1 overcast")
    cloud_scale: float = Field(default=1.0, ge=0.0, le=1.0e3, description="size of clouds: 1 is a few across the sky")
    ground_blend: float = Field(default=0.05, ge=1.0e-4, le=1.0, description="0.05: sharp horizon")


class Look(Table):
    """[look]: what liquid, crust, spray, ground and the surroundings look like."""

    index_of_refraction: float = Field(default=1.333, ge=1.0, le=4.0, description="of the liquid")
    absorption_per_m: Colour = Field(default=(0.35, 0.06, 0.05), description="of light in the liquid: red, green, blue")
    water_radiance: Colour = Field(default=(0.0, 0.0, 0.0), description="that very much water tends to")
    foam_albedo: Albedo = Field(default=(0.9, 0.93, 0.95), description="of foam")
    foam_gain: float = Field(default=1.5, ge=0.0, le=1.0e4, description="coverage = 1 - exp(-gain x foam)")
    ripple: float = Field(default=0.0, ge=0.0, le=2.0, description="slope of fine waves; 0: none")
    ripple_m: float = Field(default=0.5, ge=1.0e-3, le=1.0e3, description="their wavelength")
    lava_albedo: Albedo = Field(default=(0.05, 0.045, 0.042), description="of cold crust")
    lava_bump: float = Field(default=0.4, ge=0.0, le=4.0, description="slope of the crust: 0 smooth, 0.5 rough")
    lava_scale_m: float = Field(default=0.5, ge=1.0e-3, le=1.0e3, description="size of the crust's largest feature")
    lava_crust_k: float = Field(default=150.0, ge=0.0, le=2000.0, description="how much colder plates are than cracks")
    glow_gain: float = Field(default=1.0, ge=0.0, le=1.0e6, description="factor on the light of hot lava")
    fog_albedo: Albedo = Field(default=(0.95, 0.96, 0.97), description="of spray and mist")
    fog_anisotropy: float = Field(default=0.6, ge=-0.99, le=0.99, description="mean cosine: 0 even, 1 forward")
    fog_gain: float = Field(default=1.0, ge=0.0, le=1.0e6, description="factor on the density of fog")
    fog_glow_gain: float = Field(default=1.0, ge=0.0, le=1.0e6, description="factor on the light of embers")
    flat_albedo: Albedo = Field(default=(0.25, 0.22, 0.18), description="of flat ground")
    steep_albedo: Albedo = Field(default=(0.18, 0.16, 0.14), description="of steep ground")
    steep_below: Share = Field(default=0.75, description="ground is steep where its normal's z is below this")
    terrain_scale_m: float = Field(default=1.0, ge=1.0e-3, le=1.0e4, description="size of the ground's largest feature")
    terrain_bump: float = Field(default=0.3, ge=0.0, le=4.0, description="slope of the ground's normals")
    wet_below_m: Coordinate | None = Field(default=None, description="ground is dark and wet below; absent: none")
    collider_albedo: Albedo = Field(default=(0.4, 0.4, 0.4), description="of colliders")
    mirror_x_min: bool = Field(default=False, description="the sea goes on as its mirror image beyond this side")
    mirror_x_max: bool = Field(default=False, description="and beyond this one")
    mirror_y_min: bool = Field(default=False, description="and beyond this one")
    mirror_y_max: bool = Field(default=False, description="and beyond this one")
    mirror_folds: int = Field(default=8, ge=0, le=64, description="mirrorings before a path goes on unfolded")
    plane: bool = Field(default=False, description="a water plane goes on outside the domain")
    plane_z_m: Coordinate = Field(default=0.0, description="height of that plane")
    plane_ripple: float = Field(default=0.0, ge=0.0, le=2.0, description="slope of its waves")
    plane_ripple_m: float = Field(default=1.0, ge=1.0e-3, le=1.0e4, description="their wavelength")
    plane_radiance: Colour = Field(default=(0.01, 0.03, 0.04), description="that deep water sends back up")
    floor: bool = Field(default=False, description="the domain's bottom is a floor that looks like terrain")
    haze_m: float = Field(default=0.0, ge=0.0, le=1.0e6, description="distance at which 63 % is horizon; 0: none")


class PictureSettings(Table):
    exposure: float = Field(default=1.0, ge=1.0e-6, le=1.0e6, description="factor on radiance, for PNG")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="of the samples")
