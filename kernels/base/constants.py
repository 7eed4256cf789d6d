"""Names and numbers that both languages need. A .cu file gets them as generated constants (``source.py``).

Only whole numbers and float32 values stand here; a slot name is an index into a parameter vector.
"""

from __future__ import annotations

# --- Simulation grid: blocks of 4 x 4 x 4 nodes; z runs fastest ---------------------------------
BLOCK_EDGE = 4  # nodes per block edge
BLOCK_NODES = 64
NODE_WORDS = 4  # of a node: velocity x y z, mass; of heat: temperature, fill, its change, free surface
NODE_ROW = BLOCK_EDGE * NODE_WORDS  # words of a block's row of nodes along z
BLOCK_WORDS = BLOCK_NODES * NODE_WORDS
WALL_CELLS = 4  # the fluid's domain starts this many cells inside the grid's box, on every side
ARENA_EDGE = 6  # nodes per edge that the particles of one block reach (quadratic B-spline, by base node)
ARENA_CHANNELS = 4  # momentum x y z, mass
ARENA_NODES = ARENA_EDGE**3
ARENA_ROW = ARENA_EDGE * ARENA_CHANNELS  # words from a node to the next one along y
ARENA_PLANE = ARENA_EDGE * ARENA_ROW  # and along x
ARENA_WORDS = 880  # int32 words per arena: 6^3 * 4, and 16 spare for a full-width vector store

MASS_BITS = 22  # mass is accumulated in units of 2^-22 particle masses
CELL_COUNT_MAX = 95  # particles of one base cell; more could overflow 2^31 in a node and fails the run

# counts: int32 vector that lives beside the state
COUNT_PARTICLES, COUNT_BLOCKS, COUNT_CELL_MAX, COUNT_ERROR, COUNT_EFFECTS = 0, 1, 2, 3, 4
COUNT_SURFACE_BRICKS, COUNT_FOG_BRICKS, COUNT_BRICKS_NEEDED = 5, 6, 7  # the last: with those that did not fit
COUNT_SUBSTEPS = 8  # completed so far
COUNT_BLOCKS_NEEDED = (
    9  # 0, or active blocks that there is too little room for: then nothing changes the state any more
)
COUNT_WORDS = 12
# bits of counts[COUNT_ERROR]: any set bit fails the run
ERROR_CELL_OVERFLOW, ERROR_TOO_FAST, ERROR_NOT_FINITE = 1, 4, 8
ERROR_PARTICLE_CAPACITY, ERROR_OUTSIDE = 16, 32
ERROR_SURFACE_CAPACITY, ERROR_FOG_CAPACITY = 64, 128

# step: float32 vector with what one substep needs, and what the substeps of a frame came to
STEP_DT, STEP_VELOCITY_SCALE, STEP_VELOCITY_UNIT, STEP_TIME = 0, 1, 2, 3
STEP_SPEED_MOST, STEP_VOLUME_LEAST, STEP_VOLUME_MOST = 4, 5, 6  # m/s, a component; volume ratios; of the frame so far
STEP_FULL = 7  # particles of a cell that is full of liquid
STEP_SOUND_STEPS = 8  # steps of STEP_DT that a substep is made of: particles move once in all of them
STEP_FRAME_TIME = 9  # s, when the frame began: solids that move stand in their rows as they were then
STEP_WORDS = 12

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
    MATERIAL_AMBIENT_TEMPERATURE,  # K
    MATERIAL_YIELD_TEMPERATURE,  # K, below it the yield stress is full, at MATERIAL_LIQUIDUS it is zero
    MATERIAL_LIQUIDUS,  # K
    MATERIAL_PARTICLE_VOLUME,  # m^3 at rest
) = range(16)
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
    FORCE_SKIN_FRICTION,  # shear stress of a solid over density x speed^2: an eighth of Darcy's factor
) = range(17)
FORCE_WORDS = 24

# collider: one row of float32 each
COLLIDER_KIND, COLLIDER_FRICTION = 0, 1
COLLIDER_SPHERE, COLLIDER_BOX, COLLIDER_CAPSULE = 1, 2, 3  # kinds
COLLIDER_CYLINDER, COLLIDER_VESSEL = 4, 5  # vertical solid cylinder; the solid outside a vertical cylinder
BOUNDARY_STICK, BOUNDARY_SLIP, BOUNDARY_SEPARATE = 0, 1, 2  # values of COLLIDER_FRICTION
COLLIDER_A = 2  # centre / centre / first end, 3 words, m
COLLIDER_B = 5  # radius,-,- / half edges / second end / radius,-,half height / radius,-,-; 3 words, m
COLLIDER_C = 8  # - / rounding radius / radius / rounding radius / -, m
COLLIDER_VELOCITY = 9  # of the solid in this frame, 3 words, m/s
COLLIDER_WORDS = 12

# terrain_geometry[3]: 0 off, else 1 + the boundary kind
TERRAIN_OFF, TERRAIN_STICK, TERRAIN_SLIP, TERRAIN_SEPARATE = 0, 1, 2, 3

# walls: int32 vector of six boundary kinds in the order x- x+ y- y+ z- z+, then the cells of the fluid's domain: a low
# wall stands at WALL_CELLS, a high one at WALL_CELLS + the domain's cells; the grid's box goes on behind both
DOMAIN_X, DOMAIN_Y, DOMAIN_Z = 6, 7, 8
WALLS_WORDS = 12

# emitter: float32 vector; three words each for place (m) and unit direction
EMITTER_X, EMITTER_DIRECTION, EMITTER_RADIUS, EMITTER_SPEED, EMITTER_TEMPERATURE, EMITTER_VISCOSITY = 0, 3, 6, 7, 8, 9
EMITTER_WORDS = 12

# effects particles: kinds
EFFECT_NONE, EFFECT_SPRAY, EFFECT_FOAM, EFFECT_EMBER = 0, 1, 2, 3

# effects: float32 vector; a rate is a number of births per liquid particle and second where the potential is 1
(
    EFFECT_PARAM_SPRAY_RATE,  # 1/s; 0: none
    EFFECT_PARAM_FOAM_RATE,  # 1/s; 0: none
    EFFECT_PARAM_EMBER_RATE,  # 1/s; 0: none
    EFFECT_PARAM_SPEED_LOW,  # m/s, below it nothing is torn off
    EFFECT_PARAM_SPEED_HIGH,  # m/s, from it on the potential is full
    EFFECT_PARAM_STRAIN_LOW,  # 1/s, strain rate of trapped air, likewise
    EFFECT_PARAM_STRAIN_HIGH,  # 1/s
    EFFECT_PARAM_SURFACE_FRACTION,  # local fill (1: full lattice) below which a particle lies at the surface
    EFFECT_PARAM_LIFE_MIN,  # s
    EFFECT_PARAM_LIFE_MAX,  # s
    EFFECT_PARAM_DRAG,  # 1/s, towards the air's velocity
    EFFECT_PARAM_RADIUS_MIN,  # m
    EFFECT_PARAM_RADIUS_MAX,  # m
    EFFECT_PARAM_WIND,  # share of the vortex' velocity that the air has
    EFFECT_PARAM_SCATTER,  # m/s, random velocity at birth
    EFFECT_PARAM_TURBULENCE,  # m/s, of the air around embers and spray
    EFFECT_PARAM_EMBER_TEMPERATURE,  # K, lava below it sends out none
    EFFECT_PARAM_EMBER_RISE,  # m/s, of the hot air over lava
    EFFECT_PARAM_EMBER_COOLING,  # 1/s, rate at which an ember cools towards the ambient temperature
) = range(19)
EFFECT_PARAM_WORDS = 24

# --- Picture grids: bricks of 8^3 voxels, node values with one shared apron (9^3) -----------------
BRICK_EDGE = 8  # voxels
BRICK_NODES_EDGE = 9
BRICK_NODES = 729
BRICK_OUTSIDE, BRICK_INSIDE = -1, -2  # table entries without values: all air, all liquid
SURFACE_CHANNELS = 2  # signed distance (m, negative inside the liquid); heat (K) or foam (0..1)
FOG_CHANNELS = 2  # extinction (1/m); temperature (K) of glowing matter, 0 where it does not glow
BRICK_ROW = BRICK_NODES_EDGE * SURFACE_CHANNELS  # words of a brick's values from a node to the next one along y
BRICK_PLANE = BRICK_NODES_EDGE * BRICK_ROW  # and along x

# picture: float32 vector, how particles become bricks (grid-local m)
(
    PICTURE_CELL,  # m, simulation cell: particles are binned by it
    PICTURE_VOXEL,  # m, surface bricks
    PICTURE_REACH,  # m, radius of the kernel that averages the liquid's particles
    PICTURE_RADIUS,  # m, distance of the surface from the averaged position
    PICTURE_LOW_X,  # walls of the fluid's domain
    PICTURE_LOW_Y,
    PICTURE_LOW_Z,
    PICTURE_HIGH_X,
    PICTURE_HIGH_Y,
    PICTURE_HIGH_Z,
    PICTURE_MARGIN,  # m, how far smoothing may move the surface
    PICTURE_FOAM_REACH,  # m, radius of the kernel that spreads foam
    PICTURE_FOG_VOXEL,  # m, fog bricks
    PICTURE_FOG_REACH,  # m, radius of the kernel that spreads spray and embers
    PICTURE_HEAT,  # 1: the second channel is the liquid's temperature; 0: foam
    PICTURE_FULL,  # particles that a cell of solid liquid holds at least
) = range(16)
PICTURE_WORDS = 24

# surface_walls: int32 vector of six in the order x- x+ y- y+ z- z+: what the level set does beyond the domain's wall
WALL_OPEN, WALL_CONTINUE, WALL_CUT = 0, 1, 2  # ends near its last particle; goes on; is closed flush with the wall

PARAMETER_WORDS = 64  # float32 of a vector that a GPU gets by value among the parameters; shorter ones are padded
SAMPLE_CHUNK = 16  # samples summed in registers before they join the pixel sums: part of the result's definition

# --- Picture: sky, look, camera, pixel sums -----------------------------------------------------
# sky: float32 vector; radiances are linear RGB in the picture's own unit
(
    SKY_SUN_X,
    SKY_SUN_Y,
    SKY_SUN_Z,  # unit vector to the sun
    SKY_SUN_COS,  # cosine of the sun disc's angular radius; 1 or more: no sun
    SKY_SUN_R,  # radiance of the disc, 3 words
    SKY_SUN_G,
    SKY_SUN_B,
    SKY_ZENITH_R,  # radiance straight up, 3 words
    SKY_ZENITH_G,
    SKY_ZENITH_B,
    SKY_HORIZON_R,  # radiance at the horizon, 3 words
    SKY_HORIZON_G,
    SKY_HORIZON_B,
    SKY_GROUND_R,  # radiance straight down, 3 words
    SKY_GROUND_G,
    SKY_GROUND_B,
    SKY_EXPONENT,  # zenith share = max(z, 0)^exponent; 0.3 to 0.7 is a clear day
    SKY_GLOW_R,  # radiance of the glow around the sun, 3 words, at its centre
    SKY_GLOW_G,
    SKY_GLOW_B,
    SKY_GLOW_WIDTH,  # k of exp(-k (1 - cos angle)): 4 wide, 60 tight
    SKY_CLOUD_R,  # radiance of procedural clouds, 3 words
    SKY_CLOUD_G,
    SKY_CLOUD_B,
    SKY_CLOUD_AMOUNT,  # 0 none to 1 overcast
    SKY_CLOUD_SCALE,  # feature size of the clouds: 1 is a few features across the sky
    SKY_GROUND_BLEND,  # how far below the horizon (as -z) horizon becomes ground; 0.05 is sharp
) = range(27)
SKY_WORDS = 32

# look: float32 vector, how matter looks
LIQUID_WATER, LIQUID_LAVA = 0, 1  # values of LOOK_LIQUID
(
    LOOK_LIQUID,
    LOOK_IOR,  # water: index of refraction
    LOOK_ABSORB_R,  # water: absorption, 1/m, 3 words
    LOOK_ABSORB_G,
    LOOK_ABSORB_B,
    LOOK_FOAM_R,  # water: albedo of foam, 3 words
    LOOK_FOAM_G,
    LOOK_FOAM_B,
    LOOK_FOAM_GAIN,  # coverage = 1 - exp(-gain * foam value)
    LOOK_LAVA_R,  # lava: albedo of the crust, 3 words
    LOOK_LAVA_G,
    LOOK_LAVA_B,
    LOOK_LAVA_BUMP,  # lava: slope of the procedural crust normals, 0 smooth, 0.5 rough
    LOOK_LAVA_SCALE,  # lava: size of the largest crust feature, m
    LOOK_LAVA_CRUST_K,  # lava: temperature spread of the crust noise, K (plates cool, cracks stay hot)
    LOOK_GLOW_GAIN,  # factor on glow_lut for surfaces
    LOOK_GLOW_LOW_K,  # temperature of glow_lut[0]
    LOOK_GLOW_HIGH_K,  # temperature of glow_lut[255]
    LOOK_FOG_R,  # spray: single-scattering albedo, 3 words
    LOOK_FOG_G,
    LOOK_FOG_B,
    LOOK_FOG_PHASE,  # spray: mean cosine g of the Henyey-Greenstein phase function
    LOOK_FOG_GAIN,  # spray: factor on the extinction (majorant included)
    LOOK_FOG_GLOW_GAIN,  # embers: factor on glow_lut for the volume
    LOOK_TERRAIN_A_R,  # terrain: albedo of flat ground, 3 words
    LOOK_TERRAIN_A_G,
    LOOK_TERRAIN_A_B,
    LOOK_TERRAIN_B_R,  # terrain: albedo of steep ground, 3 words
    LOOK_TERRAIN_B_G,
    LOOK_TERRAIN_B_B,
    LOOK_TERRAIN_SCALE,  # size of the terrain's largest noise feature, m
    LOOK_TERRAIN_BUMP,  # slope of the procedural terrain normals
    LOOK_TERRAIN_STEEP,  # normal z below which ground counts as steep, 0..1
    LOOK_TERRAIN_WET_Z,  # ground below this height is wet (darker); -1e30 none
    LOOK_COLLIDER_R,  # colliders: albedo, 3 words
    LOOK_COLLIDER_G,
    LOOK_COLLIDER_B,
    LOOK_MIRROR_X_LOW,  # 1: a ray that reaches this side of the fluid's domain is mirrored there
    LOOK_MIRROR_X_HIGH,
    LOOK_MIRROR_Y_LOW,
    LOOK_MIRROR_Y_HIGH,
    LOOK_MIRROR_FOLDS,  # mirrorings before a path goes on unfolded
    LOOK_PLANE_ON,  # 1: a water plane goes on outside the fluid's domain
    LOOK_PLANE_Z,  # its height, m (grid-local)
    LOOK_PLANE_RIPPLE,  # slope of its analytic ripples
    LOOK_PLANE_SCALE,  # wavelength of its longest ripple, m
    LOOK_PLANE_R,  # radiance that comes up out of deep water, 3 words
    LOOK_PLANE_G,
    LOOK_PLANE_B,
    LOOK_HAZE,  # aerial perspective: distance at which terrain and plane are 63 % horizon, m; 0 none
    LOOK_EXPOSURE,  # PNG only: factor before the tone curve
    LOOK_TIME,  # s, moves ripples and clouds
    LOOK_FLOOR_ON,  # 1: the bottom of the fluid's domain is a diffuse floor with the terrain's look
    LOOK_FLOOR_Z,
    LOOK_RIPPLE,  # water: slope of fine procedural ripples on the level set, 0 none
    LOOK_RIPPLE_SCALE,  # their wavelength, m
    LOOK_WATER_R,  # water: radiance that very much of it tends to (light scattered back in it), 3 words
    LOOK_WATER_G,
    LOOK_WATER_B,
) = range(59)
LOOK_WORDS = 64

# camera: float32[16] = origin (m), forward * 1, right * tan(half width angle), up * tan(half height angle)
CAMERA_ORIGIN, CAMERA_FORWARD, CAMERA_RIGHT, CAMERA_UP = 0, 3, 6, 9
CAMERA_WORDS = 16
GLOW_LUT_SIZE = 256

PIXEL_SUM, PIXEL_SQUARE, PIXEL_ALPHA, PIXEL_DEPTH = 0, 3, 6, 7  # pixel sums: words of a pixel, sums over samples
PIXEL_WORDS = 8

# trace: float32 vector, the geometry of one picture (grid-local m)
(
    TRACE_LOW_X,  # inner low corner of the fluid's domain: mirrors stand here, the outside plane starts here
    TRACE_LOW_Y,
    TRACE_LOW_Z,
    TRACE_HIGH_X,
    TRACE_HIGH_Y,
    TRACE_HIGH_Z,
    TRACE_VOXEL,  # m, surface bricks
    TRACE_FOG_VOXEL,  # m, fog bricks
    TRACE_HAS_SURFACE,  # 0: no surface brick at all
    TRACE_HAS_FOG,
    TRACE_HAS_COLLIDERS,
    TRACE_TERRAIN_LOW,  # m, lowest and highest terrain
    TRACE_TERRAIN_HIGH,
    TRACE_TERRAIN_SLOPE,  # steepest terrain slope, from below: no smaller than the true one
    TRACE_CELL,  # m, simulation cell
    TRACE_SURFACE_LOW,  # m, box around all liquid: low corner, 3 words, high corner, 3 words
) = range(16)
TRACE_SURFACE_HIGH = TRACE_SURFACE_LOW + 3
TRACE_FOG_LOW, TRACE_FOG_HIGH = TRACE_SURFACE_LOW + 6, TRACE_SURFACE_LOW + 9  # the same around all fog
TRACE_TOP = TRACE_SURFACE_LOW + 12  # m, above it there is nothing but sky
TRACE_WORDS = 32

# solids that a ray can hit
SOLID_NONE, SOLID_TERRAIN, SOLID_COLLIDER, SOLID_FLOOR, SOLID_PLANE = 0, 1, 2, 3, 4

# work counters of the tracer: one row of int64 a task, summed on the host
(
    WORK_PATHS,
    WORK_SEGMENTS,  # ray segments, shadow rays included
    WORK_COLLISIONS,  # tentative collisions in the fog, null ones included
    WORK_FOG_BRICKS,  # fog bricks walked through
    WORK_SURFACE_BRICKS,  # surface bricks walked through
    WORK_SURFACE_LOOKUPS,  # signed-distance look-ups along rays
    WORK_SURFACE_HITS,  # liquid, terrain, colliders, plane
    WORK_SCATTERS,  # real collisions
) = range(8)
WORK_WORDS = 8
TRACE_TASKS = 256  # rows of work_out: tasks into which a picture is dealt, tile by tile
