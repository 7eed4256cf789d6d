"""How long a shot at a larger size will take, guessed from what its smaller sizes took."""

from __future__ import annotations

import time
from typing import Any

from bench.backend.protocol import Backend
from bench.pipeline.frame import SceneBuilder
from bench.pipeline.scene.build import Scene
from bench.pipeline.scene.estimate import Estimate, estimate
from bench.shot.load import Shot

SCENE_MARGIN = 1.5  # over the time that a larger scene's building is forecast to take


def growth(small: Estimate, large: Estimate) -> float:
    """How many times as long a frame takes: by the stage that grows most."""
    steps = large.sound_steps_per_frame / small.sound_steps_per_frame
    return max(steps * large.particle_count / max(1, small.particle_count), large.sample_count / small.sample_count)


class Forecast:
    """What building and measuring took so far, by shot and size, and what follows from it for other sizes."""

    def __init__(self, first: str) -> None:
        self.first = first  # the smallest size
        self.spent_s: dict[tuple[str, str], float] = {}  # what a shot's measurement took
        self.frame_s: dict[str, dict[str, float]] = {}  # of a GPU, by shot and size, in the order of measuring
        self._scene_s: dict[tuple[str, str], float] = {}

    def timed(self, build: SceneBuilder) -> SceneBuilder:
        """The same builder of scenes, with its time noted."""

        def timed(shot: Shot, size: str, **how: Any) -> Scene:
            start = time.monotonic()
            scene = build(shot, size, **how)
            self._scene_s[shot.name, size] = time.monotonic() - start
            return scene

        return timed

    def seconds(self, shot: Shot, size: str, backend: Backend, frames: int) -> float:
        """The least that is of any use: the scene, and on a GPU so many frames; on a CPU all, as at the first size."""
        first = self.first
        if size == first or (shot.name, first) not in self._scene_s:
            return 0.0
        small, large = estimate(shot, first), estimate(shot, size)
        particles = large.particle_count / max(1, small.particle_count)
        scene_s = SCENE_MARGIN * particles * self._scene_s[shot.name, first]
        if not backend.is_gpu:
            return scene_s + growth(small, large) * self.spent_s[shot.name, first]
        # The first size is bound by launches: what it took says nothing of larger ones
        known = {name: seconds for name, seconds in self.frame_s.get(shot.name, {}).items() if name != first}
        if not known:
            return scene_s
        below, frame_s = list(known.items())[-1]
        return scene_s + frames * frame_s * growth(estimate(shot, below), large)
