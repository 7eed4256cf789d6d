#include "mpm_p2g.cuh"

// Particles to grid. See mpm_p2g.py, mpm_p2g.cuh.

extern "C" __global__ void __launch_bounds__(192, 5) mpm_p2g(
    float cell_size_m, Array<const int> counts_in, Array<const float> step_in, Array<const float> material_in,
    Array<const float> position_in, Array<const float> velocity_in, Array<const float> viscosity_in,
    Array<const int> order_in, Array<const int> cell_start_in, Array<int> arena_out) {
  __shared__ float4 field_words[ROUND * WORDS / 4];
  __shared__ int4 arena_words[ARENA_WORDS / 4];
  __shared__ int first_of[BLOCK_NODES + 1];
  __shared__ int turn[CELLS];
  Room room = {reinterpret_cast<float*>(field_words), reinterpret_cast<int*>(arena_words), first_of, turn};
  Scales scales = scales_of(ONE, cell_size_m, step_in, material_in, viscosity_in);
  auto put = [&](int p, float* field) { prepare(p, scales, position_in, velocity_in, viscosity_in, field); };
  auto sum = [](int low, int high, int k, int channel, const float* field, int* node) {
    scatter(low, high, k, channel, field, node);
  };
  fill_arenas(counts_in, order_in, cell_start_in, arena_out, room, put, sum);
}
