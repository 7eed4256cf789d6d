"""How long a shot at a larger size will take, guessed from what its smallest size took."""

from __future__ import annotations

import time
from typing import Any

from bench.backend.protocol import Backend
from bench.pipeline.frame import SceneBuilder
from bench.pipeline.scene.build import Scene
from bench.shot.load import Shot

SCENE_MARGIN = 1.5  # over the time that a larger scene's building is forecast to take


class Forecast:
    """What building and measuring took so far, by shot and size, and what follows from it for other sizes."""

    def __init__(self, first: str) -> None:
        self.first = first  # the smallest size
        self.spent_s: dict[tuple[str, str], float] = {}  # what a shot's measurement took
        self._scene_s: dict[tuple[str, str], float] = {}

    def timed(self, build: SceneBuilder) -> SceneBuilder:
        """The same builder of scenes, with its time noted."""

        def timed(shot: Shot, size: str, **how: Any) -> Scene:
            start = time.monotonic()
            scene = build(shot, size, **how)
            self._scene_s[shot.name, size] = time.monotonic() - start
            return scene

        return timed

    def seconds(self, shot: Shot, size: str, backend: Backend) -> float:
        """What cannot be stopped once it has begun is a scene on the host; on a CPU a whole frame."""
        from bench.pipeline.scene.estimate import estimate

        first = self.first
        if size == first or (shot.name, first) not in self._scene_s:
            return 0.0
        small, large = estimate(shot, first), estimate(shot, size)
        particles = large.particle_count / max(1, small.particle_count)
        scene_s = SCENE_MARGIN * particles * self._scene_s[shot.name, first]
        if backend.is_gpu:
            return scene_s
        steps = particles * large.substeps_per_frame / small.substeps_per_frame
        return scene_s + max(steps, large.sample_count / small.sample_count) * self.spent_s[shot.name, first]
