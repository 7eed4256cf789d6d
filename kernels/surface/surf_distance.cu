#include "surf_lanes.cuh"

// Signed distance in a band around the surface, a block a brick. See surf_distance.py.
// Distances next to the surface are at most 1 voxel and the others start as BAND, which tells the two apart.

constexpr int NEAR_EDGE = TILE_EDGE - 2;  // nodes with an initial distance
constexpr int NEAR_NODES = NEAR_EDGE * NEAR_EDGE * NEAR_EDGE;
constexpr int FAR_EDGE = TILE_EDGE - 4;  // nodes after one step
constexpr int FAR_NODES = FAR_EDGE * FAR_EDGE * FAR_EDGE;

// Squared difference per voxel along one axis; `near` becomes the least sign of the two neighbours.
__device__ __forceinline__ float squared_slope(const float* at, int step, float centre, float sign, float& near) {
  float low = at[-step], high = at[step];
  float central = (high - low) * HALF;
  float forward = fabsf(high - centre), backward = fabsf(centre - low);
  // Negative where a neighbour lies on the other side
  float to_low = sign * low, to_high = sign * high;
  float slope = larger(to_low, to_high) < ZERO ? larger(forward, backward) : central;
  near = smaller(to_low, to_high);
  return slope * slope;
}

// Upwind solution of |grad u| = 1 from the least neighbours a, b, c on each axis, in voxels.
__device__ __forceinline__ float eikonal_step(float a, float b, float c) {
  float low = smaller(a, b), high = larger(a, b);
  float least = smaller(low, c);
  float rest = larger(low, c);
  float middle = smaller(high, rest), most = larger(high, rest);
  float first = least + ONE;
  float d = middle - least;
  float second = ((least + middle) + sqrtf(larger(TWO - d * d, ZERO))) * HALF;
  float result = middle - first < ZERO ? second : first;
  float total = (least + middle) + most;
  float squares = __fmaf_rn(most, most, __fmaf_rn(middle, middle, least * least));
  float root = total * total - THREE * (squares - ONE);
  float third = (total + sqrtf(larger(root, ZERO))) * THIRD;
  return most - result < ZERO ? third : result;
}

// One Jacobi step at a node whose neighbours are `edge` words apart along y and edge^2 along x.
__device__ __forceinline__ float marched(const float* at, int edge) {
  int plane = edge * edge;
  float x = smaller(at[-plane], at[plane]);
  float y = smaller(at[-edge], at[edge]);
  float z = smaller(at[-1], at[1]);
  return smaller(at[0], eikonal_step(x, y, z));
}

// The value of a node after the liquid was closed flush with the walls of one axis; `index`: of the node on it.
__device__ __forceinline__ float cut(
    float value, int index, int axis, float voxel, float band, Array<const int> walls_in,
    Array<const float> picture_in) {
  int wall_low = load(walls_in, 2 * axis), wall_high = load(walls_in, 2 * axis + 1);
  if (wall_low != WALL_CUT && wall_high != WALL_CUT) return value;
  float x = (float)index * voxel;
  float low = load(picture_in, PICTURE_LOW_X + axis), high = load(picture_in, PICTURE_HIGH_X + axis);
  float beyond = -band;
  if (wall_low == WALL_CUT && low - x > beyond) beyond = low - x;
  if (wall_high == WALL_CUT && x - high > beyond) beyond = x - high;
  if (beyond > band) beyond = band;
  return beyond > value ? beyond : value;
}

extern "C" __global__ void __launch_bounds__(256) surf_distance(
    Array<const int> counts_in, long long last, float outside, float inside, Array<const int> grid_in,
    Array<const int> walls_in, Array<const float> picture_in, Array<const int> table_in, Array<const int> entry_in,
    Array<const float> value_in, Array<float> value_out, Array<int> table_out) {
  __shared__ int around[27];
  __shared__ float tile[TILE_NODES], near[NEAR_NODES], far[FAR_NODES];
  int gx = load(grid_in, 0), gy = load(grid_in, 1), gz = load(grid_in, 2);
  float voxel = load(picture_in, PICTURE_VOXEL);
  float band = BAND * voxel;
  int bricks = counts_in[COUNT_SURFACE_BRICKS];
  for (int brick = blockIdx.x; brick < bricks; brick += gridDim.x) {
    int e = load(entry_in, brick);
    load_tile(e, gx, gy, gz, table_in, value_in, outside, inside, around, tile);
    // Start with |phi| / |grad phi| next to the surface, BAND elsewhere
    for (int n = threadIdx.x; n < NEAR_NODES; n += blockDim.x) {
      int a = n / (NEAR_EDGE * NEAR_EDGE), b = (n / NEAR_EDGE) % NEAR_EDGE, c = n % NEAR_EDGE;
      const float* at = tile + (a + 1) * TILE_PLANE + (b + 1) * TILE_EDGE + c + 1;
      float centre = at[0];
      float sign = centre < ZERO ? -ONE : ONE;
      float near_x, near_y, near_z;
      float x = squared_slope(at, TILE_PLANE, centre, sign, near_x);
      float y = squared_slope(at, TILE_EDGE, centre, sign, near_y);
      float z = squared_slope(at, 1, centre, sign, near_z);
      float slope = larger(sqrtf((x + y) + z), SLOPE_MIN * voxel);
      float guess = smaller(fabsf(centre) / slope, ONE);
      near[n] = smaller(smaller(near_x, near_y), near_z) < ZERO ? guess : BAND;
    }
    __syncthreads();
    // March two nodes outwards
    for (int n = threadIdx.x; n < FAR_NODES; n += blockDim.x) {
      int a = n / (FAR_EDGE * FAR_EDGE), b = (n / FAR_EDGE) % FAR_EDGE, c = n % FAR_EDGE;
      const float* at = near + ((a + 1) * NEAR_EDGE + b + 1) * NEAR_EDGE + c + 1;
      far[n] = at[0] < BAND ? at[0] : marched(at, NEAR_EDGE);
    }
    __syncthreads();
    bool all_outside = true, all_inside = true;
    for (int node = threadIdx.x; node < BRICK_NODES; node += blockDim.x) {
      int a = node / 81, b = (node / 9) % 9, c = node % 9;
      const float* at = far + ((a + 1) * FAR_EDGE + b + 1) * FAR_EDGE + c + 1;
      float first = near[((a + 2) * NEAR_EDGE + b + 2) * NEAR_EDGE + c + 2];
      float distance = first < BAND ? at[0] : marched(at, FAR_EDGE);
      float phi = smaller(distance * voxel, band);
      phi = tile[tile_node(node)] < ZERO ? ZERO - phi : phi;
      if (last != 0) {
        phi = cut(phi, 8 * (e / (gy * gz)) + a, 0, voxel, band, walls_in, picture_in);
        phi = cut(phi, 8 * ((e / gz) % gy) + b, 1, voxel, band, walls_in, picture_in);
        phi = cut(phi, 8 * (e % gz) + c, 2, voxel, band, walls_in, picture_in);
      }
      all_outside = all_outside && phi >= NEAR * voxel;
      all_inside = all_inside && phi <= -(NEAR * voxel);
      long long word = SURFACE_CHANNELS * ((long long)brick * BRICK_NODES + node);
      store2(value_out, word, make_float2(phi, load2(value_in, word).y));
    }
    // Take the brick out of the table where no node is near the surface
    all_outside = __syncthreads_and(all_outside) != 0;
    all_inside = __syncthreads_and(all_inside) != 0;
    if (last != 0 && threadIdx.x == 0) {
      table_out[e] = all_outside ? BRICK_OUTSIDE : all_inside ? BRICK_INSIDE : brick;
    }
  }
}
