#include "common.cuh"
#include "mpm_common.cuh"
#include "mpm_lava.cuh"
#include "mpm_skin.cuh"

// Flow from node n of slot s, in kelvins times fill, and the node's fill; nothing comes from where nothing is.
__device__ __forceinline__ float flux(
    int s, int n, float temperature, float fill, Array<float> heat_node_inout, float& around) {
  around = ZERO;
  if (s < 0) return ZERO;
  const float2 node = load2(heat_node_inout, ((long long)s * BLOCK_NODES + n) * NODE_WORDS);
  float other = around = node.y;
  if (other <= ZERO) return ZERO;
  if (other > fill) other = fill;
  return other * (node.x - temperature);
}

// A thread owns a node. Words 0 and 1 are only read, words 2 and 3 only written, so the threads do not meet.
extern "C" __global__ void __launch_bounds__(128) mpm_heat_conduct(
    long long blocks_x, long long blocks_y, long long blocks_z, float heat_dt_s, float cell_size_m,
    Array<const int> counts_in, Array<const float> material_in, Array<const int> walls_in,
    Array<const float> collider_in, Array<const float> terrain_geometry_in, Array<const float> terrain_in,
    Array<const int> block_id_in, Array<const int> slot_in, Array<float> heat_node_inout) {
  const long long nodes = (long long)BLOCK_NODES * counts_in[COUNT_BLOCKS];
  const int across_x = (int)blocks_x, across_y = (int)blocks_y, across_z = (int)blocks_z;
  const int row = across_y * across_z;
  const float number = diffusion_number(heat_dt_s, cell_size_m, material_in);
  const float rate = number - SMOOTHING * subgrid_share(number);
  const float wall = (float)WALL_CELLS * cell_size_m;
  const float wall_x = (float)walled_cells(walls_in, 0) * cell_size_m - wall;
  const float wall_y = (float)walled_cells(walls_in, 1) * cell_size_m - wall;
  for (long long at = blockIdx.x * (long long)blockDim.x + threadIdx.x; at < nodes;
       at += (long long)gridDim.x * blockDim.x) {
    const float2 node = load2(heat_node_inout, at * 4);
    const float t = node.x, fill = node.y;
    if (fill <= ZERO) continue;
    const int own = (int)(at >> 6), n = (int)(at & 63);
    const int block = load(block_id_in, own);
    const int i = block / row, j = block / across_z % across_y, k = block % across_z;
    const int a = n >> 4, b = (n >> 2) & 3, c = n & 3;
    // Slots of the six neighbours; only those across the block's faces are looked up
    const int low_x = a > 0 ? own : i > 0 ? load(slot_in, block - row) : -1;
    const int high_x = a < 3 ? own : i < across_x - 1 ? load(slot_in, block + row) : -1;
    const int low_y = b > 0 ? own : j > 0 ? load(slot_in, block - across_z) : -1;
    const int high_y = b < 3 ? own : j < across_y - 1 ? load(slot_in, block + across_z) : -1;
    const int low_z = c > 0 ? own : k > 0 ? load(slot_in, block - 1) : -1;
    const int high_z = c < 3 ? own : k < across_z - 1 ? load(slot_in, block + 1) : -1;
    float around[6];
    float total = flux(low_x, (n - 16) & 63, t, fill, heat_node_inout, around[0]);
    total += flux(high_x, (n + 16) & 63, t, fill, heat_node_inout, around[1]);
    total += flux(low_y, b > 0 ? n - 4 : n + 12, t, fill, heat_node_inout, around[2]);
    total += flux(high_y, b < 3 ? n + 4 : n - 12, t, fill, heat_node_inout, around[3]);
    total += flux(low_z, c > 0 ? n - 1 : n + 3, t, fill, heat_node_inout, around[4]);
    total += flux(high_z, c < 3 ? n + 1 : n - 3, t, fill, heat_node_inout, around[5]);
    float skin = ZERO;
    if (around[0] < FILLED || around[1] < FILLED || around[2] < FILLED || around[3] < FILLED || around[4] < FILLED ||
        around[5] < FILLED) {
      const float x = (float)(i * 4 + a) * cell_size_m, y = (float)(j * 4 + b) * cell_size_m;
      const float level = terrain_level(terrain_geometry_in, terrain_in, x, y);
      const Solids solids{cell_size_m, level, wall, wall_x, wall_y, collider_in, terrain_geometry_in, terrain_in};
      skin = free_surface(x, y, (float)(k * 4 + c) * cell_size_m, fill, around, solids);
    }
    heat_node_inout[at * 4 + 3] = skin;
    heat_node_inout[at * 4 + 2] = rate * total / fill;
  }
}
