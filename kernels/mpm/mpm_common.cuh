#include "common.cuh"

// What the transfer kernels share: splines, keys, limits. See mpm_common.py.

// Offset from the nearest node in cells, and the three weights, along one axis.
struct Spline {
  float g, w0, w1, w2;
};

// Weights from the offset g to the nearest node.
__device__ __forceinline__ Spline weights(float g) {
  Spline spline;
  spline.g = g;
  float h = HALF - g;
  spline.w0 = h * h * HALF;
  spline.w1 = __fmaf_rn(ZERO - g, g, THREE_QUARTERS);
  h = HALF + g;
  spline.w2 = h * h * HALF;
  return spline;
}

// Whether a sort has found too little room for its blocks: from then on nothing may change the state.
__device__ __forceinline__ bool stopped(Array<int> counts) { return counts[COUNT_BLOCKS_NEEDED] != 0; }
__device__ __forceinline__ bool stopped(Array<const int> counts) { return counts[COUNT_BLOCKS_NEEDED] != 0; }

// Cells of the domain along an axis, and WALL_CELLS beyond its wall on either side.
__device__ __forceinline__ long long walled_cells(Array<const int> walls_in, int axis) {
  return walls_in[DOMAIN_X + axis] + 2 * WALL_CELLS;
}

// x: lowest, y: highest coordinate of a particle along an axis of walled_cells, in grid-local metres.
__device__ __forceinline__ float2 position_limits(long long cells, float cell_size_m) {
  float low = ((float)WALL_CELLS + POSITION_MARGIN) * cell_size_m;
  return make_float2(low, ((float)(cells - WALL_CELLS) - POSITION_MARGIN) * cell_size_m);
}

// Lowest of the three nodes that a coordinate reaches, as a whole float; x lies within the walls.
__device__ __forceinline__ float base_node(float x, float inverse_cell) {
  float shifted = x * inverse_cell - HALF;
  float whole = (float)(int)shifted;
  if (whole > shifted) whole = whole - ONE;
  return whole;
}

// Sort key of a base node: linear block times BLOCK_NODES, plus the cell in the block.
__device__ __forceinline__ int key_of(int bx, int by, int bz, int blocks_y, int blocks_z) {
  int block = ((bx >> 2) * blocks_y + (by >> 2)) * blocks_z + (bz >> 2);
  return block * BLOCK_NODES + ((bx & 3) * 4 + (by & 3)) * 4 + (bz & 3);
}

// Word of an arena where the lowest of the 27 nodes of a base cell stands.
__device__ __forceinline__ int arena_word(int cell) {
  return (cell >> 4) * ARENA_PLANE + ((cell >> 2) & 3) * ARENA_ROW + (cell & 3) * ARENA_CHANNELS;
}
