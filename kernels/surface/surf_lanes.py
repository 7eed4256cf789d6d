"""Operations that the surface's kernels need beyond those of ``vector``, and the tiles they work on.

A tile is a brick's 9^3 nodes with three nodes of its neighbours all around: 15 x 15 rows of 16 words, z within a row,
the last word unused. A node on a shared face is held by several bricks with equal bits; a node that no brick holds is
air or liquid according to the table. So a tile's values do not depend on the brick that asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.base.constants import BRICK_INSIDE
from kernels.base.vector import _element_pointer, load8, load16, make_shuffle, peek, poke, splat4, splat8, store

HALO = 3
TILE_EDGE = 15
TILE_ROW = 16
TILE_WORDS = 15 * 15 * 16
TILE_PAD = 16  # words before and behind a tile, so that a row may be read one word to either side

# Without wrappers for Python and without reference counts, both of which cost compile time and the second also time
_OPTIONS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
inlined = njit(error_model="numpy", forceinline=True, **_OPTIONS)  # copied into each function that calls it
device_call = njit(error_model="numpy", **_OPTIONS)  # compiled once, called
task_call = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)  # a task; may make arrays


@intrinsic
def fetch_add32(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """Atomically add to an int32 element; gives the old value. Only for results that no order can change."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("add", pointer, args[2], "monotonic")

    return types.int32(array, types.intp, types.int32), codegen


@intrinsic
def vsqrt(typingctx, a):  # type: ignore[no-untyped-def]
    """Correctly rounded square root, lane by lane."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.sqrt.v{kind.count}f32"
        )
        return builder.call(function, args)

    return a(a), codegen


@intrinsic
def vpick(typingctx, test, a, b):  # type: ignore[no-untyped-def]
    """a where test < 0, otherwise (NaN included) b, lane by lane."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        zero = ir.Constant(args[0].type, [0.0] * signature.args[0].lanes)
        return builder.select(builder.fcmp_ordered("<", args[0], zero), args[1], args[2])

    return a(test, a, a), codegen


_even8 = make_shuffle([0, 2, 4, 6, 8, 10, 12, 14], 16)
_even4 = make_shuffle([0, 2, 4, 6], 8)


@device_call
def load_tile(entry, gx, gy, gz, table, value, outside, inside, tile):
    """Fill ``tile`` (TILE_PAD + TILE_WORDS + TILE_PAD words) with first channels around the brick of a table entry."""
    bi = entry // (gy * gz)
    bj = (entry // gz) % gy
    bk = entry % gz
    # Fill what no brick holds first: bricks overwrite the faces that they share with it
    for n in range(54):
        with_values = n >= 27
        di, dj, dk = (n // 9) % 3 - 1, (n // 3) % 3 - 1, n % 3 - 1
        i, j, k = bi + di, bj + dj, bk + dk
        brick = np.int64(-1)
        if i >= 0 and i < gx and j >= 0 and j < gy and k >= 0 and k < gz:
            brick = np.int64(peek(table, (i * gy + j) * gz + k))
        if (brick >= 0) != with_values:
            continue
        fill = inside if brick == BRICK_INSIDE else outside
        a0, a1 = (-HALO if di < 0 else 8 * di), (8 + HALO if di > 0 else 8 * di + 8)
        b0, b1 = (-HALO if dj < 0 else 8 * dj), (8 + HALO if dj > 0 else 8 * dj + 8)
        for a in range(a0, a1 + 1):
            for b in range(b0, b1 + 1):
                at = TILE_PAD + ((a + HALO) * TILE_EDGE + b + HALO) * TILE_ROW + HALO
                source = 2 * ((brick * 9 + a - 8 * di) * 9 + b - 8 * dj) * 9
                if dk == 0:
                    # Nine nodes
                    store(tile, at, _even8(load16(value, source)) if with_values else splat8(fill))
                    poke(tile, at + 8, peek(value, source + 16) if with_values else fill)
                else:
                    # Four nodes: the last ones of the brick below, the first ones of the brick above
                    if dk < 0:
                        source += 10
                    at += 8 if dk > 0 else -3
                    store(tile, at, _even4(load8(value, source)) if with_values else splat4(fill))
