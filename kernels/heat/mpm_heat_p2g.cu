#include "common.cuh"
#include "mpm_heat_p2g.cuh"

// A thread owns a base cell of the block and sums its particles in registers, in their order. Then the 64 threads add
// their 27 nodes to the arena, the same corner of the stencil at a time: no two of them meet in a node, so no atomics.
extern "C" __global__ void __launch_bounds__(BLOCK_NODES) mpm_heat_p2g(
    long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m, Array<const int> counts_in,
    Array<const float> material_in, Array<const float> position_in, Array<const float> temperature_in,
    Array<const int> order_in, Array<const int> block_id_in, Array<const int> cell_start_in,
    Array<long long> arena_out) {
  __shared__ long long arena[ARENA_NODES * 2];
  const int blocks = counts_in[COUNT_BLOCKS];
  const int across_y = (int)blocks_y, across_z = (int)blocks_z;
  const int cell = threadIdx.x;
  const int ca = cell >> 4, cb = (cell >> 2) & 3, cc = cell & 3;
  const float inverse_cell = ONE / cell_size_m;
  const float ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE];
  for (long long slot = blockIdx.x; slot < blocks; slot += gridDim.x) {
    for (int word = threadIdx.x; word < ARENA_NODES * 2; word += BLOCK_NODES) arena[word] = 0;
    __syncthreads();
    const int begin = load(cell_start_in, slot * BLOCK_NODES + cell);
    const int end = load(cell_start_in, slot * BLOCK_NODES + cell + 1);
    const int block = load(block_id_in, slot);
    const float middle_x = (float)(block / (across_y * across_z) * 4 + ca + 1);
    const float middle_y = (float)(block / across_z % across_y * 4 + cb + 1);
    const float middle_z = (float)(block % across_z * 4 + cc + 1);
    float heat[27], weight[27];
#pragma unroll
    for (int n = 0; n < 27; n++) heat[n] = weight[n] = ZERO;
    int next = begin < end ? load(order_in, begin) : 0;
    for (int place = begin; place < end; place++) {
      const int p = next;
      if (place + 1 < end) next = load(order_in, place + 1);
      const float4 position = load4(position_in, p * 4ll);
      const float t = load(temperature_in, p) - ambient;
      float wx[3], wy[3], wz[3];
      weight_row(position.x * inverse_cell - middle_x, wx);
      weight_row(position.y * inverse_cell - middle_y, wy);
      weight_row(position.z * inverse_cell - middle_z, wz);
#pragma unroll
      for (int a = 0; a < 3; a++) {
#pragma unroll
        for (int b = 0; b < 3; b++) {
          const float wab = wx[a] * wy[b];
#pragma unroll
          for (int c = 0; c < 3; c++) {
            const float w = wab * wz[c];
            weight[(a * 3 + b) * 3 + c] += w;
            heat[(a * 3 + b) * 3 + c] += w * t;
          }
        }
      }
    }
    // Blocks without particles have empty cells only
#pragma unroll
    for (int n = 0; n < 27; n++) {
      if (begin < end) {
        const int at = (((ca + n / 9) * ARENA_EDGE + cb + n / 3 % 3) * ARENA_EDGE + cc + n % 3) * 2;
        arena[at] += (long long)rintf(heat[n] * HEAT_SCALE);
        arena[at + 1] += (long long)rintf(weight[n] * WEIGHT_SCALE);
      }
      __syncthreads();
    }
    for (int word = threadIdx.x; word < ARENA_NODES * 2; word += BLOCK_NODES)
      arena_out[slot * ARENA_INT64 + word] = arena[word];
    __syncthreads();
  }
}
