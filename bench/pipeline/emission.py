"""What emitters let out: how many particles by when, and the vector that their kernel reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.backend.protocol import Backend, DeviceArray
from bench.pipeline.scene.build import EmitterDisc, Scene
from kernels.base import constants as k


@dataclass
class Source:
    """An emitter's count of what it has let out."""

    emitter: EmitterDisc
    start_s: float  # when it begins, not before the shot does
    flux_per_s: float  # particles
    vector: DeviceArray  # float32[EMITTER_WORDS]
    emitted: int = 0  # particles so far

    @classmethod
    def of(cls, emitter: EmitterDisc, scene: Scene, backend: Backend) -> Source:
        """The source that an emitter of a scene is, with its vector on the device."""
        volume = float(scene.material[k.MATERIAL_PARTICLE_VOLUME])
        flux = math.pi * emitter.radius_m * emitter.radius_m * emitter.speed_m_per_s / volume
        vector = np.zeros(k.EMITTER_WORDS, np.float32)
        vector[k.EMITTER_X : k.EMITTER_X + 3] = emitter.centre
        vector[k.EMITTER_DIRECTION : k.EMITTER_DIRECTION + 3] = emitter.direction
        vector[k.EMITTER_RADIUS], vector[k.EMITTER_SPEED] = emitter.radius_m, emitter.speed_m_per_s
        vector[k.EMITTER_TEMPERATURE] = emitter.temperature_K
        vector[k.EMITTER_VISCOSITY] = scene.material[k.MATERIAL_VISCOSITY_MAX]
        return cls(emitter, max(emitter.start_s, scene.start_time), max(flux, 1.0e-12), backend.array(vector))

    def due(self, time_s: float) -> int:
        """Particles that have left by ``time_s``: the n-th leaves at (n + 1/2) / flux."""
        seconds = min(time_s, self.emitter.end_s) - self.start_s
        return max(0, math.floor(seconds * self.flux_per_s + 0.5))
