#include "surf_lanes.cuh"

// Binomial filters on each axis of a tile, a thread a line of nodes, a block a brick. See surf_smooth.py.

// Filter words first .. last of a line in place.
__device__ __forceinline__ void filter_line(float* line, int stride, int first, int last) {
  float low = line[(first - 1) * stride], centre = line[first * stride];
  for (int n = first; n <= last; ++n) {
    float high = line[(n + 1) * stride];
    float difference = (low - centre) + (high - centre);
    line[n * stride] = __fmaf_rn(difference, QUARTER, centre);
    low = centre;
    centre = high;
  }
}

extern "C" __global__ void __launch_bounds__(256) surf_smooth(
    Array<const int> counts_in, Array<const int> grid_in, Array<const float> picture_in, Array<const int> table_in,
    Array<const int> entry_in, Array<const float> value_in, Array<float> value_out) {
  __shared__ int around[27];
  __shared__ float tile[TILE_NODES];
  int gx = load(grid_in, 0), gy = load(grid_in, 1), gz = load(grid_in, 2);
  float band = BAND * load(picture_in, PICTURE_VOXEL), margin = load(picture_in, PICTURE_MARGIN);
  int bricks = counts_in[COUNT_SURFACE_BRICKS];
  for (int brick = blockIdx.x; brick < bricks; brick += gridDim.x) {
    load_tile(load(entry_in, brick), gx, gy, gz, table_in, value_in, band, -band, around, tile);
    // What is valid shrinks by one node a filter
    int a = threadIdx.x / TILE_EDGE, b = threadIdx.x % TILE_EDGE;
    for (int step = 1; step <= HALO; ++step) {
      int end = TILE_EDGE - 1 - step;
      bool wide_a = a >= step - 1 && a <= end + 1, wide_b = b >= step - 1 && b <= end + 1;
      bool narrow_a = a >= step && a <= end, narrow_b = b >= step && b <= end;
      if (wide_a && wide_b) filter_line(tile + a * TILE_PLANE + b * TILE_EDGE, 1, step, end);
      __syncthreads();
      if (wide_a && narrow_b) filter_line(tile + a * TILE_PLANE + b, TILE_EDGE, step, end);
      __syncthreads();
      if (narrow_a && narrow_b) filter_line(tile + a * TILE_EDGE + b, TILE_PLANE, step, end);
      __syncthreads();
    }
    for (int node = threadIdx.x; node < BRICK_NODES; node += blockDim.x) {
      long long at = SURFACE_CHANNELS * ((long long)brick * BRICK_NODES + node);
      float2 value = load2(value_in, at);
      float phi = tile[tile_node(node)];
      if (phi > value.x + margin) phi = value.x + margin;
      if (phi < value.x - margin) phi = value.x - margin;
      store2(value_out, at, make_float2(phi, value.y));
    }
    // The barrier behind the next brick's neighbours stands before the next write to the tile
  }
}
