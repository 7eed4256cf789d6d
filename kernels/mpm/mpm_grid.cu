#include "mpm_common.cuh"
#include "mpm_collide.cuh"

// Grid update. See mpm_grid.py. A thread is a node, a block of threads takes four active blocks at a time.

constexpr int THREADS = 256;
constexpr int GROUP = THREADS / BLOCK_NODES;

// Where the arena of the neighbour at -(di, dj, dk) starts, in words; -1 where there is none, or nothing in it.
__device__ __forceinline__ int arena_of(
    int bi, int bj, int bk, int di, int dj, int dk, int blocks_y, int blocks_z, Array<const int> slot_in,
    Array<const int> cell_start_in) {
  if (bi < di || bj < dj || bk < dk) return -1;
  int s = slot_in[((long long)(bi - di) * blocks_y + (bj - dj)) * blocks_z + (bk - dk)];
  if (s < 0) return -1;
  bool empty = cell_start_in[(long long)s * BLOCK_NODES] == cell_start_in[(long long)(s + 1) * BLOCK_NODES];
  return empty ? -1 : s;
}

// True where a block has nodes within a cell of the walls, or beyond, of an axis of walled_cells cells.
__device__ __forceinline__ bool near_wall(int block, int cells) {
  return block * 4 <= WALL_CELLS + 1 || block * 4 + 3 >= cells - WALL_CELLS - 1;
}

extern "C" __global__ void __launch_bounds__(256, 4) mpm_grid(
    long long sound_step, long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m,
    Array<const int> counts_in, Array<const float> step_in, Array<const float> force_in, Array<const int> walls_in,
    Array<const float> collider_in, Array<const float> terrain_geometry_in, Array<const float> terrain_in,
    Array<const int> block_id_in, Array<const int> slot_in, Array<const int> cell_start_in, Array<const int> arena_in,
    Array<float> node_inout) {
  __shared__ int slots[GROUP * 8];
  int blocks = counts_in[COUNT_BLOCKS];
  int size_y = (int)blocks_y, size_z = (int)blocks_z;
  int cells_x = (int)walled_cells(walls_in, 0), cells_y = (int)walled_cells(walls_in, 1);
  int cells_z = (int)walled_cells(walls_in, 2);
  float dt = step_in[STEP_DT], unit = step_in[STEP_VELOCITY_UNIT];
  float mass_unit = ONE / MASS_SCALE;
  float skin = dt * force_in[FORCE_SKIN_FRICTION] * step_in[STEP_FULL] / cell_size_m;
  // Adding 0 makes a -0 a 0
  float kick_x = dt * force_in[FORCE_GRAVITY_X] + ZERO;
  float kick_y = dt * force_in[FORCE_GRAVITY_Y] + ZERO;
  float kick_z = dt * force_in[FORCE_GRAVITY_Z] + ZERO;
  bool everywhere = force_in[VORTEX_ON] != ZERO || terrain_geometry_in[3] != ZERO;
  for (int c = 0; c < (int)collider_in.shape0; ++c) {
    if (collider_in[(long long)c * COLLIDER_WORDS + COLLIDER_KIND] != ZERO) everywhere = true;
  }
  int member = threadIdx.x / BLOCK_NODES, node = threadIdx.x % BLOCK_NODES;
  int a = node >> 4, b = (node >> 2) & 3, c = node & 3;
  for (long long first = (long long)blockIdx.x * GROUP; first < blocks; first += (long long)gridDim.x * GROUP) {
    __syncthreads();
    if (threadIdx.x < GROUP * 8 && first + (threadIdx.x >> 3) < blocks) {
      int block = block_id_in[first + (threadIdx.x >> 3)];
      int bi = block / (size_y * size_z), bj = block / size_z % size_y, bk = block % size_z;
      slots[threadIdx.x] = arena_of(
          bi, bj, bk, (threadIdx.x >> 2) & 1, (threadIdx.x >> 1) & 1, threadIdx.x & 1, size_y, size_z, slot_in,
          cell_start_in);
    }
    __syncthreads();
    long long s = first + member;
    if (s < blocks) {
      // Sum what up to eight arenas hold of the node
      int4 sum = make_int4(0, 0, 0, 0);
      for (int corner = 0; corner < 8; ++corner) {
        int di = corner >> 2, dj = (corner >> 1) & 1, dk = corner & 1;
        int slot = slots[member * 8 + corner];
        if (slot >= 0 && (di == 0 || a < 2) && (dj == 0 || b < 2) && (dk == 0 || c < 2)) {
          int at = ((a + 4 * di) * ARENA_EDGE + b + 4 * dj) * ARENA_EDGE + c + 4 * dk;
          int4 part = load4(arena_in, (long long)slot * ARENA_WORDS + at * ARENA_CHANNELS);
          sum.x += part.x;
          sum.y += part.y;
          sum.z += part.z;
          sum.w += part.w;
        }
      }
      // Momentum to velocity, gravity; of a later sound step to its change
      long long at = s * (BLOCK_NODES * 4) + node * 4;
      float4 result = make_float4(ZERO, ZERO, ZERO, ZERO);
      if (sum.w != 0) {
        float mass = (float)sum.w;
        float3 before = make_float3(kick_x, kick_y, kick_z);
        if (sound_step > 0) {
          float4 own = load4(node_inout, at);
          before = make_float3(kick_x + own.x, kick_y + own.y, kick_z + own.z);
        }
        result.x = __fmaf_rn((float)sum.x / mass, unit, before.x);
        result.y = __fmaf_rn((float)sum.y / mass, unit, before.y);
        result.z = __fmaf_rn((float)sum.z / mass, unit, before.z);
        result.w = __fmaf_rn(mass, mass_unit, ZERO);
        int block = block_id_in[s];
        int bi = block / (size_y * size_z), bj = block / size_z % size_y, bk = block % size_z;
        if (everywhere || near_wall(bi, cells_x) || near_wall(bj, cells_y) || near_wall(bk, cells_z)) {
          float4 v = apply_forces_and_boundaries(
              (float)(bi * 4 + a) * cell_size_m, (float)(bj * 4 + b) * cell_size_m, (float)(bk * 4 + c) * cell_size_m,
              make_float3(result.x, result.y, result.z), skin / result.w, cells_x, cells_y, cells_z,
              cell_size_m, step_in, force_in, walls_in, collider_in, terrain_geometry_in, terrain_in);
          result = make_float4(v.x, v.y, v.z, result.w + step_in[STEP_FULL] * (ONE - v.w));
        }
      }
      store4(node_inout, at, result);
    }
  }
}
