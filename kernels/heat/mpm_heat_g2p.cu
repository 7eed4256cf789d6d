#include "common.cuh"
#include "mpm_heat_p2g.cuh"
#include "mpm_lava.cuh"

// A thread owns a particle; the nodes that the block's particles reach are copied to shared memory first.
extern "C" __global__ void __launch_bounds__(128) mpm_heat_g2p(
    long long blocks_x, long long blocks_y, long long blocks_z, float heat_dt_s, float cell_size_m,
    Array<const int> counts_in, Array<const float> material_in, Array<const float> position_in,
    Array<const int> order_in, Array<const int> block_id_in, Array<const int> slot_in,
    Array<const int> cell_start_in, Array<const float> heat_node_in, Array<float> temperature_inout) {
  __shared__ float4 field[ARENA_NODES];
  __shared__ int start[BLOCK_NODES];
  const int blocks = counts_in[COUNT_BLOCKS];
  const int across_y = (int)blocks_y, across_z = (int)blocks_z;
  const float inverse_cell = ONE / cell_size_m;
  const float share = subgrid_share(diffusion_number(heat_dt_s, cell_size_m, material_in));
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
      float4 node = make_float4(ZERO, ZERO, ZERO, ZERO);
      if (source >= 0) {
        const int inner = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3);
        node = load4(heat_node_in, ((long long)source * BLOCK_NODES + inner) * NODE_WORDS);
      }
      field[n] = node;
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
      float wx[3], wy[3], wz[3];
      weight_row(position.x * inverse_cell - (float)(block_i * 4 + ca + 1), wx);
      weight_row(position.y * inverse_cell - (float)(block_j * 4 + cb + 1), wy);
      weight_row(position.z * inverse_cell - (float)(block_k * 4 + cc + 1), wz);
      float t = temperature_inout[p];
      float dt = ZERO, apart = ZERO, skin = ZERO;
#pragma unroll
      for (int a = 0; a < 3; a++) {
#pragma unroll
        for (int b = 0; b < 3; b++) {
          const float wab = wx[a] * wy[b];
#pragma unroll
          for (int c = 0; c < 3; c++) {
            const float4 node = field[((ca + a) * ARENA_EDGE + cb + b) * ARENA_EDGE + cc + c];
            if (node.y <= ZERO) continue;  // it has no temperature
            const float w = wab * wz[c];
            dt += w * node.z;
            apart += w * (node.x - t);
            skin += w * node.w;
          }
        }
      }
      t = t + (dt + share * apart);
      if (skin > ZERO) t = radiate(t, skin, heat_dt_s, material_in);
      temperature_inout[p] = t;
    }
  }
}
