#include "surf_bricks.cuh"

// Which bricks of the fog get values, a thread a brick. See fog_bricks.py.

// Cells whose particles may reach the brick, along one axis.
__device__ __forceinline__ CellRange cells_near(int brick, long long cells, Array<const float> picture_in) {
  float edge = EIGHT * load(picture_in, PICTURE_FOG_VOXEL), reach = load(picture_in, PICTURE_FOG_REACH);
  float low = edge * (float)brick - reach, high = edge * (float)(brick + 1) + reach;
  return cell_range(low, high, ONE / load(picture_in, PICTURE_CELL), cells);
}

extern "C" __global__ void __launch_bounds__(256) fog_bricks(
    long long cells_x, long long cells_y, long long cells_z, Array<const int> grid_in, Array<const float> picture_in,
    Array<const int> start_in, Array<int> class_out) {
  int gx = load(grid_in, 3), gy = load(grid_in, 4), gz = load(grid_in, 5);
  long long bricks = (long long)gx * gy * gz;
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
  for (long long brick = first; brick < bricks; brick += step) {
    int e = (int)brick;
    CellRange x = cells_near(e / (gy * gz), cells_x, picture_in);
    CellRange y = cells_near((e / gz) % gy, cells_y, picture_in);
    CellRange z = cells_near(e % gz, cells_z, picture_in);
    class_out[brick] = any_particle(x, y, z, cells_y, cells_z, start_in) ? 0 : BRICK_OUTSIDE;
  }
}
