"""python -m tests.emulator.golden [SHOT...]: the first frame at size S through the GPU's back-end in the emulator.

State and picture are held against the committed SHA-256. It takes one to some minutes a shot.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.check.golden import expected, load_golden
from bench.pipeline.frame import make_frame
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot, shot_names
from tests.emulator.gpu import emulated_gpu


def main() -> int:
    golden, failed = load_golden(), False
    for name in sys.argv[1:] or shot_names():
        wanted = expected(golden, name, "S", 1)
        assert wanted is not None, f"{name} has no golden hashes"
        with tempfile.TemporaryDirectory() as cache:
            start = time.perf_counter()
            scene, gpu = build_scene(load_shot(name), "S"), emulated_gpu(Path(cache))
            simulation, renderer = Simulation(scene, gpu), Renderer(scene, gpu)
            made = make_frame(simulation, renderer, 1)
            found = {"state": simulation.state_digest(), "picture": made.picture.digest}
        wrong = [what for what in found if found[what] != wanted[what]]
        failed |= bool(wrong)
        verdict = f"other {' and '.join(wrong)}" if wrong else "golden state and picture"
        seconds = time.perf_counter() - start
        print(
            f"{name} S frame 1: {verdict}, {made.simulated.particle_substeps:,} particle-substeps, {seconds:.0f} s",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
