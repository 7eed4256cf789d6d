"""What a camera sees through a clear or absorbing ball under a sky: closed form per ray, float64.

Inside a ball every internal reflection has the same angle, so the light of a ray is a series that can be summed:
reflection off the front, then after 1, 2, ... chords the refracted parts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CHORDS = 24


def _fresnel(cosine: np.ndarray, inside: np.ndarray, eta: float) -> np.ndarray:
    s = (cosine - eta * inside) / (cosine + eta * inside)
    p = (eta * cosine - inside) / (eta * cosine + inside)
    return (s * s + p * p) / 2


def glass_ball(
    camera: np.ndarray,
    width: int,
    height: int,
    centre: tuple[float, float, float],
    radius: float,
    eta: float,
    absorption: float,
    sky: Callable[[np.ndarray], np.ndarray],
    subpixels: int,
) -> np.ndarray:
    """Mean radiance float64[height, width, 3] over subpixels^2 rays a pixel; ``sky`` takes z of directions."""
    c = np.asarray(camera, np.float64)
    x = (np.arange(width * subpixels) + 0.5) / (width * subpixels) * 2 - 1
    y = 1 - (np.arange(height * subpixels) + 0.5) / (height * subpixels) * 2
    d = c[3:6] + x[None, :, None] * c[6:9] + y[:, None, None] * c[9:12]
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    to_centre = np.asarray(centre, np.float64) - c[:3]
    along = d @ to_centre
    miss2 = to_centre @ to_centre - along**2
    hit = (miss2 < radius**2) & (along > 0)
    half = np.sqrt(np.maximum(radius**2 - miss2, 0))
    normal = (d * (along - half)[..., None] - to_centre) / radius
    cosine = np.clip(-(d * normal).sum(-1), 0, 1)
    inside = np.sqrt(1 - (1 - cosine**2) / eta**2)
    reflectance = _fresnel(cosine, inside, eta)
    mirrored = d + 2 * cosine[..., None] * normal
    light = reflectance[..., None] * sky(mirrored[..., 2])
    # Follow the refracted ray through its chords; at each end a part leaves
    inner = d / eta + (cosine / eta - inside)[..., None] * normal
    through = np.exp(-absorption * 2 * radius * inside)
    carried = (1 - reflectance) * through
    at = normal
    for _ in range(CHORDS):
        at = at + 2 * inside[..., None] * inner  # on the unit ball
        out = eta * inner + (cosine - eta * inside)[..., None] * at
        light = light + (carried * (1 - reflectance))[..., None] * sky(out[..., 2])
        inner = inner - 2 * inside[..., None] * at
        carried = carried * reflectance * through
    light = np.where(hit[..., None], light, sky(d[..., 2]))
    return light.reshape(height, subpixels, width, subpixels, 3).mean(axis=(1, 3))
