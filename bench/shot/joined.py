"""Boxes that make one solid together: faces inside of another box are no faces.

The liquid is held by a solid's nearest face. Where two boxes touch, the face between them is nearest to much of what is
inside, and nothing would hold the liquid at the faces that it sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.shot.schema import BoxCollider, Collider

CLEAR_CELLS = 1.0  # from a face that is seen: nearer, a node of it would count both boxes
TOUCH_CELLS = 1.0e-3


def joined(colliders: Sequence[Collider], length: Sequence[float], cell_size_m: float) -> tuple[Collider, ...]:
    """The same solids: boxes of one kind that touch are one box, or go on to the far side of the one that they end at.

    A box goes on into another that hides all of its face, with sides that lie a cell inside the other's, or behind a
    wall of the domain of ``length`` (m). Rounded boxes, boxes that
    move and other shapes are left as they are.
    """
    found = list(colliders)
    for _ in found:
        before = list(found)
        for n, one in enumerate(found):
            for other in found:
                if one is not other and _plain(one) and _plain(other) and one.boundary == other.boundary:
                    found[n] = one = _grown(one, other, length, cell_size_m)  # type: ignore[arg-type]
        if found == before:
            break
    return tuple(one for n, one in enumerate(found) if one not in found[:n])


def _plain(collider: Collider) -> bool:
    return isinstance(collider, BoxCollider) and collider.rounding_m == 0.0 and collider.motion is None


def _grown(one: BoxCollider, other: BoxCollider, length: Sequence[float], cell: float) -> BoxCollider:
    """``one`` with the faces that ``other`` hides moved to that one's far side."""
    low, high = list(one.min_m), list(one.max_m)
    for axis in range(3):
        sides = [side for side in range(3) if side != axis]
        if not (
            _equal(one, other, sides, cell) or all(_hidden(one, other, side, length[side], cell) for side in sides)
        ):
            continue
        touch = TOUCH_CELLS * cell
        if other.min_m[axis] - touch <= one.max_m[axis] <= other.max_m[axis]:
            high[axis] = other.max_m[axis]
        if other.min_m[axis] <= one.min_m[axis] <= other.max_m[axis] + touch:
            low[axis] = other.min_m[axis]
    if (low, high) == (list(one.min_m), list(one.max_m)):
        return one
    return one.model_copy(update={"min_m": tuple(low), "max_m": tuple(high)})


def _equal(one: BoxCollider, other: BoxCollider, sides: Sequence[int], cell: float) -> bool:
    """Whether both have the same sides, so that they make one box."""
    ends = [(a[side], b[side]) for side in sides for a, b in ((one.min_m, other.min_m), (one.max_m, other.max_m))]
    return all(abs(a - b) <= TOUCH_CELLS * cell for a, b in ends)


def _hidden(one: BoxCollider, other: BoxCollider, side: int, length: float, cell: float) -> bool:
    """Whether the sides of ``one`` along an axis lie in ``other``, away from what is seen of that one's sides."""
    clear = CLEAR_CELLS * cell
    low, high = one.min_m[side], one.max_m[side]
    under = low >= other.min_m[side] + clear or (low <= -clear and other.min_m[side] <= -clear)
    over = high <= other.max_m[side] - clear or (high >= length + clear and other.max_m[side] >= length + clear)
    return under and over
