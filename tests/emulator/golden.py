"""python -m tests.emulator.golden [SHOT...] [--checked]: frame 1 at size S through the GPU's back-end in the emulator.

State and picture are held against the committed SHA-256. It takes one to some minutes a shot; with --checked, which
looks at every access and every cast of a float to a whole number, some twenty times as long.
"""

from __future__ import annotations

import argparse
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
    parser = argparse.ArgumentParser(prog="python -m tests.emulator.golden", description=__doc__)
    parser.add_argument("shots", nargs="*", metavar="SHOT", help="; all when none is named")
    parser.add_argument("--checked", action="store_true", help="in the build that finds races and undefined casts")
    chosen = parser.parse_args()
    golden, failed = load_golden(), False
    for name in chosen.shots or shot_names():
        wanted = expected(golden, name, "S", 1)
        assert wanted is not None, f"{name} has no golden hashes"
        with tempfile.TemporaryDirectory() as cache:
            start = time.perf_counter()
            scene, gpu = build_scene(load_shot(name), "S"), emulated_gpu(Path(cache), checked=chosen.checked)
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
