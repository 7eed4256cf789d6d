#include "common.cuh"
#include "mpm_heat_p2g.cuh"

// A thread owns a node: a warp reads runs of four nodes of the same few arenas.
extern "C" __global__ void __launch_bounds__(256) mpm_heat_grid(
    long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m, Array<const int> counts_in,
    Array<const float> material_in, Array<const int> block_id_in, Array<const int> slot_in,
    Array<const long long> arena_in, Array<float> heat_node_out) {
  const long long nodes = (long long)BLOCK_NODES * counts_in[COUNT_BLOCKS];
  const int across_y = (int)blocks_y, across_z = (int)blocks_z;
  const float ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE];
  const float volume = material_in[MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m);
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < nodes;
       i += (long long)gridDim.x * blockDim.x) {
    const int block = load(block_id_in, i >> 6), n = (int)(i & 63);
    const int block_i = block / (across_y * across_z), block_j = block / across_z % across_y;
    const int block_k = block % across_z;
    const int a = n >> 4, b = (n >> 2) & 3, c = n & 3;
    long long heat = 0, weight = 0;
    // A block one lower reaches only the first two layers of nodes
    for (int di = 0; di <= (a < 2 && block_i > 0); di++) {
      for (int dj = 0; dj <= (b < 2 && block_j > 0); dj++) {
        for (int dk = 0; dk <= (c < 2 && block_k > 0); dk++) {
          const int source = load(slot_in, ((block_i - di) * across_y + block_j - dj) * across_z + block_k - dk);
          if (source < 0) continue;
          const int node = ((a + 4 * di) * ARENA_EDGE + b + 4 * dj) * ARENA_EDGE + c + 4 * dk;
          heat += load(arena_in, source * (long long)ARENA_INT64 + node * 2);
          weight += load(arena_in, source * (long long)ARENA_INT64 + node * 2 + 1);
        }
      }
    }
    float temperature = ZERO, fill = ZERO;
    if (weight >= WEIGHT_MIN) {
      const float mass = (float)weight * (ONE / WEIGHT_SCALE);
      temperature = ambient + (float)heat * (ONE / HEAT_SCALE) / mass;
      fill = mass * volume;
    }
    store4(heat_node_out, i * 4, make_float4(temperature, fill, ZERO, ZERO));
  }
}
