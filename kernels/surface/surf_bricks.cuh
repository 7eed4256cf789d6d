#include "surf_count.cuh"

// Walls and cells around a brick. See surf_bricks.py.

struct CellRange {
  int first, last;
};

// The coordinate nearest to x that the level set is evaluated at: walls that are not open hold it back.
__device__ __forceinline__ float clamp_to_walls(
    float x, int axis, Array<const int> walls_in, Array<const float> picture_in) {
  float low = load(picture_in, PICTURE_LOW_X + axis), high = load(picture_in, PICTURE_HIGH_X + axis);
  if (load(walls_in, 2 * axis) != WALL_OPEN && x < low) return low;
  if (load(walls_in, 2 * axis + 1) != WALL_OPEN && x > high) return high;
  return x;
}

// First and last cell that an interval (m) reaches.
__device__ __forceinline__ CellRange cell_range(float low, float high, float inverse_cell, long long cells) {
  return CellRange{clamp_cell(low * inverse_cell, (int)cells), clamp_cell(high * inverse_cell, (int)cells)};
}

// First and last cell that can hold liquid.
__device__ __forceinline__ CellRange domain_cells(
    int axis, long long cells, Array<const int> walls_in, float inverse_cell, Array<const float> picture_in) {
  int first = 0, last = (int)cells - 1;
  if (load(walls_in, 2 * axis) != WALL_OPEN) {
    first = clamp_cell(load(picture_in, PICTURE_LOW_X + axis) * inverse_cell + HALF, (int)cells);
  }
  if (load(walls_in, 2 * axis + 1) != WALL_OPEN) {
    last = clamp_cell(load(picture_in, PICTURE_HIGH_X + axis) * inverse_cell + HALF, (int)cells + 1) - 1;
    last = last > first ? last : first;
  }
  return CellRange{first, last};
}

// Whether a box of cells holds a particle.
__device__ __forceinline__ bool any_particle(
    CellRange i, CellRange j, CellRange k, long long cells_y, long long cells_z, Array<const int> start_in) {
  for (int a = i.first; a <= i.last; ++a) {
    for (int b = j.first; b <= j.last; ++b) {
      long long row = (a * cells_y + b) * cells_z;
      if (load(start_in, row + k.last + 1) > load(start_in, row + k.first)) return true;
    }
  }
  return false;
}

// Whether each cell of a box holds at least `full` particles.
__device__ __forceinline__ bool all_full(
    CellRange i, CellRange j, CellRange k, long long cells_y, long long cells_z, int full, Array<const int> start_in) {
  for (int a = i.first; a <= i.last; ++a) {
    for (int b = j.first; b <= j.last; ++b) {
      long long row = (a * cells_y + b) * cells_z;
      int low = load(start_in, row + k.first);
      for (int c = k.first; c <= k.last; ++c) {
        int high = load(start_in, row + c + 1);
        if (high - low < full) return false;
        low = high;
      }
    }
  }
  return true;
}
