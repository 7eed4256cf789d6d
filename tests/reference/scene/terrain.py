"""The height field of a shot's terrain, layer by layer, in float64; deterministic on every machine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bench.shot.schema import Terrain
from bench.shot.shapes import Boulders, Channel, Cone, Noise, Plane, Ramp, Steps, TerrainLayer
from tests.reference.scene.exact import Array, fractal_noise, hash4, interpolate, normalised, smooth, unit

NO_TERRAIN = -1.0e30
CHUNK_POINTS = 1_000_000  # heights that are made at a time; a height depends on its own place only


def along_path(x: Array, y: Array, path: tuple[tuple[float, float, float, float], ...]) -> tuple[Array, ...]:
    """Nearest point of a polyline: (distance, half width there, fourth number there, direction x, direction y).

    Of two segments that are equally near the first counts. Distance is measured in the plane.
    """
    best = np.full(np.shape(x), 1.0e30)
    out = [np.zeros(np.shape(x)) for _ in range(4)]
    for (x0, y0, w0, d0), (x1, y1, w1, d1) in pairwise(path):
        ex, ey = x1 - x0, y1 - y0
        length2 = ex * ex + ey * ey
        if length2 <= 0.0:
            continue
        t = np.clip(((x - x0) * ex + (y - y0) * ey) * (1.0 / length2), 0.0, 1.0)
        dx, dy = x - (x0 + ex * t), y - (y0 + ey * t)
        d = np.sqrt(dx * dx + dy * dy)
        closer = d < best
        best = np.where(closer, d, best)
        length = float(np.sqrt(length2))
        values: tuple[Array | float, ...] = (w0 + (w1 - w0) * t, d0 + (d1 - d0) * t, ex / length, ey / length)
        for i, v in enumerate(values):
            out[i] = np.where(closer, v, out[i])
    return (best, *out)


def _plane(layer: Plane, x: Array, y: Array, h: Array) -> Array:
    return h + (layer.height_m + layer.slope[0] * x + layer.slope[1] * y)


def _ramp(layer: Ramp, x: Array, y: Array, h: Array) -> Array:
    direction = normalised(layer.direction)
    s = (x - layer.point_m[0]) * direction[0] + (y - layer.point_m[1]) * direction[1]
    return h + interpolate(s, [p[0] for p in layer.profile_m], [p[1] for p in layer.profile_m], smoothly=True)


def _noise(layer: Noise, x: Array, y: Array, h: Array) -> Array:
    n = fractal_noise((x, y), layer.wavelength_m, layer.octaves, layer.gain, layer.seed, layer.style)
    if layer.calm_m:
        distance, half_width, calm, _, _ = along_path(x, y, layer.calm_m)
        n = n * (1.0 - calm * smooth(2.0 - distance / half_width))
    return h + n * layer.amplitude_m


def _channel(layer: Channel, x: Array, y: Array, h: Array) -> Array:
    distance, half_width, depth, _, _ = along_path(x, y, layer.path_m)
    q = distance / half_width
    bed = np.clip(1.0 - q * q, 0.0, 1.0)
    bank = smooth(1.0 - np.abs(q - 1.25) * 2.0)
    return h - depth * bed + layer.bank_m * bank


def _cone(layer: Cone, x: Array, y: Array, h: Array) -> Array:
    dx, dy = x - layer.centre_m[0], y - layer.centre_m[1]
    r = np.sqrt(dx * dx + dy * dy)
    up = layer.height_m * smooth(1.0 - r * (1.0 / layer.radius_m))
    if layer.crater_radius_m > 0.0:
        up = up - layer.crater_depth_m * smooth(1.0 - r * (1.0 / layer.crater_radius_m))
    return h + up


def _boulders(layer: Boulders, x: Array, y: Array, h: Array) -> Array:
    sx, sy = x * (1.0 / layer.spacing_m), y * (1.0 / layer.spacing_m)
    cx, cy = np.floor(sx).astype(np.int64), np.floor(sy).astype(np.int64)
    top = np.zeros(np.shape(h))
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            a, b, c, d = (unit(w) for w in hash4(cx + i, cy + j, 29, layer.seed))
            dx, dy = (cx + i + a - sx) * layer.spacing_m, (cy + j + b - sy) * layer.spacing_m
            size = 0.4 + 0.6 * c
            q2 = (dx * dx + dy * dy) / (layer.radius_m * layer.radius_m * size * size)
            dome = np.sqrt(np.clip(1.0 - q2, 0.0, 1.0)) * layer.height_m * size
            top = np.maximum(top, np.where(d < layer.share, dome, 0.0))
    return h + top


def _steps(layer: Steps, x: Array, y: Array, h: Array) -> Array:
    level = h * (1.0 / layer.rise_m)
    whole = np.floor(level)
    t = level - whole
    t = smooth(smooth(smooth(t)))
    return h + layer.sharpness * ((whole + t) * layer.rise_m - h)


def _with_layer(layer: TerrainLayer, x: Array, y: Array, h: Array) -> Array:
    """Heights ``h`` at (x, y) after a layer."""
    match layer:
        case Plane():
            return _plane(layer, x, y, h)
        case Ramp():
            return _ramp(layer, x, y, h)
        case Noise():
            return _noise(layer, x, y, h)
        case Channel():
            return _channel(layer, x, y, h)
        case Cone():
            return _cone(layer, x, y, h)
        case Boulders():
            return _boulders(layer, x, y, h)
        case Steps():
            return _steps(layer, x, y, h)


class HeightField:
    """Heights on a regular lattice in the shot's frame, bilinear between, clamped outside."""

    def __init__(self, heights: Array, origin: tuple[float, float], spacing: float) -> None:
        self.heights = heights  # float32[tx, ty], m
        self.origin = origin
        self.spacing = spacing

    def at(self, x: Array, y: Array) -> Array:
        """float64 heights at points."""
        tx, ty = self.heights.shape
        u = np.clip((x - self.origin[0]) * (1.0 / self.spacing), 0.0, tx - 1.0)
        v = np.clip((y - self.origin[1]) * (1.0 / self.spacing), 0.0, ty - 1.0)
        i = np.minimum(np.floor(u).astype(np.int64), tx - 2)
        j = np.minimum(np.floor(v).astype(np.int64), ty - 2)
        fu, fv = u - i, v - j
        flat = self.heights.reshape(-1)
        base = i * ty + j
        h00, h01 = flat[base].astype(np.float64), flat[base + 1].astype(np.float64)
        h10, h11 = flat[base + ty].astype(np.float64), flat[base + ty + 1].astype(np.float64)
        low = h00 + (h01 - h00) * fv
        return low + (h10 + (h11 - h10) * fv - low) * fu


def build_terrain(terrain: Terrain, cell_size_m: float) -> HeightField:
    """Evaluate all layers at points ``spacing_per_cell`` cells apart."""
    spacing = cell_size_m * terrain.spacing_per_cell
    tx = max(2, int(terrain.size_m[0] / spacing + 0.5) + 1)
    ty = max(2, int(terrain.size_m[1] / spacing + 0.5) + 1)
    heights = np.empty((tx, ty), np.float32)
    rows = max(1, CHUNK_POINTS // ty)
    y = (terrain.origin_m[1] + np.arange(ty) * spacing)[None, :]
    for start in range(0, tx, rows):
        stop = min(tx, start + rows)
        x = (terrain.origin_m[0] + np.arange(start, stop) * spacing)[:, None]
        here = x + np.zeros_like(y), y + np.zeros_like(x)
        h = np.zeros(here[0].shape)
        for layer in terrain.layer:
            h = _with_layer(layer, *here, h)
        heights[start:stop] = h
    return HeightField(heights, terrain.origin_m, spacing)
