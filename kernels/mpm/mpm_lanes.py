"""Structure of arrays in vectors: a batch of sorted particles with one particle a lane, sixteen at once, and back.

Per-particle arithmetic of a transfer is short, but a chain: an out-of-order core sees two particles of it at a time and
mostly waits. So a block's particles go in batches of whole cells through separate loops: first what depends on the
particle alone, sixteen to a vector (this file), into a work array in cache; then the 27 nodes, particle by particle,
with operands broadcast from there.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import device
from kernels.base.constants import BLOCK_NODES, CELL_COUNT_MAX
from kernels.base.vector import (
    join4,
    join8,
    load4,
    load16,
    make_blend,
    make_constant,
    make_shuffle,
    peek,
    poke,
    splat16,
    store,
    vadd,
    vfloor,
    vfma,
    vmul,
    vsub,
)

BATCH = 128  # particles; a batch holds whole cells, so at least CELL_COUNT_MAX
STRIDE = BATCH + 16  # words of a row of the work array: one value for each particle of a batch, and padding
assert BATCH >= CELL_COUNT_MAX

# Weights for products along the axes: rows of w_0 w_1 w_2 along x, then along y; SLOPES rows on those of w_0 d_0 ..;
# then sixteen words of each particle, four for each node along z and four zeros
ROW_Y, SLOPES, QUADS = 3, 6, 12
PRODUCT_ROWS = QUADS + 16

zero16, half16, one16 = (make_constant([value] * 16) for value in (0.0, 0.5, 1.0))
three_quarters16 = make_constant([0.75] * 16)
quad_0, quad_1, quad_2, quad_3 = (make_shuffle([4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3], 16) for k in range(4))


def in_quads(pattern):
    """A two-vector shuffle that does the same in each group of four lanes; 4..7 are the second vector's."""
    return make_blend([4 * group + (i if i < 4 else i + 12) for group in range(4) for i in pattern])


_low, _high = in_quads([0, 4, 1, 5]), in_quads([2, 6, 3, 7])
_first_of, _second_of = in_quads([4, 1, 2, 3]), in_quads([0, 5, 2, 3])
_left, _right = in_quads([0, 1, 4, 5]), in_quads([2, 3, 6, 7])


@device
def transpose(a, b, c, d):
    """4 x 4 within each group of four lanes; its own inverse."""
    ab, cd = _low(a, b), _low(c, d)
    ef, gh = _high(a, b), _high(c, d)
    return _left(ab, cd), _right(ab, cd), _left(ef, gh), _right(ef, gh)


@device
def batch_end(cell_start_in, s, cell):
    """The cell after the last one of the batch that starts at ``cell`` of active block ``s``."""
    begin = peek(cell_start_in, s * BLOCK_NODES + cell)
    end = cell + 1
    while end < BLOCK_NODES and peek(cell_start_in, s * BLOCK_NODES + end + 1) - begin <= BATCH:
        end += 1
    return end


@device
def list_particles(order_in, begin, count, index):
    """Copy a batch's particle numbers, the last one again up to a multiple of 16; the number of groups of 16."""
    for i in range(count):
        poke(index, i, peek(order_in, begin + i))
    groups = (count + 15) >> 4
    for i in range(count, groups * 16):
        poke(index, i, peek(order_in, begin + count - 1))
    return groups


@device
def load_fields(array, words, first, index, group):
    """Fields first .. first + 3 of sixteen particles ``index[16 group ..]`` of a row of ``words``: four vectors."""
    i = group * 16
    a = load_four(array, words, first, index, i)
    b = load_four(array, words, first, index, i + 1)
    c = load_four(array, words, first, index, i + 2)
    d = load_four(array, words, first, index, i + 3)
    return transpose(a, b, c, d)


@device
def load_four(array, words, first, index, i):
    """Fields first .. first + 3 of particles ``index[i], [i + 4], [i + 8], [i + 12]``: four lanes each."""
    a = load4(array, np.int64(peek(index, i)) * words + first)
    b = load4(array, np.int64(peek(index, i + 4)) * words + first)
    c = load4(array, np.int64(peek(index, i + 8)) * words + first)
    d = load4(array, np.int64(peek(index, i + 12)) * words + first)
    return join8(join4(a, b), join4(c, d))


@device
def quad_word(i):
    """Where the four words of particle i of a batch stand, so that ``load_quads`` finds sixteen particles' in lanes."""
    return ((i >> 4) << 6) + ((i & 3) << 4) + (i & 12)


@device
def load_quads(array, at):
    """Four vectors, one for each of the four words, of sixteen particles that were stored at ``at + quad_word(i)``."""
    return transpose(load16(array, at), load16(array, at + 16), load16(array, at + 32), load16(array, at + 48))


@device
def store_fields(array, at, step, a, b, c, d):
    """Inverse of ``load_fields`` for sixteen particles in a row: fields of particle i at at + i * step."""
    a, b, c, d = transpose(a, b, c, d)
    _store_four(array, at, step, a)
    _store_four(array, at + step, step, b)
    _store_four(array, at + 2 * step, step, c)
    _store_four(array, at + 3 * step, step, d)


@device
def _store_four(array, at, step, a):
    store(array, at, quad_0(a))
    store(array, at + 4 * step, quad_1(a))
    store(array, at + 8 * step, quad_2(a))
    store(array, at + 12 * step, quad_3(a))


@device
def spline16(x, inverse_cell):
    """(g, w_0, w_1, w_2) of sixteen coordinates: offset from the nearest node, quadratic B-spline."""
    scaled = vmul(x, inverse_cell)
    g = vsub(vsub(scaled, vfloor(vsub(scaled, half16()))), one16())
    h = vsub(half16(), g)
    w0 = vmul(vmul(h, h), half16())
    w1 = vfma(vsub(zero16(), g), g, three_quarters16())
    h = vadd(half16(), g)
    w2 = vmul(vmul(h, h), half16())
    return g, w0, w1, w2


@device
def slopes16(x, inverse_cell):
    """Of sixteen coordinates: weights w_0 w_1 w_2, and w_i d_i with the distance d_i = i - 1 - g to a node in cells."""
    g, w0, w1, w2 = spline16(x, inverse_cell)
    middle = vsub(zero16(), g)
    return w0, w1, w2, vmul(w0, vsub(middle, one16())), vmul(w1, middle), vmul(w2, vadd(middle, one16()))


@device
def store_products(work, at, x, y, z, inverse_cell, factor, factor_of_mass):
    """Rows and quads of sixteen particles; those along z times a factor, of the mass times another."""
    w0, w1, w2, u0, u1, u2 = slopes16(x, inverse_cell)
    _store_rows(work, at, w0, w1, w2)
    _store_rows(work, at + SLOPES * STRIDE, u0, u1, u2)
    w0, w1, w2, u0, u1, u2 = slopes16(y, inverse_cell)
    _store_rows(work, at + ROW_Y * STRIDE, w0, w1, w2)
    _store_rows(work, at + (ROW_Y + SLOPES) * STRIDE, u0, u1, u2)
    w0, w1, w2, u0, u1, u2 = slopes16(z, inverse_cell)
    m0, m1, m2 = vmul(w0, factor_of_mass), vmul(w1, factor_of_mass), vmul(w2, factor_of_mass)
    w0, w1, w2 = vmul(w0, factor), vmul(w1, factor), vmul(w2, factor)
    to = QUADS * STRIDE + at * 16
    store_fields(work, to, 16, w0, w0, vmul(u0, factor), m0)
    store_fields(work, to + 4, 16, w1, w1, vmul(u1, factor), m1)
    store_fields(work, to + 8, 16, w2, w2, vmul(u2, factor), m2)


@device
def _store_rows(work, at, a, b, c):
    store(work, at, a)
    store(work, at + STRIDE, b)
    store(work, at + 2 * STRIDE, c)


@device
def along_x(work, i, node):
    """Of particle i: w d for x, w for y z and mass, at one of three nodes along x; four nodes side by side."""
    at = i + node * STRIDE
    return _first_of(splat16(peek(work, at)), splat16(peek(work, at + SLOPES * STRIDE)))


@device
def along_y(work, i, node):
    """The same for one of three nodes along y."""
    at = i + (ROW_Y + node) * STRIDE
    return _second_of(splat16(peek(work, at)), splat16(peek(work, at + SLOPES * STRIDE)))
