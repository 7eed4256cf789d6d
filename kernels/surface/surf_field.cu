#include "mpm_collide.cuh"
#include "surf_patch.cuh"

// Distance to the averaged particle position at the nodes of bricks, a warp a patch of 27 nodes. See surf_field.py.

// What all sums at one node share.
struct Node {
  float x, y, z;
  float square, minus_inverse_square;  // of the reach

  // Weight of a particle; 0 beyond the reach.
  __device__ __forceinline__ float weight(float4 row, float& dx, float& dy, float& dz) const {
    dx = x - row.x;
    dy = y - row.y;
    dz = z - row.z;
    float q = dx * dx + dy * dy;
    float t = __fmaf_rn(__fmaf_rn(dz, dz, q), minus_inverse_square, ONE);
    t = t > ZERO ? t : ZERO;
    if (q >= square) t = ZERO;
    return t * t * t;
  }
};

// Which particles a patch asks for: bounds (m) of its nodes, and of all the brick's along z. One a warp, in shared
// memory: every lane has the same.
struct Finder {
  PatchBox box;
  float far, far_square;
  float z_low, z_high;

  __device__ __forceinline__ bool find(Array<const float> binned, int p, float4& row) const {
    row = load4(binned, 4 * (long long)p);
    return !(row.z + far < z_low || row.z - far > z_high) && reaches(box, row, far_square);
  }
};

template <bool HEAT>
struct LiquidSums {
  const Finder& finder;
  Node node;
  Array<const float> binned, heat;
  float weight, x, y, z, extra;

  __device__ __forceinline__ bool stage(int p, float4& row, float& particle_heat) const {
    if (!finder.find(binned, p, row)) return false;
    if (HEAT) particle_heat = load(heat, p);
    return true;
  }
  __device__ __forceinline__ void add(float4 row, float particle_heat) {
    float dx, dy, dz;
    float w = node.weight(row, dx, dy, dz);
    weight += w;
    x = __fmaf_rn(w, dx, x);
    y = __fmaf_rn(w, dy, y);
    z = __fmaf_rn(w, dz, z);
    if (HEAT) extra = __fmaf_rn(w, particle_heat, extra);
  }
};

struct FoamSums {
  const Finder& finder;
  Node node;
  Array<const float> binned;
  float extra;

  __device__ __forceinline__ bool stage(int p, float4& row, float& amount) const {
    if (!finder.find(binned, p, row)) return false;
    amount = FOUR * row.w * row.w / node.square;
    return true;
  }
  __device__ __forceinline__ void add(float4 row, float amount) {
    float dx, dy, dz;
    extra = __fmaf_rn(node.weight(row, dx, dy, dz), amount, extra);
  }
};

// How far (m) the average of a half space leans away from a solid plane at `distance`.
__device__ __forceinline__ float lean(float distance, float reach) {
  float h = distance / reach;
  if (!(h > ZERO)) h = ZERO;
  if (h >= ONE) return ZERO;
  float s = h * h;
  float t = ONE - s;
  float moment = MOMENT * (t * t * t * t * t);
  float mass = __fmaf_rn(__fmaf_rn(__fmaf_rn(__fmaf_rn(s, MASS_8, MASS_6), s, MASS_4), s, MASS_2), s, ONE);
  return reach * (moment / __fmaf_rn(mass, h, MASS));
}

// Signed lean along one axis of the walls that are not open.
__device__ __forceinline__ float wall_lean(
    float x, int axis, float reach, Array<const int> walls_in, Array<const float> picture_in) {
  float total = ZERO;
  if (load(walls_in, 2 * axis) != WALL_OPEN) total = lean(x - load(picture_in, PICTURE_LOW_X + axis), reach);
  if (load(walls_in, 2 * axis + 1) != WALL_OPEN) total -= lean(load(picture_in, PICTURE_HIGH_X + axis) - x, reach);
  return total;
}

// The cell's neighbourhood on one axis, as far as it can hold liquid.
__device__ __forceinline__ CellRange cells_around(float x, float inverse_cell, long long cells, CellRange domain) {
  int cell = clamp_cell(x * inverse_cell, (int)cells);
  cell = cell > domain.first ? cell : domain.first;
  cell = cell < domain.last ? cell : domain.last;
  return CellRange{
      cell - 1 > domain.first ? cell - 1 : domain.first, cell + 1 < domain.last ? cell + 1 : domain.last};
}

extern "C" __global__ void __launch_bounds__(256, 2) surf_field(
    Array<const int> counts_in, long long cells_x, long long cells_y, long long cells_z, Array<const int> grid_in,
    Array<const int> walls_in, Array<const float> picture_in, Array<const float> terrain_geometry_in,
    Array<const float> terrain_in, Array<const int> entry_in, Array<const int> start_in, Array<const float> binned_in,
    Array<const float> binned_heat_in, Array<const int> foam_start_in, Array<const float> foam_in,
    Array<float> value_out) {
  __shared__ PatchQueue queues[PATCH_WARPS];
  __shared__ Finder finders[PATCH_WARPS];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  PatchQueue& queue = queues[warp];
  Finder& finder = finders[warp];
  int gy = load(grid_in, 1), gz = load(grid_in, 2);
  float voxel = load(picture_in, PICTURE_VOXEL), reach = load(picture_in, PICTURE_REACH);
  float radius = load(picture_in, PICTURE_RADIUS), inverse_cell = ONE / load(picture_in, PICTURE_CELL);
  bool with_heat = load(picture_in, PICTURE_HEAT) != ZERO;
  bool with_foam = !with_heat && load(foam_start_in, foam_start_in.shape0 - 1) != 0;
  bool with_terrain = load(terrain_geometry_in, 3) != ZERO;
  int full = (int)load(picture_in, PICTURE_FULL);
  long long patches = (long long)counts_in[COUNT_SURFACE_BRICKS] * PATCHES;
  for (long long item = blockIdx.x * (long long)PATCH_WARPS + warp; item < patches;
       item += gridDim.x * (long long)PATCH_WARPS) {
    int brick = (int)(item / PATCHES), patch = (int)(item % PATCHES);
    int e = load(entry_in, brick);
    int bi = e / (gy * gz), bj = (e / gz) % gy, bk = e % gz;
    // Find where the node is evaluated
    int a = patch_node(patch, lane, 0), b = patch_node(patch, lane, 1), c = patch_node(patch, lane, 2);
    float node_x = clamp_to_walls((float)(8 * bi + a) * voxel, 0, walls_in, picture_in);
    float node_y = clamp_to_walls((float)(8 * bj + b) * voxel, 1, walls_in, picture_in);
    float node_z = clamp_to_walls((float)(8 * bk + c) * voxel, 2, walls_in, picture_in);
    float z_low = clamp_to_walls((float)(8 * bk) * voxel, 2, walls_in, picture_in);
    float z_high = clamp_to_walls((float)(8 * bk + 8) * voxel, 2, walls_in, picture_in);
    float x_first = clamp_to_walls((float)(8 * bi) * voxel, 0, walls_in, picture_in);
    float x_last = clamp_to_walls((float)(8 * bi + 8) * voxel, 0, walls_in, picture_in);
    float y_first = clamp_to_walls((float)(8 * bj) * voxel, 1, walls_in, picture_in);
    float y_last = clamp_to_walls((float)(8 * bj + 8) * voxel, 1, walls_in, picture_in);
    float ground = -NOWHERE;
    float3 normal = make_float3(ZERO, ZERO, ONE);
    if (with_terrain) {
      ground = terrain_height(terrain_geometry_in, terrain_in, node_x, node_y);
      normal = terrain_normal(terrain_geometry_in, terrain_in, node_x, node_y);
      if (node_z < ground) node_z = ground;
      // The brick's nodes reach from where its lowest ground lets them to above its highest
      float lowest = NOWHERE, highest = -NOWHERE;
      for (int row = lane; row < 81; row += 32) {
        float x = clamp_to_walls((float)(8 * bi + row / 9) * voxel, 0, walls_in, picture_in);
        float y = clamp_to_walls((float)(8 * bj + row % 9) * voxel, 1, walls_in, picture_in);
        float height = terrain_height(terrain_geometry_in, terrain_in, x, y);
        lowest = height < lowest ? height : lowest;
        highest = height > highest ? height : highest;
      }
      lowest = least_of_warp(lowest);
      highest = most_of_warp(highest);
      if (z_low < lowest) z_low = lowest;
      if (z_high < highest) z_high = highest;
    }
    PatchBox box = patch_box(node_x, node_y, node_z);
    // Sum over the liquid's particles, then over the foam's
    float weight = ZERO, sum_x = ZERO, sum_y = ZERO, sum_z = ZERO, extra = ZERO;
    for (int second = 0; second < (with_foam ? 2 : 1); ++second) {
      float radius_of_sum = second ? load(picture_in, PICTURE_FOAM_REACH) : reach;
      float far = radius_of_sum * SLACK, patch_far = radius_of_sum * PATCH_SLACK;
      CellRange i = cell_range(x_first - far, x_last + far, inverse_cell, cells_x);
      CellRange j = cell_range(y_first - far, y_last + far, inverse_cell, cells_y);
      CellRange k = cell_range(z_low - far, z_high + far, inverse_cell, cells_z);
      i = narrowed(i, box.x0, box.x1, patch_far, inverse_cell, cells_x);
      j = narrowed(j, box.y0, box.y1, patch_far, inverse_cell, cells_y);
      k = narrowed(k, box.z0, box.z1, patch_far, inverse_cell, cells_z);
      float square = radius_of_sum * radius_of_sum;
      Node node{node_x, node_y, node_z, square, -ONE / square};
      if (lane == 0) finder = Finder{box, far, patch_far * patch_far, z_low, z_high};
      __syncwarp();
      if (second) {
        FoamSums foam{finder, node, foam_in, ZERO};
        add_cells(foam, i, j, k, cells_y, cells_z, foam_start_in, queue);
        extra = foam.extra;
      } else if (with_heat) {
        LiquidSums<true> lava{finder, node, binned_in, binned_heat_in, ZERO, ZERO, ZERO, ZERO, ZERO};
        add_cells(lava, i, j, k, cells_y, cells_z, start_in, queue);
        weight = lava.weight, sum_x = lava.x, sum_y = lava.y, sum_z = lava.z, extra = lava.extra;
      } else {
        LiquidSums<false> water{finder, node, binned_in, binned_heat_in, ZERO, ZERO, ZERO, ZERO, ZERO};
        add_cells(water, i, j, k, cells_y, cells_z, start_in, queue);
        weight = water.weight, sum_x = water.x, sum_y = water.y, sum_z = water.z;
      }
      __syncwarp();
    }
    if (lane >= 27) continue;
    // Turn sums into distances
    float phi = reach - radius;
    if (weight > ZERO) {
      float off_ground = lean((node_z - ground) * normal.z, reach);
      float x = sum_x / weight + wall_lean(node_x, 0, reach, walls_in, picture_in) + off_ground * normal.x;
      float y = sum_y / weight + wall_lean(node_y, 1, reach, walls_in, picture_in) + off_ground * normal.y;
      float z = sum_z / weight + off_ground * normal.z;
      z += wall_lean(node_z, 2, reach, walls_in, picture_in);
      phi = sqrtf(x * x + y * y + z * z) - radius;
      if (with_heat) extra = extra / weight;
    }
    if (!with_heat && extra > ONE) extra = ONE;
    CellRange i = domain_cells(0, cells_x, walls_in, inverse_cell, picture_in);
    CellRange j = domain_cells(1, cells_y, walls_in, inverse_cell, picture_in);
    CellRange k = domain_cells(2, cells_z, walls_in, inverse_cell, picture_in);
    i = cells_around(node_x, inverse_cell, cells_x, i);
    j = cells_around(node_y, inverse_cell, cells_y, j);
    k = cells_around(node_z, inverse_cell, cells_z, k);
    if (all_full(i, j, k, cells_y, cells_z, full, start_in)) phi = -radius;
    long long node = (long long)brick * BRICK_NODES + (a * 9 + b) * 9 + c;
    store2(value_out, SURFACE_CHANNELS * node, make_float2(phi, extra));
  }
}
