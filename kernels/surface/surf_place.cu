#include "surf_count.cuh"

// Give each particle a place among its cell's. See surf_place.py.

extern "C" __global__ void __launch_bounds__(256) surf_place(
    Array<const int> counts_in, long long count_slot, long long kinds, long long cells_x, long long cells_y,
    long long cells_z, float cell_size_m, Array<const float> position_in, Array<const int> kind_in,
    Array<int> start_inout, Array<int> order_out) {
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
  float inverse_cell = ONE / cell_size_m;
  long long number = counts_in[count_slot];
  for (long long p = first; p < number; p += step) {
    if (!takes_part(p, kinds, kind_in)) continue;
    long long cell = particle_cell(load4(position_in, 4 * p), cells_x, cells_y, cells_z, inverse_cell);
    int place = atomicAdd(&start_inout[cell], -1) - 1;
    order_out[place] = (int)p;
  }
}
