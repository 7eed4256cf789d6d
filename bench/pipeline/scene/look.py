"""Light and look of a shot as the parameter vectors that the tracer reads."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np

from bench.pipeline.scene.exact import Array, sin_cos_degrees
from bench.shot.picture import Light
from bench.shot.schema import Lava, ShotFile
from kernels.base import constants as k

GLOW_LOW_K, GLOW_HIGH_K = 600.0, 1800.0
BLACKBODY = Path(__file__).parent / "blackbody.csv"


@cache
def glow_lut() -> Array:
    """float32[256, 3]: linear Rec.709 radiance of a black body from 600 to 1800 K; 1 is the luminance at 1400 K.

    The committed table is Planck's law times the CIE 1931 observer (``tests/reference/blackbody.py`` makes it).
    """
    with open(BLACKBODY, newline="", encoding="ascii") as file:
        rows = [[float(v) for v in row] for row in csv.reader(line for line in file if not line.startswith("#"))]
    table = np.array(rows, np.float64)[:, 1:].astype(np.float32)
    if table.shape != (k.GLOW_LUT_SIZE, 3):
        raise ValueError(f"{BLACKBODY.name}: {table.shape}")
    table.setflags(write=False)
    return table


def sky_vector(light: Light) -> Array:
    """float32[SKY_WORDS]. The sun's azimuth counts from +x towards +y."""
    out = np.zeros(k.SKY_WORDS, np.float32)
    sine, cosine = sin_cos_degrees(light.sun_azimuth_degrees)
    rise, flat = sin_cos_degrees(light.sun_elevation_degrees)
    out[k.SKY_SUN_X : k.SKY_SUN_X + 3] = [flat * cosine, flat * sine, rise]
    out[k.SKY_SUN_COS] = sin_cos_degrees(light.sun_radius_degrees)[1]
    out[k.SKY_SUN_R : k.SKY_SUN_R + 3] = light.sun_radiance
    out[k.SKY_ZENITH_R : k.SKY_ZENITH_R + 3] = light.zenith_radiance
    out[k.SKY_HORIZON_R : k.SKY_HORIZON_R + 3] = light.horizon_radiance
    out[k.SKY_GROUND_R : k.SKY_GROUND_R + 3] = light.ground_radiance
    out[k.SKY_EXPONENT] = light.zenith_exponent
    out[k.SKY_GLOW_R : k.SKY_GLOW_R + 3] = light.glow_radiance
    out[k.SKY_GLOW_WIDTH] = light.glow_tightness
    out[k.SKY_CLOUD_R : k.SKY_CLOUD_R + 3] = light.cloud_radiance
    out[k.SKY_CLOUD_AMOUNT] = light.cloud_amount
    out[k.SKY_CLOUD_SCALE] = light.cloud_scale
    out[k.SKY_GROUND_BLEND] = light.ground_blend
    return out


def look_vector(file: ShotFile, offset_m: float) -> Array:
    """float32[LOOK_WORDS]; heights become grid-local. LOOK_TIME is the shot's start; the renderer moves it on."""
    look = file.look
    out = np.zeros(k.LOOK_WORDS, np.float32)
    colours = (
        (k.LOOK_ABSORB_R, look.absorption_per_m),
        (k.LOOK_WATER_R, look.water_radiance),
        (k.LOOK_FOAM_R, look.foam_albedo),
        (k.LOOK_LAVA_R, look.lava_albedo),
        (k.LOOK_FOG_R, look.fog_albedo),
        (k.LOOK_TERRAIN_A_R, look.flat_albedo),
        (k.LOOK_TERRAIN_B_R, look.steep_albedo),
        (k.LOOK_COLLIDER_R, look.collider_albedo),
        (k.LOOK_PLANE_R, look.plane_radiance),
    )
    for slot, colour in colours:
        out[slot : slot + 3] = colour
    for slot, value in (
        (k.LOOK_LIQUID, k.LIQUID_LAVA if isinstance(file.material, Lava) else k.LIQUID_WATER),
        (k.LOOK_IOR, look.index_of_refraction),
        (k.LOOK_FOAM_GAIN, look.foam_gain),
        (k.LOOK_LAVA_BUMP, look.lava_bump),
        (k.LOOK_LAVA_SCALE, look.lava_scale_m),
        (k.LOOK_LAVA_CRUST_K, look.lava_crust_k),
        (k.LOOK_GLOW_GAIN, look.glow_gain),
        (k.LOOK_GLOW_LOW_K, GLOW_LOW_K),
        (k.LOOK_GLOW_HIGH_K, GLOW_HIGH_K),
        (k.LOOK_FOG_PHASE, look.fog_anisotropy),
        (k.LOOK_FOG_GAIN, look.fog_gain),
        (k.LOOK_FOG_GLOW_GAIN, look.fog_glow_gain),
        (k.LOOK_TERRAIN_SCALE, look.terrain_scale_m),
        (k.LOOK_TERRAIN_BUMP, look.terrain_bump),
        (k.LOOK_TERRAIN_STEEP, look.steep_below),
        (k.LOOK_TERRAIN_WET_Z, -1.0e30 if look.wet_below_m is None else look.wet_below_m + offset_m),
        (k.LOOK_MIRROR_X_LOW, look.mirror_x_min),
        (k.LOOK_MIRROR_X_HIGH, look.mirror_x_max),
        (k.LOOK_MIRROR_Y_LOW, look.mirror_y_min),
        (k.LOOK_MIRROR_Y_HIGH, look.mirror_y_max),
        (k.LOOK_MIRROR_FOLDS, look.mirror_folds),
        (k.LOOK_PLANE_ON, look.plane),
        (k.LOOK_PLANE_Z, look.plane_z_m + offset_m),
        (k.LOOK_PLANE_RIPPLE, look.plane_ripple),
        (k.LOOK_PLANE_SCALE, look.plane_ripple_m),
        (k.LOOK_HAZE, look.haze_m),
        (k.LOOK_EXPOSURE, file.picture.exposure),
        (k.LOOK_TIME, file.shot.start_s),
        (k.LOOK_FLOOR_ON, look.floor),
        (k.LOOK_FLOOR_Z, offset_m),
        (k.LOOK_RIPPLE, look.ripple),
        (k.LOOK_RIPPLE_SCALE, look.ripple_m),
    ):
        out[slot] = value
    return out
