"""Boxes that touch are one solid to the liquid."""

from __future__ import annotations

from bench.shot.joined import joined
from bench.shot.schema import BoxCollider, Collider, SphereCollider

LENGTH, CELL = (2.0, 2.0, 2.0), 0.1


def box(low: tuple[float, float, float], high: tuple[float, float, float], boundary: str = "separate") -> BoxCollider:
    return BoxCollider(kind="box", min_m=low, max_m=high, boundary=boundary)  # type: ignore[arg-type]


def found(*colliders: Collider) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    return [(one.min_m, one.max_m) for one in joined(colliders, LENGTH, CELL) if isinstance(one, BoxCollider)]


def test_boxes_end_to_end_are_one() -> None:
    parts = [box((0.2 * n, 0.5, 0.5), (0.2 * n + 0.2, 0.7, 0.9)) for n in range(4)]
    assert found(*parts) == [((0.0, 0.5, 0.5), (0.8, 0.7, 0.9))]
    assert found(*parts[::-1]) == [((0.0, 0.5, 0.5), (0.8, 0.7, 0.9))]


def test_a_box_on_a_wider_one_goes_on_to_its_other_side() -> None:
    foot, post = box((0.2, 0.2, 0.2), (1.0, 1.0, 0.4)), box((0.5, 0.5, 0.4), (0.7, 0.7, 1.0))
    assert found(post, foot) == [((0.5, 0.5, 0.2), (0.7, 0.7, 1.0)), (foot.min_m, foot.max_m)]


def test_steps_behind_a_wall_go_on_too() -> None:
    far = 0.8
    upper = box((-far, -far, 0.5), (0.3, 2.0 + far, 0.7))
    lower = box((-far, -far, 0.3), (0.45, 2.0 + far, 0.5))
    assert found(upper, lower) == [((-far, -far, 0.3), upper.max_m), (lower.min_m, lower.max_m)]


def test_what_shows_is_left_alone() -> None:
    """Another kind, a side that is nearly the other's, a gap, a rounded box, another shape."""
    foot = box((0.2, 0.2, 0.2), (1.0, 1.0, 0.4))
    post = box((0.5, 0.5, 0.4), (0.7, 0.7, 1.0))
    ball = SphereCollider(kind="sphere", centre_m=(0.6, 0.6, 0.5), radius_m=0.1)
    for others in (
        (post.model_copy(update={"boundary": "stick"}), foot),
        (box((0.25, 0.5, 0.4), (0.7, 0.7, 1.0)), foot),
        (box((0.5, 0.5, 0.41), (0.7, 0.7, 1.0)), foot),
        (post.model_copy(update={"rounding_m": 0.02}), foot),
        (ball, foot),
    ):
        assert joined(others, LENGTH, CELL) == others
