#include "common.cuh"
#include "mpm_collide.cuh"
#include "mpm_common.cuh"
#include "mpm_heat_p2g.cuh"
#include "mpm_lava.cuh"

// Share 0..1 of a particle's skin that sees the sky; (gx, gy, gz) is the change of fill per cell.
__device__ __forceinline__ float surface_exposure(
    float x, float y, float z, float fill, float gx, float gy, float gz, long long cells_x, long long cells_y,
    float cell_size_m, Array<const float> collider_in, Array<const float> terrain_geometry_in,
    Array<const float> terrain_in) {
  if (fill >= FILL_COVERED) return ZERO;
  float share = ONE;
  if (fill > FILL_EXPOSED) share = (FILL_COVERED - fill) / (FILL_COVERED - FILL_EXPOSED);
  const float steep = sqrtf(gx * gx + gy * gy + gz * gz);
  if (steep < STEEP) return share;
  const float step = -PROBE * cell_size_m / steep;
  x = x + gx * step;
  y = y + gy * step;
  z = z + gz * step;
  const float wall = (float)WALL_CELLS * cell_size_m;
  if (x < wall || y < wall || z < wall) return ZERO;
  if (x > (float)cells_x * cell_size_m - wall || y > (float)cells_y * cell_size_m - wall) return ZERO;
  if (terrain_geometry_in[3] != ZERO && z < terrain_height(terrain_geometry_in, terrain_in, x, y)) return ZERO;
  if (collider_distance(collider_in, x, y, z) < ZERO) return ZERO;
  return share;
}

// A thread owns a particle; the nodes that the block's particles reach are copied to shared memory first.
extern "C" __global__ void __launch_bounds__(128) mpm_heat_g2p(
    long long blocks_x, long long blocks_y, long long blocks_z, float heat_dt_s, float cell_size_m,
    Array<const int> counts_in, Array<const float> material_in, Array<const int> walls_in, Array<const float> collider_in,
    Array<const float> terrain_geometry_in, Array<const float> terrain_in, Array<const float> position_in,
    Array<const int> order_in, Array<const int> block_id_in, Array<const int> slot_in,
    Array<const int> cell_start_in, Array<const float> heat_node_in, Array<float> temperature_inout) {
  __shared__ float2 field[ARENA_NODES];  // x: change of temperature, y: fill, at most 1
  __shared__ int start[BLOCK_NODES];
  const int blocks = counts_in[COUNT_BLOCKS];
  const long long cells_x = walled_cells(walls_in, 0), cells_y = walled_cells(walls_in, 1);
  const int across_y = (int)blocks_y, across_z = (int)blocks_z;
  const float inverse_cell = ONE / cell_size_m;
  for (long long slot = blockIdx.x; slot < blocks; slot += gridDim.x) {
    const int begin = load(cell_start_in, slot * BLOCK_NODES);
    const int end = load(cell_start_in, slot * BLOCK_NODES + BLOCK_NODES);
    if (begin == end) continue;
    const int block = load(block_id_in, slot);
    const int block_i = block / (across_y * across_z), block_j = block / across_z % across_y;
    const int block_k = block % across_z;
    __syncthreads();
    for (int n = threadIdx.x; n < ARENA_NODES; n += blockDim.x) {
      const int a = n / (ARENA_EDGE * ARENA_EDGE), b = n / ARENA_EDGE % ARENA_EDGE, c = n % ARENA_EDGE;
      const int source =
          load(slot_in, ((block_i + (a >> 2)) * across_y + block_j + (b >> 2)) * across_z + block_k + (c >> 2));
      float dt = ZERO, fill = ZERO;
      if (source >= 0) {
        const int inner = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3);
        const float4 node = load4(heat_node_in, ((long long)source * BLOCK_NODES + inner) * NODE_WORDS);
        dt = node.z;
        fill = node.y < ONE ? node.y : ONE;
      }
      field[n] = make_float2(dt, fill);
    }
    for (int n = threadIdx.x; n < BLOCK_NODES; n += blockDim.x) start[n] = load(cell_start_in, slot * BLOCK_NODES + n);
    __syncthreads();
    for (int place = begin + (int)threadIdx.x; place < end; place += blockDim.x) {
      // The last cell that starts at or before the place
      int cell = 0;
      for (int half = 32; half > 0; half >>= 1) {
        if (start[cell + half] <= place) cell += half;
      }
      const int ca = cell >> 4, cb = (cell >> 2) & 3, cc = cell & 3;
      const int p = load(order_in, place);
      const float4 position = load4(position_in, p * 4ll);
      const float fx = position.x * inverse_cell - (float)(block_i * 4 + ca + 1);
      const float fy = position.y * inverse_cell - (float)(block_j * 4 + cb + 1);
      const float fz = position.z * inverse_cell - (float)(block_k * 4 + cc + 1);
      float wx[3], wy[3], wz[3];
      weight_row(fx, wx);
      weight_row(fy, wy);
      weight_row(fz, wz);
      float dt = ZERO, fill = ZERO, gx = ZERO, gy = ZERO, gz = ZERO;
#pragma unroll
      for (int a = 0; a < 3; a++) {
#pragma unroll
        for (int b = 0; b < 3; b++) {
          const float wab = wx[a] * wy[b];
#pragma unroll
          for (int c = 0; c < 3; c++) {
            const float2 node = field[((ca + a) * ARENA_EDGE + cb + b) * ARENA_EDGE + cc + c];
            const float w = wab * wz[c];
            dt += w * node.x;
            const float wf = w * node.y;
            fill += wf;
            gx += wf * ((float)(a - 1) - fx);
            gy += wf * ((float)(b - 1) - fy);
            gz += wf * ((float)(c - 1) - fz);
          }
        }
      }
      const float exposure = surface_exposure(
          position.x, position.y, position.z, fill, FOUR * gx, FOUR * gy, FOUR * gz, cells_x, cells_y, cell_size_m,
          collider_in, terrain_geometry_in, terrain_in);
      float t = temperature_inout[p] + dt;
      if (exposure > ZERO) t = radiate(t, exposure, heat_dt_s, material_in);
      temperature_inout[p] = t;
    }
  }
}
