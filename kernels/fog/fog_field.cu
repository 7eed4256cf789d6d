#include "surf_patch.cuh"

// Extinction and glow temperature at the nodes of the fog's bricks, a warp a patch of 27 nodes. See fog_field.py.

struct FogSums {
  PatchBox box;
  float far, far_square, z_low, z_high;
  float x, y, z, minus_inverse_square, cube;
  Array<const float> binned, heat;
  float extinction, glow, hot;

  // The fourth word of a particle becomes its weight's scale.
  __device__ __forceinline__ bool stage(int p, float4& row, float& temperature) const {
    row = load4(binned, 4 * (long long)p);
    if (row.z + far < z_low || row.z - far > z_high || !reaches(box, row, far_square)) return false;
    row.w = KERNEL_CONSTANT * row.w * row.w / cube;
    temperature = load(heat, p);
    return true;
  }
  __device__ __forceinline__ void add(float4 row, float temperature) {
    float dx = x - row.x, dy = y - row.y, dz = z - row.z;
    float q = dx * dx + dy * dy + dz * dz;
    float t = __fmaf_rn(q, minus_inverse_square, ONE);
    t = t > ZERO ? t : ZERO;
    float w = t * t * t * row.w;
    extinction += w;
    if (temperature > ZERO) {
      glow += w;
      hot = __fmaf_rn(w, temperature, hot);
    }
  }
};

extern "C" __global__ void __launch_bounds__(256, 2) fog_field(
    Array<const int> counts_in, long long cells_x, long long cells_y, long long cells_z, Array<const int> grid_in,
    Array<const float> picture_in, Array<const int> entry_in, Array<const int> start_in, Array<const float> binned_in,
    Array<const float> binned_heat_in, Array<float> value_out) {
  __shared__ PatchQueue queues[PATCH_WARPS];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int gy = load(grid_in, 4), gz = load(grid_in, 5);
  float voxel = load(picture_in, PICTURE_FOG_VOXEL), reach = load(picture_in, PICTURE_FOG_REACH);
  float inverse_cell = ONE / load(picture_in, PICTURE_CELL);
  float edge = EIGHT * voxel, far = reach * SLACK, patch_far = reach * PATCH_SLACK;
  float square = reach * reach;
  long long patches = (long long)counts_in[COUNT_FOG_BRICKS] * PATCHES;
  for (long long item = blockIdx.x * (long long)PATCH_WARPS + warp; item < patches;
       item += gridDim.x * (long long)PATCH_WARPS) {
    int brick = (int)(item / PATCHES), patch = (int)(item % PATCHES);
    int e = load(entry_in, brick);
    int bi = e / (gy * gz), bj = (e / gz) % gy, bk = e % gz;
    int a = patch_node(patch, lane, 0), b = patch_node(patch, lane, 1), c = patch_node(patch, lane, 2);
    float x = (float)(8 * bi + a) * voxel, y = (float)(8 * bj + b) * voxel, z = (float)(8 * bk + c) * voxel;
    PatchBox box = patch_box(x, y, z);
    CellRange i = cell_range(edge * (float)bi - far, edge * (float)(bi + 1) + far, inverse_cell, cells_x);
    CellRange j = cell_range(edge * (float)bj - far, edge * (float)(bj + 1) + far, inverse_cell, cells_y);
    CellRange k = cell_range(edge * (float)bk - far, edge * (float)(bk + 1) + far, inverse_cell, cells_z);
    i = narrowed(i, box.x0, box.x1, patch_far, inverse_cell, cells_x);
    j = narrowed(j, box.y0, box.y1, patch_far, inverse_cell, cells_y);
    k = narrowed(k, box.z0, box.z1, patch_far, inverse_cell, cells_z);
    FogSums sums{box, far, patch_far * patch_far, (float)(8 * bk) * voxel, (float)(8 * bk + 8) * voxel,
                 x, y, z, -ONE / square, square * reach, binned_in, binned_heat_in, ZERO, ZERO, ZERO};
    add_cells(sums, i, j, k, cells_y, cells_z, start_in, queues[warp]);
    if (lane >= 27) continue;
    float heat = sums.glow > ZERO ? sums.hot / sums.glow : ZERO;
    long long node = (long long)brick * BRICK_NODES + (a * 9 + b) * 9 + c;
    store2(value_out, FOG_CHANNELS * node, make_float2(sums.extinction, heat));
  }
}
