#include "surf_bricks.cuh"

// Which bricks of the surface get values, a thread a brick. See surf_bricks.py.

struct AxisRanges {
  CellRange near, deep;  // cells near the brick, cells that must be full
  bool inside;           // whether it may be inside
};

__device__ __forceinline__ AxisRanges axis_ranges(
    int brick, int axis, long long cells, float inverse_cell, Array<const int> walls_in,
    Array<const float> picture_in) {
  float voxel = load(picture_in, PICTURE_VOXEL), cell = load(picture_in, PICTURE_CELL);
  float low = clamp_to_walls(EIGHT * voxel * (float)brick, axis, walls_in, picture_in);
  float high = clamp_to_walls(EIGHT * voxel * (float)(brick + 1), axis, walls_in, picture_in);
  float near = load(picture_in, PICTURE_RADIUS) + load(picture_in, PICTURE_MARGIN) + TWO * voxel;
  AxisRanges out;
  out.near = cell_range(low - near, high + near, inverse_cell, cells);
  CellRange domain = domain_cells(axis, cells, walls_in, inverse_cell, picture_in);
  float deep = cell + TWO * voxel;
  out.deep = cell_range(low - deep, high + deep, inverse_cell, cells);
  if (domain.first > out.deep.first) out.deep.first = domain.first;
  if (domain.last < out.deep.last) out.deep.last = domain.last;
  // What reaches past the last cell that can hold liquid is open, unless the wall there continues it
  int wall_low = load(walls_in, 2 * axis), wall_high = load(walls_in, 2 * axis + 1);
  out.inside = !(wall_low == WALL_CUT && low - TWO * voxel < load(picture_in, PICTURE_LOW_X + axis));
  out.inside = out.inside && !(wall_high == WALL_CUT && high + TWO * voxel > load(picture_in, PICTURE_HIGH_X + axis));
  out.inside = out.inside && !(wall_low == WALL_OPEN && low - deep < ZERO);
  out.inside = out.inside && !(wall_high == WALL_OPEN && high + deep > cell * (float)cells);
  return out;
}

extern "C" __global__ void __launch_bounds__(256, 4) surf_bricks(
    long long cells_x, long long cells_y, long long cells_z, Array<const int> grid_in, Array<const int> walls_in,
    Array<const float> picture_in, Array<const int> start_in, Array<int> class_out) {
  int gx = load(grid_in, 0), gy = load(grid_in, 1), gz = load(grid_in, 2);
  int full = (int)load(picture_in, PICTURE_FULL);
  float inverse_cell = ONE / load(picture_in, PICTURE_CELL);
  long long bricks = (long long)gx * gy * gz;
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
  for (long long brick = first; brick < bricks; brick += step) {
    int e = (int)brick;
    AxisRanges x = axis_ranges(e / (gy * gz), 0, cells_x, inverse_cell, walls_in, picture_in);
    AxisRanges y = axis_ranges((e / gz) % gy, 1, cells_y, inverse_cell, walls_in, picture_in);
    AxisRanges z = axis_ranges(e % gz, 2, cells_z, inverse_cell, walls_in, picture_in);
    int result = BRICK_OUTSIDE;
    if (any_particle(x.near, y.near, z.near, cells_y, cells_z, start_in)) {
      result = 0;
      if (x.inside && y.inside && z.inside && all_full(x.deep, y.deep, z.deep, cells_y, cells_z, full, start_in)) {
        result = BRICK_INSIDE;
      }
    }
    class_out[brick] = result;
  }
}
