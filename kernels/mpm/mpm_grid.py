"""Grid update: gather each block's nodes from the arenas, then gravity, vortex, colliders, terrain and walls.

A node's momentum and mass are whole numbers in up to eight arenas (its own block's and those of neighbours at -1 whose
particles reach over); their sum does not depend on order. velocity = momentum / mass in units of
step[STEP_VELOCITY_UNIT]; then v += dt g, then ``mpm_collide.apply_forces_and_boundaries``. A node whose mass rounds to
0 is empty. Such rounding is harmless: |momentum| <= mass holds for each cell's rounded sums as it holds for the exact
ones, so a node is never faster than the unit, and a particle feels a node at most by the mass it gave it.

Where no force and no boundary can act, the last call is left out for a whole block; it would give back its input. It
also gives the share of the node that is free of solids: the rest counts as full of liquid, in the mass alone.

sound_step: which of the substep's; after 0 the sum is added to the velocity that the node has. block_id_in, slot_in,
cell_start_in of ``mpm_sort``; arena_in of ``mpm_p2g``; walls_in int32[WALLS_WORDS]; collider_in float32[m, 12];
node_inout float32[capacity, 64, 4] = velocity (m/s), mass (particle masses; with what solids would hold); not read in
sound step 0.

Paper: Hu et al. 2018 (MLS-MPM); Stomakhin et al. 2013 (boundaries); Scully 1975 (vortex).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, device, kernel
from kernels.base.constants import (
    ARENA_CHANNELS,
    ARENA_EDGE,
    ARENA_PLANE,
    ARENA_ROW,
    ARENA_WORDS,
    BLOCK_EDGE,
    BLOCK_NODES,
    BLOCK_WORDS,
    COLLIDER_KIND,
    COUNT_BLOCKS,
    FORCE_GRAVITY_X,
    FORCE_GRAVITY_Y,
    FORCE_GRAVITY_Z,
    FORCE_SKIN_FRICTION,
    NODE_ROW,
    STEP_DT,
    STEP_FULL,
    STEP_VELOCITY_UNIT,
    VORTEX_ON,
    WALL_CELLS,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.base.tasks import new_pieces, next_piece, thread_count
from kernels.base.vector import (
    join8,
    load8,
    load16,
    make_blend,
    make_constant,
    make_shuffle,
    peek,
    poke,
    prefetch_far,
    splat16,
    store,
    vadd,
    vand,
    vdiv,
    vfma,
    vto_float,
)
from kernels.base.vector_bits import vzero_unless
from kernels.mpm.mpm_collide import apply_forces_and_boundaries, level_of_node
from kernels.mpm.mpm_common import MASS_SCALE, four_nodes, walled_cells

zero16, one16 = make_constant([0.0] * 16), make_constant([1.0] * 16)
no_count8 = make_constant([0] * 8, "i32")
# What stands under momentum, or is added to velocity, and besides what the mass's lane has
but_mass = make_blend([0, 1, 2, 19, 4, 5, 6, 23, 8, 9, 10, 27, 12, 13, 14, 31])
mass_of_node = make_shuffle([3] * 4 + [7] * 4 + [11] * 4 + [15] * 4, 16)


@kernel
def cpu(
    sound_step, blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, force_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, block_id_in, slot_in, cell_start_in, arena_in, node_inout,
):  # fmt: skip
    pieces = new_pieces(thread_count())
    for _task in numba.prange(thread_count()):
        _blocks(
            sound_step, blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, force_in, walls_in, collider_in,
            terrain_geometry_in, terrain_in, block_id_in, slot_in, cell_start_in, arena_in, node_inout, pieces,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _blocks(
    sound_step, blocks_x, blocks_y, blocks_z, cell_size_m, counts_in, step_in, force_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in, block_id_in, slot_in, cell_start_in, arena_in, node_inout, pieces,
):  # fmt: skip
    blocks = np.int64(counts_in[COUNT_BLOCKS])
    # One factor for each lane: the velocity unit, or the size of a unit of mass
    dt = step_in[STEP_DT]
    velocity_unit, full = step_in[STEP_VELOCITY_UNIT], step_in[STEP_FULL]
    unit = four_nodes(velocity_unit, velocity_unit, velocity_unit, ONE / MASS_SCALE)
    kick = four_nodes(
        dt * force_in[FORCE_GRAVITY_X], dt * force_in[FORCE_GRAVITY_Y], dt * force_in[FORCE_GRAVITY_Z], ZERO
    )
    cells_x, cells_y, cells_z = walled_cells(walls_in, 0), walled_cells(walls_in, 1), walled_cells(walls_in, 2)
    skin = dt * force_in[FORCE_SKIN_FRICTION] * full / cell_size_m
    everywhere = force_in[VORTEX_ON] != ZERO or terrain_geometry_in[3] != ZERO
    for c in range(collider_in.shape[0]):
        if collider_in[c, COLLIDER_KIND] != ZERO:
            everywhere = True
    while True:
        first_slot, end_slot = next_piece(pieces, blocks)
        if first_slot == end_slot:
            break
        for s in range(first_slot, end_slot):
            block = np.int64(peek(block_id_in, s))
            bi, bj, bk = block // (blocks_y * blocks_z), block // blocks_z % blocks_y, block % blocks_z
            for word in range(0, ARENA_WORDS, 16):
                prefetch_far(arena_in, (s + 1) * ARENA_WORDS + word)
            to = s * BLOCK_WORDS
            _gather(
                bi, bj, bk, blocks_y, blocks_z, slot_in, cell_start_in, arena_in, unit, kick, sound_step, node_inout, to
            )
            walled = _near_wall(bi, cells_x) or _near_wall(bj, cells_y) or _near_wall(bk, cells_z)
            if not (everywhere or walled):
                continue
            for c in range(4):
                z = F32(bk * 4 + c) * cell_size_m
                level = level_of_node(z, step_in, force_in)
                for column in range(16):
                    at = (s * BLOCK_NODES + column * 4 + c) * 4
                    mass = peek(node_inout, at + 3)
                    if mass == ZERO:
                        continue
                    x, y = F32(bi * 4 + (column >> 2)) * cell_size_m, F32(bj * 4 + (column & 3)) * cell_size_m
                    vx, vy, vz, share = apply_forces_and_boundaries(
                        x, y, z, peek(node_inout, at), peek(node_inout, at + 1), peek(node_inout, at + 2),
                        skin / mass, level, cells_x, cells_y, cells_z, cell_size_m, step_in, force_in, walls_in,
                        collider_in, terrain_geometry_in, terrain_in,
                    )  # fmt: skip
                    poke(node_inout, at, vx)
                    poke(node_inout, at + 1, vy)
                    poke(node_inout, at + 2, vz)
                    poke(node_inout, at + 3, mass + full * (ONE - share))


@device
def _near_wall(block, cells):
    """True where a block has nodes within a cell of the walls, or beyond, of an axis of ``walled_cells`` cells."""
    return block * 4 <= WALL_CELLS + 1 or block * 4 + 3 >= cells - WALL_CELLS - 1


@device
def _gather(bi, bj, bk, blocks_y, blocks_z, slot_in, cell_start_in, arena_in, unit, kick, sound_step, node_inout, to):
    """A block's 64 nodes: sums of what up to eight arenas hold of them, as velocities after gravity, and masses.

    Sums of sound step 0 are velocities, later ones changes of them.
    """
    # Where each arena's share starts, and a mask that leaves nothing of an arena that is not there
    at000, m000 = _arena(bi, bj, bk, 0, 0, 0, blocks_y, blocks_z, slot_in, cell_start_in)
    at001, m001 = _arena(bi, bj, bk, 0, 0, 1, blocks_y, blocks_z, slot_in, cell_start_in)
    at010, m010 = _arena(bi, bj, bk, 0, 1, 0, blocks_y, blocks_z, slot_in, cell_start_in)
    at011, m011 = _arena(bi, bj, bk, 0, 1, 1, blocks_y, blocks_z, slot_in, cell_start_in)
    at100, m100 = _arena(bi, bj, bk, 1, 0, 0, blocks_y, blocks_z, slot_in, cell_start_in)
    at101, m101 = _arena(bi, bj, bk, 1, 0, 1, blocks_y, blocks_z, slot_in, cell_start_in)
    at110, m110 = _arena(bi, bj, bk, 1, 1, 0, blocks_y, blocks_z, slot_in, cell_start_in)
    at111, m111 = _arena(bi, bj, bk, 1, 1, 1, blocks_y, blocks_z, slot_in, cell_start_in)
    for a in range(4):
        for b in range(4):
            i = (ARENA_EDGE * a + b) * ARENA_ROW
            row = _row(arena_in, at000 + i, m000, at001 + i, m001)
            if b < 2:
                row = vadd(row, _row(arena_in, at010 + i, m010, at011 + i, m011))
            if a < 2:
                row = vadd(row, _row(arena_in, at100 + i, m100, at101 + i, m101))
                if b < 2:
                    row = vadd(row, _row(arena_in, at110 + i, m110, at111 + i, m111))
            # Momentum to velocity, gravity
            mass = mass_of_node(row)
            share = vdiv(vto_float(row), but_mass(vto_float(mass), one16()))
            before = kick
            at = to + (a * BLOCK_EDGE + b) * NODE_ROW
            if sound_step > 0:
                before = vadd(kick, but_mass(load16(node_inout, at), zero16()))
            store(node_inout, at, vzero_unless(mass, vfma(share, unit, before)))


@device
def _arena(bi, bj, bk, di, dj, dk, blocks_y, blocks_z, slot_in, cell_start_in):
    """Where the arena of the neighbour at -(di, dj, dk) holds a block's lowest node; all bits set if it has one."""
    s = np.int64(-1)
    if bi >= di and bj >= dj and bk >= dk:
        s = np.int64(peek(slot_in, ((bi - di) * blocks_y + bj - dj) * blocks_z + bk - dk))
    filled = np.int32(0)
    if s >= 0 and peek(cell_start_in, s * BLOCK_NODES) != peek(cell_start_in, (s + 1) * BLOCK_NODES):
        filled = np.int32(-1)
    first = BLOCK_EDGE * (di * ARENA_PLANE + dj * ARENA_ROW + dk * ARENA_CHANNELS)
    return max(s, 0) * ARENA_WORDS + first, splat16(filled)


@device
def _row(arena_in, at, mask, at_next, mask_next):
    """Four nodes of one arena, and of the one at -1 along z, which reaches the first two of them."""
    high = join8(load8(arena_in, at_next), no_count8())
    return vadd(vand(load16(arena_in, at), mask), vand(high, mask_next))


def traffic(**arguments):
    blocks = int(arguments["counts_in"][COUNT_BLOCKS])
    first = arguments["cell_start_in"][: blocks * BLOCK_NODES + 1 : BLOCK_NODES]
    filled = int(np.count_nonzero(np.diff(first)))
    before = 1 if int(arguments["sound_step"]) > 0 else 0
    return Traffic(
        items=blocks * BLOCK_NODES,
        bytes_read=4 * ARENA_WORDS * filled + (12 + 16 * BLOCK_NODES * before) * blocks,
        bytes_written=16 * BLOCK_NODES * blocks,
        flops=(9 + 3 * before)
        * BLOCK_NODES
        * blocks,  # without boundaries and vortex: most nodes of most scenes are far from them
    )


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_grid", item="node", cpu=cpu, traffic=traffic, example=example, passes=(Pass("mpm_grid", blocks_per_sm=4),)
)
