"""Shots that nobody wrote: legal ones at random from a seed, and what must be true of any shot that runs.

``python -m tests.bench.check.any_shot 7`` prints the shot of a seed as TOML, and what is wrong with it.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import CheckFailed, UserError
from bench.check.validate.flow import LOOK, Flow
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.motion import placed
from bench.shot.load import Shot, parse_shot
from kernels.base import constants as k

FRAMES = 24
KINDS = ("stick", "slip", "separate")
RATIO = (0.9, 1.1)  # J outside impacts
IMPACTS_SHARE = 0.01  # of particles that an impact may squeeze or tear at a time
FULL_CELLS = 150  # cells well inside the liquid that a volume is told from
PROBE = '[[body]]\nkind = "sea"\nlevel_m = 100.0'  # liquid everywhere, to ask a scene for its solids


@dataclass(frozen=True)
class Bounds:
    """How far from what it should be a shot may go."""

    through_cells: float = 0.5  # how deep a particle may stand in a solid
    volume_share: float = 0.02  # by which the liquid's volume may differ


ASKED = Bounds()


# --- At random ------------------------------------------------------------------------------------


def random_text(seed: int) -> str:
    """A shot's text: bodies, emitters, solids, ground, walls, gravity any way, limits, frame rates."""
    r = random.Random(seed)
    size = [round(r.uniform(0.8, 1.4), 3) for _ in range(3)]
    gravity = _direction(r, r.choice([0.0, 1.6, 9.81, 9.81, 9.81, 15.0]))
    if r.random() < 0.6:
        gravity = [0.0, 0.0, -9.81]
    throws = r.choice([0.0, 1.0, 3.0])
    pours = r.choice([0, 0, 1, 1, 2, 3])
    jet = round(r.uniform(0.5, 4.0), 3)
    fall = (2.0 * float(np.linalg.norm(gravity)) * max(size)) ** 0.5
    limit = round(
        max(0.5, (fall**2 + throws**2 + (jet if pours else 0.0) ** 2) ** 0.5) * r.choice([0.8, 1.0, 1.0, 2.0]), 3
    )
    lines = [
        f'schema = 1\n[shot]\nname = "any"\ntitle = "any"\nframes = {FRAMES}',
        f"frame_rate = {r.choice([12.0, 24.0, 24.0, 48.0, 96.0])}",
        f"[domain]\nsize_m = {size}",
    ]
    if r.random() < 0.5:
        lines.append("[domain.walls]")
        lines += [f'{side} = "{r.choice(KINDS)}"' for side in ("x_min", "x_max", "y_min", "y_max", "z_min", "z_max")]
    lines.append(f"[size.S]\ncells_x = {r.choice([8, 12, 12, 16, 16])}\nwidth = 32\nheight = 16\nsamples = 1")
    lines.append(f'[material]\nkind = "water"\nspeed_limit_m_per_s = {limit}')
    if r.random() < 0.3:
        lines.append(f"viscosity_pa_s = {r.choice([0.0, 1.0, 20.0])}")
    lines.append(f"[force]\ngravity_m_per_s2 = {gravity}")
    solids = [line for _ in range(r.choice([0, 1, 1, 2, 4])) for line in _collider(r, size)]
    if r.random() < 0.3:
        solids += _terrain(r, size)
    lines += solids
    for _ in range(r.choice([1, 1, 2, 3]) if pours == 0 else r.choice([0, 1, 2])):
        lines += _body(r, size, throws)
    if pours:
        probe = scene_of("\n".join([*lines, PROBE]) + LOOK)
        for _ in range(pours):
            lines += _emitter(r, size, jet, probe)
    if not any("[[body]]" in line or "[[emitter]]" in line for line in lines):
        lines += _body(r, size, throws)
    return "\n".join(lines) + LOOK


def _direction(r: random.Random, length: float) -> list[float]:
    v = np.array([r.gauss(0.0, 1.0) for _ in range(3)])
    return [round(float(c), 4) for c in v / np.linalg.norm(v) * length]


def _point(r: random.Random, size: list[float], margin: float = 0.0) -> list[float]:
    return [round(r.uniform(margin * s, (1.0 - margin) * s), 3) for s in size]


def _corners(r: random.Random, size: list[float], least: float, most: float) -> tuple[list[float], list[float]]:
    low = _point(r, size, 0.02)
    high = [round(min(a + r.uniform(least, most), s), 3) for a, s in zip(low, size)]
    return [min(a, b - 0.02) for a, b in zip(low, high)], high


def _body(r: random.Random, size: list[float], throws: float) -> list[str]:
    kind = r.choice(["box", "box", "sphere", "cylinder", "flat"])
    if kind in ("box", "flat"):
        low, high = _corners(r, size, 0.15, 0.7)
        if kind == "flat":  # on the floor, from wall to wall
            low, high = [0.0, 0.0, 0.0], [*size[:2], round(r.uniform(0.1, 0.5), 3)]
        lines = [f'[[body]]\nkind = "box"\nmin_m = {low}\nmax_m = {high}']
        if r.random() < 0.3:
            lines.append("hydrostatic = true")
    elif kind == "sphere":
        lines = [f'[[body]]\nkind = "sphere"\ncentre_m = {_point(r, size, 0.2)}\nradius_m = {r.uniform(0.1, 0.35):.3f}']
    else:
        ends = f"from_m = {_point(r, size, 0.2)}\nto_m = {_point(r, size, 0.2)}"
        lines = [f'[[body]]\nkind = "cylinder"\n{ends}\nradius_m = {r.uniform(0.1, 0.3):.3f}']
    if throws:
        lines.append(f'velocity = {{ kind = "constant", velocity_m_per_s = {_direction(r, throws)} }}')
    return lines


def _emitter(r: random.Random, size: list[float], speed: float, scene: Scene) -> list[str]:
    """A disc that stands clear of a scene's solids; none, if no place is found in a few tries."""
    for _ in range(20):
        centre, radius = _point(r, size, 0.2), round(r.uniform(0.04, 0.15), 3)
        if solid_distance(scene, np.array([centre]))[0] > radius + scene.cell_size_m:
            break
    else:
        return []
    return [
        f"[[emitter]]\ncentre_m = {centre}\nradius_m = {radius}",
        f"direction = {_direction(r, 1.0)}\nspeed_m_per_s = {speed}\nend_s = {r.choice([0.2, 0.5, 10.0])}",
    ]


def _collider(r: random.Random, size: list[float]) -> list[str]:
    kind = r.choice(["box", "plate", "sphere", "capsule", "cylinder"])
    if kind == "box":
        low, high = _corners(r, size, 0.1, 0.5)
        lines = [f'[[collider]]\nkind = "box"\nmin_m = {low}\nmax_m = {high}']
    elif kind == "plate":  # half a cell thick or more, across the domain
        axis, at = r.randrange(3), r.uniform(0.25, 0.75)
        low, high = [-0.2, -0.2, -0.2], [round(s + 0.2, 3) for s in size]
        low[axis] = round(at * size[axis], 3)
        high[axis] = round(low[axis] + r.uniform(0.09, 0.2), 3)
        lines = [f'[[collider]]\nkind = "box"\nmin_m = {low}\nmax_m = {high}']
    elif kind == "sphere":
        lines = [f'[[collider]]\nkind = "sphere"\ncentre_m = {_point(r, size)}\nradius_m = {r.uniform(0.08, 0.3):.3f}']
    elif kind == "capsule":
        ends = f"from_m = {_point(r, size)}\nto_m = {_point(r, size)}"
        lines = [f'[[collider]]\nkind = "capsule"\n{ends}\nradius_m = {r.uniform(0.08, 0.2):.3f}']
    else:
        lines = [
            f'[[collider]]\nkind = "cylinder"\ncentre_m = {_point(r, size)}',
            f"radius_m = {r.uniform(0.08, 0.3):.3f}\nheight_m = {r.uniform(0.2, 0.8):.3f}",
        ]
    return [*lines, f'boundary = "{r.choice(KINDS)}"']


def _terrain(r: random.Random, size: list[float]) -> list[str]:
    slope = [round(r.uniform(-0.4, 0.4), 3) for _ in range(2)]
    lines = [
        f'[terrain]\norigin_m = [-0.5, -0.5]\nsize_m = {[s + 1.0 for s in size[:2]]}\nboundary = "{r.choice(KINDS)}"',
        f'[[terrain.layer]]\nkind = "plane"\nheight_m = {r.uniform(0.0, 0.25):.3f}\nslope = {slope}',
    ]
    if r.random() < 0.5:
        lines.append('[[terrain.layer]]\nkind = "noise"\namplitude_m = 0.1\nwavelength_m = 0.5\noctaves = 2')
    return lines


# --- Run ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a shot."""

    refused: str | None  # the line that refuses it at loading; None: it was run
    wrong: tuple[str, ...]  # what is not as it must be


def scene_of(text: str, name: str = "any.toml") -> Scene:
    return build_scene(Shot(path=name, file=parse_shot(text, name)), "S", threads=1)


def outcome(text: str, frames: int = FRAMES, settle: int = 0, bounds: Bounds = ASKED) -> Outcome:
    """Load a shot, run it, and look at it after every frame; ``settle`` more frames run before volume is looked at."""
    try:
        scene = scene_of(text)
    except UserError as error:
        return Outcome(str(error), ())
    flow = Flow(scene, NumbaBackend(1))
    wrong: list[str] = []
    squeezed = 0
    for frame in range(1, frames + settle + 1):
        try:
            flow.advance()
        except CheckFailed as error:
            return Outcome(None, (*wrong, str(error)))
        found = _places(flow, bounds.through_cells)
        if _impact_share(flow) > IMPACTS_SHARE:
            squeezed += 1
        if found:
            return Outcome(None, (*wrong, *(f"frame {frame}: {line}" for line in found)))
    if squeezed > frames // 2:
        wrong.append(f"J outside {RATIO} for more than {IMPACTS_SHARE:.0%} of the particles in {squeezed} frames")
    share = volume_share(flow)
    if abs(share - 1.0) > bounds.volume_share:
        wrong.append(f"volume {100.0 * (share - 1.0):+.1f} %")
    return Outcome(None, tuple(wrong))


def _places(flow: Flow, through_cells: float = ASKED.through_cells) -> list[str]:
    """What is wrong with where the particles are."""
    x, cell = flow.position, flow.cell
    wrong = []
    if not (np.isfinite(x).all() and np.isfinite(flow.velocity).all() and np.isfinite(flow.volume_ratio).all()):
        return ["a number that is not finite"]
    high = np.array(flow.scene.domain) * cell
    outside = int(((x < 0.0) | (x > high)).any(1).sum())
    if outside:
        wrong.append(f"{outside} particles outside the domain")
    scene = flow.scene
    rows = placed(scene.colliders, scene.collider_motion, flow.time_s, scene.frame_dt_s)
    inside = -solid_distance(scene, x, rows) / cell
    through = int((inside > through_cells).sum())
    if through:
        wrong.append(f"{through} particles up to {inside.max():.2f} cells inside a solid")
    return wrong


def _impact_share(flow: Flow) -> float:
    ratio = flow.volume_ratio
    return float(((ratio < RATIO[0]) | (ratio > RATIO[1])).mean()) if len(ratio) else 0.0


def volume_share(flow: Flow) -> float:
    """Volume of the liquid over that of its particles at rest, told well inside of it by their number: 1 at rest.

    Cells count whose 26 neighbours all hold liquid and no solid: there 8 particles stand, if none has been lost.
    """
    shape = np.array(flow.scene.domain)
    cells = np.clip(np.floor(flow.position / flow.cell).astype(int), 0, shape - 1)
    counts = np.zeros(shape, int)
    np.add.at(counts, tuple(cells.T), 1)
    wet = np.pad(counts >= 4, 1)
    inner = np.ones(shape, bool)
    for n in np.ndindex(3, 3, 3):
        inner &= wet[tuple(slice(a, a + s) for a, s in zip(n, shape))]
    if inner.sum() < FULL_CELLS:
        return 1.0
    return float(8.0 * inner.sum() / counts[inner].sum())


# --- Solids, once more and plainly ----------------------------------------------------------------


def solid_distance(scene: Scene, x: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Signed distance (m) of points of the domain from the nearest solid, negative inside; ``rows``: where they are."""
    offset = k.WALL_CELLS * scene.cell_size_m
    p = x + offset
    nearest = np.full(len(p), np.inf)
    for row in np.asarray(scene.colliders if rows is None else rows, np.float64):
        if int(row[k.COLLIDER_KIND]):
            nearest = np.minimum(nearest, _collider_distance(row, p))
    if scene.terrain_geometry[3] > 0.0:
        nearest = np.minimum(nearest, _terrain_distance(scene, p))
    return nearest


def _collider_distance(row: np.ndarray, p: np.ndarray) -> np.ndarray:
    a, b, c = row[k.COLLIDER_A : k.COLLIDER_A + 3], row[k.COLLIDER_B : k.COLLIDER_B + 3], row[k.COLLIDER_C]
    kind = int(row[k.COLLIDER_KIND])
    if kind == k.COLLIDER_SPHERE:
        return np.asarray(np.linalg.norm(p - a, axis=1) - b[0])
    if kind == k.COLLIDER_BOX:
        q = np.abs(p - a) - b + c
    elif kind == k.COLLIDER_CAPSULE:
        t = np.clip(((p - a) @ (b - a)) / max(float((b - a) @ (b - a)), 1.0e-12), 0.0, 1.0)
        return np.asarray(np.linalg.norm(p - a - t[:, None] * (b - a), axis=1) - c)
    else:
        around = np.linalg.norm((p - a)[:, :2], axis=1)
        q = np.stack([around - b[0] + c, np.abs(p[:, 2] - a[2]) - b[2] + c], 1)
    return np.asarray(np.linalg.norm(np.maximum(q, 0.0), axis=1) + np.minimum(q.max(1), 0.0) - c)


def _terrain_distance(scene: Scene, p: np.ndarray) -> np.ndarray:
    x0, y0, spacing, _ = (float(v) for v in scene.terrain_geometry)
    heights = np.asarray(scene.terrain, np.float64)
    u, v = (p[:, 0] - x0) / spacing, (p[:, 1] - y0) / spacing
    i, j = (np.clip(np.floor(w).astype(int), 0, n - 2) for w, n in zip((u, v), heights.shape))
    s, t = np.clip(u - i, 0.0, 1.0), np.clip(v - j, 0.0, 1.0)
    a, b, c, d = heights[i, j], heights[i + 1, j], heights[i, j + 1], heights[i + 1, j + 1]
    ground = (1 - s) * ((1 - t) * a + t * c) + s * ((1 - t) * b + t * d)
    slope = np.hypot(((1 - t) * (b - a) + t * (d - c)) / spacing, ((1 - s) * (c - a) + s * (d - b)) / spacing)
    return np.asarray((p[:, 2] - ground) / np.sqrt(1.0 + slope**2))


if __name__ == "__main__":
    for word in sys.argv[1:]:
        written: Any = random_text(int(word))
        print(written.replace(LOOK, ""))
        print(outcome(written))
