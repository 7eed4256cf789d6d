#include "surf_count.cuh"

// Copy particles out cell by cell, those of a cell by number. See surf_sort.py.
// A particle's place is its cell's start and how many of the cell have a lower number: no cell is ever moved about.

extern "C" __global__ void __launch_bounds__(256) surf_sort(
    long long kinds, long long cells_x, long long cells_y, long long cells_z, float cell_size_m,
    Array<const float> position_in, Array<const int> kind_in, Array<const float> temperature_in,
    Array<const int> start_in, Array<int> order_inout, Array<float> binned_out, Array<float> binned_heat_out) {
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
  float inverse_cell = ONE / cell_size_m;
  long long number = start_in[cells_x * cells_y * cells_z];
  bool with_heat = temperature_in.shape0 > 1;
  for (long long n = first; n < number; n += step) {
    int p = order_inout[n];
    float4 row = load4(position_in, 4 * (long long)p);
    long long cell = particle_cell(row, cells_x, cells_y, cells_z, inverse_cell);
    int low = load(start_in, cell), high = load(start_in, cell + 1);
    int place = low;
    for (int m = low; m < high; ++m) place += order_inout[m] < p ? 1 : 0;
    store4(binned_out, 4 * (long long)place, row);
    float heat = ZERO;
    if (with_heat && (kinds == 0 || load(kind_in, p) == EFFECT_EMBER)) heat = load(temperature_in, p);
    binned_heat_out[place] = heat;
  }
}
