"""The same fog through Mitsuba 3's ``volpath`` and through our tracer: a z-test for every pixel.

Mitsuba's ``gridvolume`` holds values at the centres of n^3 cells over the unit cube, our bricks at nodes. Both mean the
same function when our nodes stand at those centres: voxel 1/n, everything moved by half a voxel. The outermost layer
is empty, so what either does beyond the last value (clamp, end) is the same.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from kernels.base import constants as k
from tests.support import trace_scene as scene

CELLS, EDGE, SAMPLES = 24, 20, 1024
ALBEDO, PHASE = 0.9, 0.3
HALF_WIDTH = 0.36
ORIGIN, TARGET = (0.5, -1.2, 0.7), (0.5, 0.5, 0.5)


def extinction() -> np.ndarray:
    """Random billows, 1/m, with an empty rim and an empty hole; indices x, y, z."""
    dense = np.random.default_rng(11).random((CELLS, CELLS, CELLS)).astype(np.float32) ** 2 * np.float32(14.0)
    dense[8:12, :, 10:20] = 0.0
    for axis in range(3):
        np.moveaxis(dense, axis, 0)[[0, -1]] = 0.0
    return dense


def peer_picture(mitsuba: object, dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, variance of the mean) of Mitsuba's picture of it under an even sky."""
    mi = mitsuba
    mi.set_variant("scalar_rgb")  # type: ignore[attr-defined]
    peak = float(dense.max())
    transform = mi.ScalarTransform4f  # type: ignore[attr-defined]
    grid = mi.VolumeGrid(np.ascontiguousarray(dense.transpose(2, 1, 0)[..., None]) / peak)  # type: ignore[attr-defined]
    path = {"type": "volpath", "max_depth": 64, "rr_depth": 1000}
    description = {
        "type": "scene",
        "integrator": {"type": "moment", "nested": path},
        "sensor": {
            "type": "perspective",
            "fov": float(np.degrees(2 * np.arctan(HALF_WIDTH))),
            "to_world": transform().look_at(origin=ORIGIN, target=TARGET, up=[0, 0, 1]),
            "film": {
                "type": "hdrfilm",
                "width": EDGE,
                "height": EDGE,
                "pixel_format": "rgb",
                "component_format": "float32",
                "rfilter": {"type": "box"},
            },
            "sampler": {"type": "independent", "sample_count": SAMPLES},
        },
        "sky": {"type": "constant", "radiance": 1.0},
        "cube": {
            "type": "cube",
            "to_world": transform().translate([0.5, 0.5, 0.5]) @ transform().scale([0.5, 0.5, 0.5]),
            "bsdf": {"type": "null"},
            "interior": {
                "type": "heterogeneous",
                "albedo": ALBEDO,
                "scale": peak,
                "sigma_t": {"type": "gridvolume", "grid": grid, "filter_type": "trilinear", "accel": False},
                "phase": {"type": "hg", "g": PHASE},
            },
        },
    }
    picture = np.array(mi.render(mi.load_dict(description), seed=3))  # type: ignore[attr-defined]
    # The moments are of X, Y, Z; the fog is grey, so Y is what each of our channels is
    mean, square = picture[..., -5:-4], picture[..., -2:-1]
    return mean, np.maximum(square - mean**2, 0.0) / SAMPLES


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_fog_looks_the_same():
    mitsuba = pytest.importorskip("mitsuba")
    dense = extinction()
    theirs, theirs_variance = peer_picture(mitsuba, dense)
    args = scene.empty(EDGE, EDGE)
    voxel = 1.0 / CELLS
    scene.add_fog(args, dense, voxel, ALBEDO, PHASE)
    scene.even_sky(args)
    shift = np.float32(0.5 * voxel)
    scene.look_at(args, np.array(ORIGIN) - shift, np.array(TARGET) - shift, HALF_WIDTH)
    args["max_depth"], args["roulette_depth"] = 64, 1000
    ours, variance = scene.trace(args, SAMPLES)
    assert args["work_inout"].sum(axis=0)[k.WORK_SCATTERS] > EDGE * EDGE * SAMPLES / 2
    z = np.abs(ours - theirs) / np.sqrt(np.maximum(variance + theirs_variance, 1e-10))
    # The channels are one measurement: the fog is grey. Sidak keeps the family's false alarms at 1 %
    limit = NormalDist().inv_cdf(1 - (1 - (1 - 0.01) ** (1 / (EDGE * EDGE))) / 2)
    assert (z[..., 0] < limit).mean() >= 0.9975
    error = np.sqrt((variance + theirs_variance)[..., 0].sum()) / (EDGE * EDGE)
    assert abs(float(ours[..., 0].mean() - theirs[..., 0].mean())) < 3 * error
