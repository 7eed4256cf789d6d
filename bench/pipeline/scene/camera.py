"""The camera of a frame: keys, interpolation, an orthonormal frame. Only + - * / and square root in float64."""

from __future__ import annotations

import numpy as np

from bench.pipeline.scene.exact import Array, normalised, sin_cos_degrees
from bench.shot.picture import Camera
from kernels.base.constants import CAMERA_FORWARD, CAMERA_ORIGIN, CAMERA_RIGHT, CAMERA_UP, CAMERA_WORDS


def camera_vector(camera: Camera, frame: float, aspect: float, offset_m: float) -> Array:
    """float32[CAMERA_WORDS]: origin (grid-local m), forward, right * tan(half width), up * tan(half height).

    ``aspect`` is height over width. Position, target, focal length and roll move between keys.
    """
    position, target, focal_mm, roll_degrees = _between(camera, frame)
    forward = normalised([t - p for p, t in zip(position, target)])
    level = normalised([forward[1], -forward[0], 0.0])
    upright = _cross(level, forward)
    s, c = sin_cos_degrees(roll_degrees)
    right = [c * a + s * b for a, b in zip(level, upright)]
    up = [c * b - s * a for a, b in zip(level, upright)]
    half_width = 0.5 * camera.sensor_width_mm / focal_mm
    out = np.zeros(CAMERA_WORDS, np.float32)
    out[CAMERA_ORIGIN : CAMERA_ORIGIN + 3] = [p + offset_m for p in position]
    out[CAMERA_FORWARD : CAMERA_FORWARD + 3] = forward
    out[CAMERA_RIGHT : CAMERA_RIGHT + 3] = [v * half_width for v in right]
    out[CAMERA_UP : CAMERA_UP + 3] = [v * half_width * aspect for v in up]
    return out


def _between(camera: Camera, frame: float) -> tuple[list[float], list[float], float, float]:
    keys = camera.key
    before, after = keys[0], keys[0]
    for key in keys:
        if key.frame <= frame:
            before = after = key
        else:
            after = key
            break
    if after is before or frame <= before.frame:
        return list(before.position_m), list(before.target_m), before.focal_length_mm, before.roll_degrees
    t = (frame - before.frame) / (after.frame - before.frame)
    if camera.between == "smooth":
        t = t * t * (3.0 - 2.0 * t)

    def mix(a: float, b: float) -> float:
        return a + (b - a) * t

    return (
        [mix(a, b) for a, b in zip(before.position_m, after.position_m)],
        [mix(a, b) for a, b in zip(before.target_m, after.target_m)],
        mix(before.focal_length_mm, after.focal_length_mm),
        mix(before.roll_degrees, after.roll_degrees),
    )


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
