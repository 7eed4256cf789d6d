"""The height field of a shot's terrain, layer by layer, in float64; compiled, row by row on all threads.

As in ``bodies``: what the file says of a layer is packed into words, and the compiled function under it reads them.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from bench.base.errors import UserError
from bench.pipeline.scene import exact
from bench.pipeline.scene.bodies import add_lines
from bench.pipeline.scene.exact import (
    LINE_WORDS,
    Array,
    along_path,
    clip,
    device,
    hash4,
    lattice_value,
    normalised,
    parallel,
    path_rows,
    profile,
    profile_rows,
    smooth,
    unit,
)
from bench.shot.load import Shot
from bench.shot.runnable import disc_points
from bench.shot.schema import Terrain
from bench.shot.shapes import Boulders, Channel, Cone, Noise, Plane, Ramp, Steps, TerrainLayer

PLANE, RAMP, NOISE, CHANNEL, CONE, BOULDERS, STEPS = range(7)
SMOOTH, RIDGED, BILLOW = range(3)
STYLES = {"smooth": SMOOTH, "ridged": RIDGED, "billow": BILLOW}
LAYER_WORDS = 8
CHUNK_POINTS = 2_000_000  # heights between two reports; a height depends on its own place only


@dataclass(frozen=True)
class HeightField:
    """Heights on a regular lattice in the shot's frame, bilinear between, clamped outside."""

    heights: Array  # float32[tx, ty], m
    origin: tuple[float, float]  # of heights[0, 0], m
    spacing: float  # m

    def height_at(self, x: float, y: float) -> float:
        """Height of the ground (m) at a point of the shot's frame."""
        last = [n - 1.0 for n in self.heights.shape]
        u, v = (min(max((p - o) / self.spacing, 0.0), n) for p, o, n in zip((x, y), self.origin, last))
        i, j = (min(int(p), int(n) - 1) for p, n in zip((u, v), last))
        h, fu, fv = self.heights[i : i + 2, j : j + 2].astype(np.float64), u - i, v - j
        low, high = h[0] + (h[1] - h[0]) * fu
        return float(low + (high - low) * fv)


def build_terrain(
    terrain: Terrain, cell_size_m: float, tell: Callable[[float], None] = lambda share: None
) -> HeightField:
    """Evaluate all layers at points ``spacing_per_cell`` cells apart; ``tell`` hears of the share done."""
    spacing = cell_size_m * terrain.spacing_per_cell
    tx = max(2, int(terrain.size_m[0] / spacing + 0.5) + 1)
    ty = max(2, int(terrain.size_m[1] / spacing + 0.5) + 1)
    lines: list[list[float]] = []
    packed = [_layer(layer, lines) for layer in terrain.layer]
    kinds = np.array([kind for kind, _ in packed], np.int64)
    words = np.zeros((len(packed), LAYER_WORDS))
    for row, (_, values) in zip(words, packed):
        row[: len(values)] = values
    line = np.array(lines, np.float64).reshape(-1, LINE_WORDS)
    heights = np.empty((tx, ty), np.float32)
    rows = max(1, CHUNK_POINTS // ty)
    for start in range(0, tx, rows):
        stop = min(tx, start + rows)
        height_rows(start, stop, *terrain.origin_m, spacing, kinds, words, line, heights)
        tell(stop / tx)
    return HeightField(heights, terrain.origin_m, spacing)


def require_above_ground(shot: Shot, field: HeightField, cell: float) -> None:
    """Raise UserError where an emitter's disc lies more than half a cell deep in the ground."""
    for n, emitter in enumerate(shot.file.emitter):
        depth = max(field.height_at(x, y) - z for x, y, z in disc_points(emitter))
        if depth > 0.5 * cell:
            expected = "a disc above the terrain, rim and all"
            raise UserError(
                f"{shot.path}: emitter[{n}].centre_m: expected {expected}, got one that is {depth:.3g} m deep"
            )


def _layer(layer: TerrainLayer, lines: list[list[float]]) -> tuple[int, Sequence[float]]:
    """Kind and words of a layer; its line of points, if it has one, goes to the end of ``lines``."""
    match layer:
        case Plane():
            return PLANE, (layer.height_m, *layer.slope)
        case Ramp():
            span = add_lines(lines, profile_rows(*([p[n] for p in layer.profile_m] for n in range(2))))
            return RAMP, (*span, *layer.point_m, *normalised(layer.direction))
        case Noise():
            return NOISE, _noise_words(layer, lines)
        case Channel():
            return CHANNEL, (*add_lines(lines, path_rows(layer.path_m)), layer.bank_m)
        case Cone():
            crater = layer.crater_radius_m, layer.crater_depth_m
            inverse = 1.0 / crater[0] if crater[0] > 0.0 else 0.0
            return CONE, (*layer.centre_m, layer.height_m, 1.0 / layer.radius_m, *crater, inverse)
        case Boulders():
            form = layer.radius_m * layer.radius_m, layer.height_m, layer.share, float(layer.seed)
            return BOULDERS, (layer.spacing_m, 1.0 / layer.spacing_m, *form)
        case Steps():
            return STEPS, (layer.rise_m, 1.0 / layer.rise_m, layer.sharpness)


def _noise_words(layer: Noise, lines: list[list[float]]) -> Sequence[float]:
    """Octaves of value noise, each of half the wavelength and ``gain`` of the amplitude."""
    octaves = []
    amplitude, norm, wavelength = 1.0, 0.0, layer.wavelength_m
    for octave in range(layer.octaves):
        octaves.append([1.0 / wavelength, amplitude, float(layer.seed + 7919 * octave)] + [0.0] * (LINE_WORDS - 3))
        norm += amplitude
        amplitude *= layer.gain
        wavelength *= 0.4871  # not quite a half: lattices of two octaves never line up
    calm = path_rows(layer.calm_m)
    words = *add_lines(lines, octaves), *add_lines(lines, calm), float(STYLES[layer.style])
    return (*words, 1.0 / norm, layer.amplitude_m)


@parallel
def height_rows(start, stop, origin_x, origin_y, spacing, kinds, words, lines, heights):
    """Rows ``start`` .. ``stop`` of the heights."""
    for row in numba.prange(start, stop):
        x = origin_x + row * spacing
        count = heights.shape[1]
        h = np.zeros(count)
        scratch = np.empty(count)
        for n in range(len(kinds)):
            kind = kinds[n]
            if kind == NOISE:
                _add_noise(h, scratch, words, n, lines, x, origin_y, spacing)
                continue
            for c in range(count):
                h[c] = _with_layer(kind, words, n, lines, x, origin_y + c * spacing, h[c])
        for c in range(count):
            heights[row, c] = np.float32(h[c])


@device
def _with_layer(kind, words, n, lines, x, y, h):
    """A height at (x, y) after a layer."""
    if kind == PLANE:
        return h + (words[n, 0] + words[n, 1] * x + words[n, 2] * y)
    if kind == RAMP:
        s = (x - words[n, 2]) * words[n, 4] + (y - words[n, 3]) * words[n, 5]
        return h + profile(lines, int(words[n, 0]), int(words[n, 1]), np.int64(2), s)
    if kind == CHANNEL:
        distance, half_width, depth, _, _ = along_path(lines, int(words[n, 0]), int(words[n, 1]), x, y)
        q = distance / half_width
        bed = clip(1.0 - q * q, 0.0, 1.0)
        return h - depth * bed + words[n, 2] * smooth(1.0 - abs(q - 1.25) * 2.0)
    if kind == CONE:
        dx, dy = x - words[n, 0], y - words[n, 1]
        r = math.sqrt(dx * dx + dy * dy)
        up = words[n, 2] * smooth(1.0 - r * words[n, 3])
        if words[n, 4] > 0.0:
            up = up - words[n, 5] * smooth(1.0 - r * words[n, 6])
        return h + up
    if kind == BOULDERS:
        return h + _boulder(words, n, x, y)
    level = h * words[n, 1]
    whole = math.floor(level)
    t = smooth(smooth(smooth(level - whole)))
    return h + words[n, 2] * ((whole + t) * words[n, 0] - h)


@device
def _boulder(words, n, x, y):
    """Height of the rocks at a point."""
    spacing, seed = words[n, 0], int(words[n, 5])
    sx, sy = x * words[n, 1], y * words[n, 1]
    cx, cy = np.int64(math.floor(sx)), np.int64(math.floor(sy))
    top = 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            a, b, c, d = hash4(cx + i, cy + j, np.int64(29), seed)
            if unit(d) < words[n, 4]:
                dx, dy = (cx + i + unit(a) - sx) * spacing, (cy + j + unit(b) - sy) * spacing
                size = 0.4 + 0.6 * unit(c)
                q2 = (dx * dx + dy * dy) / (words[n, 2] * size * size)
                dome = math.sqrt(clip(1.0 - q2, 0.0, 1.0)) * words[n, 3] * size
                top = dome if dome > top else top
    return top


@device
def _add_noise(h, total, words, n, lines, x, origin_y, spacing):
    """Add fractal noise along a row: smooth, ridged (1 - 2 |n|) or billows (2 |n| - 1)."""
    style = int(words[n, 4])
    total[:] = 0.0
    for octave in range(int(words[n, 0]), int(words[n, 1])):
        _add_octave(total, x, origin_y, spacing, lines[octave, 0], lines[octave, 1], int(lines[octave, 2]), style)
    first, last = int(words[n, 2]), int(words[n, 3])
    for c in range(len(h)):
        value = total[c] * words[n, 5]
        if last > first:
            distance, half_width, calm, _, _ = along_path(lines, first, last, x, origin_y + c * spacing)
            value = value * (1.0 - calm * smooth(2.0 - distance / half_width))
        h[c] = h[c] + value * words[n, 6]


@device
def _add_octave(total, x, origin_y, spacing, per_wavelength, amplitude, seed, style):
    """``exact.noise2`` along a row: lattice values are hashed once for the points between them."""
    sx = x * per_wavelength
    i = np.int64(math.floor(sx))
    u = smooth(sx - i)
    at = np.int64(-(2**62))
    low, low_step, high, high_step = 0.0, 0.0, 0.0, 0.0
    for c in range(len(total)):
        sy = (origin_y + c * spacing) * per_wavelength
        j = np.int64(math.floor(sy))
        if j != at:
            at = j
            low, high = lattice_value(i, j, seed), lattice_value(i + 1, j, seed)
            low_step = lattice_value(i, j + 1, seed) - low
            high_step = lattice_value(i + 1, j + 1, seed) - high
        v = smooth(sy - j)
        near = low + low_step * v
        value = near + (high + high_step * v - near) * u
        if style == RIDGED:
            value = 1.0 - 2.0 * abs(value)
        elif style == BILLOW:
            value = 2.0 * abs(value) - 1.0
        total[c] = total[c] + value * amplitude


def cache_folder() -> str:
    """Where Numba keeps the machine code."""
    return exact.cache_folder(__file__)


def compile_now() -> None:
    """One row of no layers, with the types of a real call."""
    kinds, words, lines = np.zeros(0, np.int64), np.zeros((0, LAYER_WORDS)), np.zeros((0, LINE_WORDS))
    height_rows(0, 1, 0.0, 0.0, 1.0, kinds, words, lines, np.empty((1, 1), np.float32))
