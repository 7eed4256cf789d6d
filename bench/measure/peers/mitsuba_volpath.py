"""Mitsuba 3's ``volpath`` on a cloud, as a program of its own: VARIANT THREADS WIDTH SAMPLES CLOUD.npz.

CLOUD.npz holds ``extinction`` (n, n, n) at the nodes x, y, z of the unit cube, ``albedo``, ``phase``, ``half_width``
and ``max_depth``. Mitsuba's grid volume is cell-centred, so its cube is made half a cell wider on every side: then the
centres of its cells are our nodes. Each line on standard input names a seed and a file for the picture.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from bench.measure.peers.protocol import answer


def make_scene(mi: ModuleType, cloud: Mapping[str, np.ndarray], width: int, samples: int) -> object:
    """The camera, cube and even sky of ``bench.measure.peers.compare.cloud_arguments``."""
    extinction = np.ascontiguousarray(cloud["extinction"].transpose(2, 1, 0)[..., None], np.float32)
    nodes = extinction.shape[0]
    spacing = 1.0 / (nodes - 1)
    transform = mi.ScalarTransform4f
    peak = float(extinction.max())
    interior = {
        "type": "heterogeneous",
        "albedo": float(cloud["albedo"]),
        "scale": peak,
        "sigma_t": {
            "type": "gridvolume",
            "grid": mi.VolumeGrid(extinction / peak),
            "to_world": transform().translate([-0.5 * spacing] * 3).scale([nodes * spacing] * 3),
            "filter_type": "trilinear",
            "wrap_mode": "clamp",
            "accel": False,
        },
        "phase": {"type": "hg", "g": float(cloud["phase"])},
    }
    made: object = mi.load_dict(
        {
            "type": "scene",
            # Russian roulette off: the same work on both sides
            "integrator": {"type": "volpath", "max_depth": int(cloud["max_depth"]), "rr_depth": 100_000},
            "sensor": {
                "type": "perspective",
                "fov": 2.0 * math.degrees(math.atan(float(cloud["half_width"]))),
                "to_world": transform().look_at(origin=[0.5, -1.2, 0.5], target=[0.5, 0.0, 0.5], up=[0, 0, 1]),
                "film": {
                    "type": "hdrfilm",
                    "width": width,
                    "height": width,
                    "pixel_format": "rgb",
                    "component_format": "float32",
                    "rfilter": {"type": "box"},
                },
                "sampler": {"type": "independent", "sample_count": samples},
            },
            "sky": {"type": "constant", "radiance": 1.0},
            "cube": {
                "type": "cube",
                "to_world": transform().translate([0.5] * 3).scale([0.5] * 3),
                "bsdf": {"type": "null"},
                "interior": interior,
            },
        }
    )
    return made


def main(variant: str, threads: int, width: int, samples: int, cloud_path: str) -> None:
    import drjit
    import mitsuba as mi

    mi.set_variant(variant)
    drjit.set_thread_count(threads)
    scene = make_scene(mi, np.load(cloud_path), width, samples)
    np.array(mi.render(scene, seed=0))  # compiles
    answer(version=mi.__version__)
    for line in sys.stdin:
        seed, path = line.split(maxsplit=1)
        start = time.perf_counter()
        picture = np.array(mi.render(scene, seed=int(seed)))
        seconds = time.perf_counter() - start
        np.save(path.strip(), picture)
        answer(seconds=seconds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
