#include "common.cuh"

// Cells of particles. See surf_count.py.

// Cell 0 .. cells - 1 of a coordinate in cells; NaN gives 0.
__device__ __forceinline__ int clamp_cell(float x, int cells) {
  if (!(x > ZERO)) return 0;
  if (x >= (float)cells) return cells - 1;
  return (int)x;
}

// Linear cell of a particle; whatever lies outside belongs to the nearest cell.
__device__ __forceinline__ long long particle_cell(
    float4 row, long long cells_x, long long cells_y, long long cells_z, float inverse_cell) {
  int i = clamp_cell(row.x * inverse_cell, (int)cells_x);
  int j = clamp_cell(row.y * inverse_cell, (int)cells_y);
  int k = clamp_cell(row.z * inverse_cell, (int)cells_z);
  return (i * cells_y + j) * cells_z + k;
}

// Whether particle p is one of `kinds`.
__device__ __forceinline__ bool takes_part(long long p, long long kinds, Array<const int> kind_in) {
  return kinds == 0 || ((kinds >> load(kind_in, p)) & 1) == 1;
}
