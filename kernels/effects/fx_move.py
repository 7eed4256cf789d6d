"""Move the effects particles over one frame, and count those that live on.

Spray falls and is dragged by the air, dv/dt = g + (v_air - v) / tau; it ends in the liquid, where it may become foam.
Foam drifts with the liquid's surface. Embers ride on hot air that rises, and cool. Explicit sub-steps; the drag is
implicit, so it is stable for any rate (Ihmsen et al. 2012, "Unified spray, foam and air bubbles", section 3.3).

effect_position float32[cap,4] x y z radius (m), effect_velocity float32[cap,4] vx vy vz (m/s) and remaining life (s),
effect_kind int32[cap], effect_temperature float32[cap] K. alive_out int32[chunks] counts the living of each chunk.

Paper: Ihmsen et al. 2012, section 3.3.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, device, kernel
from kernels.base.constants import (
    COUNT_EFFECTS,
    COUNT_WORDS,
    EFFECT_EMBER,
    EFFECT_FOAM,
    EFFECT_NONE,
    EFFECT_PARAM_DRAG,
    EFFECT_PARAM_EMBER_COOLING,
    EFFECT_PARAM_EMBER_RISE,
    EFFECT_PARAM_FOAM_RATE,
    EFFECT_PARAM_TURBULENCE,
    EFFECT_PARAM_WORDS,
    EFFECT_SPRAY,
    FORCE_GRAVITY_X,
    FORCE_GRAVITY_Y,
    FORCE_GRAVITY_Z,
    FORCE_WORDS,
    MATERIAL_AMBIENT_TEMPERATURE,
    MATERIAL_PARTICLE_VOLUME,
    MATERIAL_WORDS,
    WALL_CELLS,
    WALLS_WORDS,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.effects.fx_air import CHUNK, air_velocity, cell_fill, liquid_at
from kernels.mpm.mpm_collide import collider_distance, terrain_height
from kernels.mpm.mpm_common import walled_cells

SUBSTEPS = 4
WET_FILL = F32(0.5)  # spray that meets at least this much liquid has fallen into it
DRY_FILL = F32(0.05)  # foam with less liquid than this around it has come loose
DEEP_FILL = F32(0.9)  # foam with more than this lies under water and rises
RISE = F32(0.6)  # m/s
MARGIN = F32(WALL_CELLS - 0.5)  # cells


@device
def _advance(
    p, dt, time_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in, force_in, walls_in,
    collider_in, terrain_geometry_in, terrain_in, slot_in, node_in, effect_position, effect_velocity, effect_kind,
    effect_temperature,
):  # fmt: skip
    """One sub-step of particle p; its kind becomes EFFECT_NONE when it dies."""
    kind = effect_kind[p]
    life = effect_velocity[p, 3] - dt
    effect_velocity[p, 3] = life
    if life <= ZERO:
        effect_kind[p] = EFFECT_NONE
        return
    x, y, z = effect_position[p, 0], effect_position[p, 1], effect_position[p, 2]
    vx, vy, vz = effect_velocity[p, 0], effect_velocity[p, 1], effect_velocity[p, 2]
    u, v, w, mass = liquid_at(x, y, z, cell_size_m, cells_x >> 2, cells_y >> 2, cells_z >> 2, slot_in, node_in)
    fill = cell_fill(mass, cell_size_m, material_in)
    # Change of kind where spray meets the liquid, or foam loses it
    if kind == EFFECT_SPRAY and fill > WET_FILL:
        kind = np.int32(EFFECT_FOAM)
        if effect_params_in[EFFECT_PARAM_FOAM_RATE] <= ZERO:
            kind = np.int32(EFFECT_NONE)
    elif kind == EFFECT_FOAM and fill < DRY_FILL:
        kind = np.int32(EFFECT_SPRAY)
    effect_kind[p] = kind
    if kind == EFFECT_FOAM:
        vx, vy, vz = u, v, w
        if fill > DEEP_FILL:
            vz += RISE
    else:
        ax, ay, az = air_velocity(x, y, z, cell_size_m, time_s, effect_params_in, force_in)
        drag = effect_params_in[EFFECT_PARAM_DRAG] * dt
        if kind == EFFECT_EMBER:
            az += effect_params_in[EFFECT_PARAM_EMBER_RISE]
            cooling = effect_params_in[EFFECT_PARAM_EMBER_COOLING] * dt
            ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE]
            effect_temperature[p] = ambient + (effect_temperature[p] - ambient) / (ONE + cooling)
        else:
            vx += force_in[FORCE_GRAVITY_X] * dt
            vy += force_in[FORCE_GRAVITY_Y] * dt
            vz += force_in[FORCE_GRAVITY_Z] * dt
        share = drag / (ONE + drag)
        vx += (ax - vx) * share
        vy += (ay - vy) * share
        vz += (az - vz) * share
    x, y, z = x + vx * dt, y + vy * dt, z + vz * dt
    effect_position[p, 0], effect_position[p, 1], effect_position[p, 2] = x, y, z
    effect_velocity[p, 0], effect_velocity[p, 1], effect_velocity[p, 2] = vx, vy, vz
    # Die at walls, terrain and colliders
    low = MARGIN * cell_size_m
    high_x, high_y = F32(walled_cells(walls_in, 0)) - MARGIN, F32(walled_cells(walls_in, 1)) - MARGIN
    high_z = F32(walled_cells(walls_in, 2)) - MARGIN
    inside = x > low and y > low and z > low
    inside = inside and x < high_x * cell_size_m and y < high_y * cell_size_m and z < high_z * cell_size_m
    if inside and terrain_geometry_in[3] != ZERO:
        inside = z > terrain_height(terrain_geometry_in, terrain_in, x, y)
    if not inside or collider_distance(collider_in, x, y, z) < ZERO:
        effect_kind[p] = EFFECT_NONE


@kernel
def cpu(
    counts_in, frame_dt_s, time_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in, force_in,
    walls_in, collider_in, terrain_geometry_in, terrain_in, slot_in, node_in, effect_position_inout,
    effect_velocity_inout, effect_kind_inout, effect_temperature_inout, alive_out,
):  # fmt: skip
    for chunk in numba.prange(alive_out.shape[0]):
        alive_out[chunk] = _move_chunk(
            chunk, counts_in, frame_dt_s, time_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
            force_in, walls_in, collider_in, terrain_geometry_in, terrain_in, slot_in, node_in, effect_position_inout,
            effect_velocity_inout, effect_kind_inout, effect_temperature_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _move_chunk(
    chunk, counts_in, frame_dt_s, time_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
    force_in, walls_in, collider_in, terrain_geometry_in, terrain_in, slot_in, node_in, effect_position,
    effect_velocity, effect_kind, effect_temperature,
):  # fmt: skip
    """Move the particles of one chunk through all sub-steps; the number that live on."""
    dt = frame_dt_s / F32(SUBSTEPS)
    alive = 0
    for p in range(chunk * CHUNK, min((chunk + 1) * CHUNK, counts_in[COUNT_EFFECTS])):
        for step in range(SUBSTEPS):
            if effect_kind[p] != EFFECT_NONE:
                _advance(
                    p, dt, time_s + F32(step) * dt, cells_x, cells_y, cells_z, cell_size_m, effect_params_in,
                    material_in, force_in, walls_in, collider_in, terrain_geometry_in, terrain_in, slot_in, node_in,
                    effect_position, effect_velocity, effect_kind, effect_temperature,
                )  # fmt: skip
        if effect_kind[p] != EFFECT_NONE:
            alive += 1
    return alive


def traffic(**arguments):
    count = int(arguments["counts_in"][COUNT_EFFECTS])
    # Position, velocity, kind, temperature once each way; the grid's nodes are shared by many and stay in cache
    return Traffic(items=count, bytes_read=40 * count, bytes_written=40 * count, flops=SUBSTEPS * 150 * count)


def example(rng, size):
    """A cube of still liquid with spray, foam and embers in and above it."""
    cells = 32
    blocks = cells // 4
    slot = np.full(blocks**3, -1, np.int32)
    for b in range(blocks**3):
        if b % blocks < blocks // 2:
            slot[b] = b // blocks * (blocks // 2) + b % blocks
    node = np.zeros((blocks**3 // 2, 64, 4), F32)
    node[:, :, 3] = 8
    node[:, :, :3] = rng.uniform(-1, 1, node[:, :, :3].shape)
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_EFFECTS] = size
    params = np.zeros(EFFECT_PARAM_WORDS, F32)
    params[EFFECT_PARAM_DRAG], params[EFFECT_PARAM_TURBULENCE], params[EFFECT_PARAM_FOAM_RATE] = 2, 1, 1
    params[EFFECT_PARAM_EMBER_RISE], params[EFFECT_PARAM_EMBER_COOLING] = 3, 1
    material = np.zeros(MATERIAL_WORDS, F32)
    material[MATERIAL_PARTICLE_VOLUME], material[MATERIAL_AMBIENT_TEMPERATURE] = 0.001 / 8, 300
    force = np.zeros(FORCE_WORDS, F32)
    force[FORCE_GRAVITY_Z] = -9.81
    position = np.empty((size, 4), F32)
    position[:, :3] = rng.uniform(0.5, 2.7, (size, 3))
    position[:, 3] = 0.01
    velocity = np.empty((size, 4), F32)
    velocity[:, :3] = rng.uniform(-2, 2, (size, 3))
    velocity[:, 3] = rng.uniform(0.01, 2, size)
    return {
        "counts_in": counts,
        "frame_dt_s": F32(1 / 24),
        "time_s": F32(0.25),
        "cells_x": cells,
        "cells_y": cells,
        "cells_z": cells,
        "cell_size_m": F32(0.1),
        "effect_params_in": params,
        "material_in": material,
        "force_in": force,
        "walls_in": np.array([1] * 6 + [cells - 2 * WALL_CELLS] * (WALLS_WORDS - 6), np.int32),
        "collider_in": np.zeros((1, 12), F32),
        "terrain_geometry_in": np.zeros(4, F32),
        "terrain_in": np.zeros((2, 2), F32),
        "slot_in": slot,
        "node_in": node,
        "effect_position_inout": position,
        "effect_velocity_inout": velocity,
        "effect_kind_inout": rng.integers(1, 4, size).astype(np.int32),
        "effect_temperature_inout": rng.uniform(900, 1500, size).astype(F32),
        "alive_out": np.zeros((size + CHUNK - 1) // CHUNK, np.int32),
    }


KERNEL = Kernel(
    name="fx_move",
    item="effects particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("fx_move", blocks_per_sm=4),),
)
