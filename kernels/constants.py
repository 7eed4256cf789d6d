"""Names and numbers that both languages need. A .cu file gets them as generated #defines.

Only whole numbers and float32 values stand here; a slot name is an index into a parameter vector.
"""

from __future__ import annotations

# --- Simulation grid: blocks of 4 x 4 x 4 nodes; z runs fastest ---------------------------------
BLOCK_EDGE = 4  # nodes per block edge
BLOCK_NODES = 64
WALL_CELLS = 4  # the fluid's domain starts this many cells inside the grid's box, on every side
ARENA_EDGE = 6  # nodes per edge that the particles of one block reach (quadratic B-spline, by base node)
ARENA_CHANNELS = 4  # momentum x y z, mass
ARENA_WORDS = 880  # int32 words per arena: 6^3 * 4, and 16 spare for a full-width vector store

MASS_BITS = 22  # mass is accumulated in units of 2^-22 particle masses
CELL_COUNT_MAX = 95  # particles of one base cell; more could overflow 2^31 in a node and fails the run

# counts: int32 vector that lives beside the state
COUNT_PARTICLES, COUNT_BLOCKS, COUNT_CELL_MAX, COUNT_ERROR, COUNT_EFFECTS = 0, 1, 2, 3, 4
COUNT_WORDS = 8
# bits of counts[COUNT_ERROR]: any set bit fails the run
ERROR_CELL_OVERFLOW, ERROR_BLOCK_CAPACITY, ERROR_TOO_FAST, ERROR_NOT_FINITE = 1, 2, 4, 8
ERROR_PARTICLE_CAPACITY, ERROR_OUTSIDE = 16, 32

# step: float32 vector with what one substep needs
STEP_DT, STEP_VELOCITY_SCALE, STEP_VELOCITY_UNIT, STEP_TIME = 0, 1, 2, 3
STEP_WORDS = 8

# material: float32 vector
(
    MATERIAL_DENSITY,  # kg/m^3
    MATERIAL_BULK_MODULUS,  # K of p = K (J^-7 - 1), Pa
    MATERIAL_VISCOSITY,  # Pa s; of a liquid without heat
    MATERIAL_VFT_A,  # log10 mu = A + B / (T - C)
    MATERIAL_VFT_B,
    MATERIAL_VFT_C,
    MATERIAL_VISCOSITY_MAX,  # Pa s, cap
    MATERIAL_YIELD_STRESS,  # Pa at MATERIAL_YIELD_TEMPERATURE and below
    MATERIAL_PAPANASTASIOU,  # s, regularisation exponent
    MATERIAL_SPECIFIC_HEAT,  # J/kg/K
    MATERIAL_CONDUCTIVITY,  # W/m/K
    MATERIAL_EMISSIVITY,
    MATERIAL_RADIATING_LAYER,  # m, depth of the skin that a free surface cools
    MATERIAL_AMBIENT_TEMPERATURE,  # K
    MATERIAL_YIELD_TEMPERATURE,  # K, below it the yield stress is full, at MATERIAL_LIQUIDUS it is zero
    MATERIAL_LIQUIDUS,  # K
    MATERIAL_PARTICLE_VOLUME,  # m^3 at rest
) = range(17)
MATERIAL_WORDS = 24

# force: float32 vector
(
    FORCE_GRAVITY_X,
    FORCE_GRAVITY_Y,
    FORCE_GRAVITY_Z,  # m/s^2
    VORTEX_ON,
    VORTEX_X,
    VORTEX_Y,  # m, axis (vertical)
    VORTEX_Z_LOW,
    VORTEX_Z_HIGH,  # m, acts between
    VORTEX_CORE,  # m, radius of the fastest swirl at the bottom
    VORTEX_SWIRL,  # m/s, swirl speed at the core radius
    VORTEX_UPDRAFT,  # m/s, in the core
    VORTEX_INFLOW,  # m/s, towards the axis outside the core
    VORTEX_RATE,  # 1/s, how fast the flow is driven to that
    VORTEX_FLARE,  # core radius growth per metre of height
    VORTEX_SWAY,  # m, how far the axis wanders
    VORTEX_REACH,  # m, radius beyond which it fades
) = range(16)
FORCE_WORDS = 24

# collider: one row of float32 each
COLLIDER_KIND, COLLIDER_FRICTION = 0, 1
COLLIDER_SPHERE, COLLIDER_BOX, COLLIDER_CAPSULE = 1, 2, 3  # kinds
BOUNDARY_STICK, BOUNDARY_SLIP, BOUNDARY_SEPARATE = 0, 1, 2  # values of COLLIDER_FRICTION
COLLIDER_A = 2  # centre / centre / first end, 3 words, m
COLLIDER_B = 5  # radius,-,- / half edges / second end, 3 words, m
COLLIDER_C = 8  # - / rounding radius / radius, m
COLLIDER_WORDS = 12

# walls: int32 vector of six boundary kinds in the order x- x+ y- y+ z- z+

# effects particles: kinds
EFFECT_NONE, EFFECT_SPRAY, EFFECT_FOAM, EFFECT_EMBER = 0, 1, 2, 3

# --- Picture grids: bricks of 8^3 voxels, node values with one shared apron (9^3) -----------------
BRICK_EDGE = 8  # voxels
BRICK_NODES_EDGE = 9
BRICK_NODES = 729
BRICK_OUTSIDE, BRICK_INSIDE = -1, -2  # table entries without values: all air, all liquid
SURFACE_CHANNELS = 2  # signed distance (m, negative inside the liquid); heat (K) or foam (0..1)
FOG_CHANNELS = 2  # extinction (1/m); temperature (K) of glowing matter, 0 where it does not glow

SAMPLE_CHUNK = 16  # samples that are summed in registers before they join the film: part of the result's definition
