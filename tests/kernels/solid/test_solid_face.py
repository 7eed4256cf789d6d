"""Faces of solids against what their signed distance says, and the share of a node against its integral."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from kernels.base import constants as k
from kernels.mpm.mpm_collide import collider_distance_one
from kernels.solid.solid_face import UNBOUNDED, collider_normal_one, free_share

MIDDLE = (0.3, -0.4, 0.5)
TURN = 1e-6  # m, of a central difference in float64
CLEAR = 1e-3  # m, that a point keeps from where the nearest face is another


def collider(kind: int, a: tuple[float, ...], b: tuple[float, ...], c: float = 0.0) -> np.ndarray:
    row = np.zeros((1, k.COLLIDER_WORDS))
    row[0, k.COLLIDER_KIND] = kind
    row[0, k.COLLIDER_A : k.COLLIDER_A + 3] = a
    row[0, k.COLLIDER_B : k.COLLIDER_B + len(b)] = b
    if kind not in (k.COLLIDER_SPHERE, k.COLLIDER_VESSEL):
        row[0, k.COLLIDER_C] = c
    return row


SHAPES = {
    "sphere": collider(k.COLLIDER_SPHERE, MIDDLE, (0.7,)),
    "capsule": collider(k.COLLIDER_CAPSULE, MIDDLE, (0.9, 0.1, 1.2), 0.4),
    "vessel": collider(k.COLLIDER_VESSEL, MIDDLE, (1.1,)),
    "box": collider(k.COLLIDER_BOX, MIDDLE, (0.9, 0.6, 0.4)),
    "round box": collider(k.COLLIDER_BOX, MIDDLE, (0.9, 0.6, 0.4), 0.2),
    "thin box": collider(k.COLLIDER_BOX, MIDDLE, (0.9, 0.02, 0.8)),
    "cylinder": collider(k.COLLIDER_CYLINDER, MIDDLE, (0.8, 0.0, 0.5)),
    "round cylinder": collider(k.COLLIDER_CYLINDER, MIDDLE, (0.5, 0.0, 0.8), 0.1),
}


def gradient(row: np.ndarray, point: np.ndarray, step: float) -> np.ndarray:
    ahead, behind = point + step * np.eye(3), point - step * np.eye(3)
    return np.array(
        [collider_distance_one(row, 0, *p) - collider_distance_one(row, 0, *q) for p, q in zip(ahead, behind)]
    ) / (2 * step)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_normal_is_the_slope_of_the_distance(shape: str, rng: np.random.Generator) -> None:
    """Away from where two faces are as near, where the distance has no slope."""
    row, tried = SHAPES[shape], 0
    for point in MIDDLE + rng.uniform(-1.5, 1.5, (400, 3)):
        slope = gradient(row, point, TURN)
        # Near an edge inside, an axis or a middle, wide differences see another face
        if abs(np.linalg.norm(gradient(row, point, CLEAR)) - 1) > 1e-4:
            continue
        tried += 1
        assert np.allclose(collider_normal_one(row, 0, *point)[:3], slope, atol=1e-6), point
    assert tried > 300


@pytest.mark.parametrize("shape", ["box", "thin box", "round box"])
def test_a_box_s_middle_planes_have_a_side(shape: str) -> None:
    """A node on a plate's middle plane leaves by one of its two faces; differences of the distance are 0 there."""
    row = SHAPES[shape]
    thinnest = int(np.argmin(row[0, k.COLLIDER_B : k.COLLIDER_B + 3]))
    assert np.allclose(gradient(row, np.array(MIDDLE), TURN), 0)
    normal = collider_normal_one(row, 0, *MIDDLE)[:3]
    assert np.array_equal(normal, np.eye(3)[thinnest])


@pytest.mark.parametrize(
    ("shape", "at"),
    [
        ("sphere", (0, 0, 0)),
        ("capsule", (0.1 * 0.6, 0.1 * 0.5, 0.1 * 0.7)),
        ("vessel", (0, 0, 0.3)),
        ("round cylinder", (0, 0, 0.1)),
    ],
)
def test_there_is_no_nearest_face_in_the_middle(shape: str, at: tuple[float, ...]) -> None:
    row = SHAPES[shape].copy()
    row[0, k.COLLIDER_A : k.COLLIDER_A + 3] = 0
    if shape == "capsule":
        row[0, k.COLLIDER_B : k.COLLIDER_B + 3] = 0.6, 0, 0
        at = (0.3, 0, 0)
    assert collider_normal_one(row, 0, *map(float, at))[:3] == (0, 0, 0)


def test_a_face_on_a_cylinder_s_axis_is_its_end() -> None:
    """Where the end is nearer than the side, and beyond the end."""
    x, y, z = MIDDLE
    for height, side in ((0.45, 1), (-0.45, -1), (0.7, 1), (-0.7, -1)):
        assert collider_normal_one(SHAPES["cylinder"], 0, x, y, z + height)[:3] == (0, 0, side)


@pytest.mark.parametrize("corner", [(sx, sy, sz) for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)])
def test_outside_an_edge_and_a_corner_a_normal_points_away_from_them(corner: tuple[int, int, int]) -> None:
    row, signs = SHAPES["box"], np.array(corner)
    halves = row[0, k.COLLIDER_B : k.COLLIDER_B + 3]
    for axes in [*combinations(range(3), 2), (0, 1, 2)]:
        away = np.zeros(3)
        away[list(axes)] = signs[list(axes)]
        on_it = MIDDLE + signs * np.where(away != 0, halves, 0.5 * halves)
        normal = collider_normal_one(row, 0, *(on_it + 0.1 * away))[:3]
        assert np.allclose(normal, away / np.sqrt(len(axes)), atol=1e-12), axes


@pytest.mark.parametrize(
    ("shape", "at", "thickness"),
    [
        ("sphere", (0.1, 0.2, 0.3), 1.4),
        ("capsule", (0.0, 0.0, -0.1), 0.8),
        ("vessel", (1.0, 0.0, 0.0), float(UNBOUNDED)),
        ("box", (0.85, 0.0, 0.0), 1.8),
        ("box", (0.0, -0.55, 0.0), 1.2),
        ("box", (0.0, 0.0, 0.9), 0.8),
        ("thin box", (0.1, 0.01, 0.1), 0.04),
        ("cylinder", (0.0, 0.78, 0.1), 1.6),
        ("cylinder", (0.1, 0.0, -0.45), 1.0),
    ],
)
def test_thickness_is_how_far_the_other_side_is(shape: str, at: tuple[float, ...], thickness: float) -> None:
    assert collider_normal_one(SHAPES[shape], 0, *(np.array(MIDDLE) + at))[3] == pytest.approx(thickness, rel=1e-6)


# --- How much of a node is free ------------------------------------------------------------------


def spline(x: np.ndarray) -> np.ndarray:
    """The quadratic B-spline of a node at 0."""
    x = np.abs(x)
    return np.where(x < 0.5, 0.75 - x * x, np.where(x < 1.5, 0.5 * (1.5 - x) ** 2, 0))


@pytest.mark.parametrize("t", [*np.linspace(-2, 2, 33), -1.49, -0.51, -0.49, 0.49, 0.51, 1.49])
def test_the_free_share_is_the_integral_of_the_spline_outside(t: float) -> None:
    width = 1e-4
    x = np.arange(-2, 2, width) + 0.5 * width
    assert free_share(np.float32(t)) == pytest.approx(float(spline(x[x > -t]).sum() * width), abs=1e-4)


def test_what_is_free_on_one_side_of_a_face_is_taken_on_the_other() -> None:
    share = [float(free_share(t)) for t in np.linspace(-2, 2, 401, dtype=np.float32)]
    assert np.allclose(np.array(share) + share[::-1], 1, atol=1e-6)
    assert share == sorted(share) and share[0] == 0 and share[-1] == 1
