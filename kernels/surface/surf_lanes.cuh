#include "common.cuh"

// Tiles: a brick's 9^3 nodes with HALO nodes of its neighbours all around, a block of threads each. See surf_lanes.py.
// Here a row has TILE_EDGE words: an odd stride, so that lines along any axis fall on all banks.

constexpr int TILE_PLANE = TILE_EDGE * TILE_EDGE;
constexpr int TILE_NODES = TILE_EDGE * TILE_PLANE;

__device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }
__device__ __forceinline__ float smaller(float a, float b) { return a < b ? a : b; }

// Steps to the neighbours that hold a tile's node on one axis, 0..14: `high` and, on a shared face, one less.
__device__ __forceinline__ int high_neighbour(int node) { return node >= HALO + 8 ? 1 : node >= HALO ? 0 : -1; }
__device__ __forceinline__ int low_neighbour(int node) { return node > HALO + 8 ? 1 : node > HALO ? 0 : -1; }

// Fill `tile` with first channels around the brick of a table entry; `around` has 27 words. Ends at a barrier.
// Of several neighbours that hold a node the last one counts: any that has values, else what the last one stands for.
__device__ __forceinline__ void load_tile(
    int entry, int gx, int gy, int gz, Array<const int> table, Array<const float> value, float outside, float inside,
    int (&around)[27], float (&tile)[TILE_NODES]) {
  if (threadIdx.x < 27) {
    int n = threadIdx.x;
    int i = entry / (gy * gz) + n / 9 - 1, j = (entry / gz) % gy + (n / 3) % 3 - 1, k = entry % gz + n % 3 - 1;
    bool within = i >= 0 && i < gx && j >= 0 && j < gy && k >= 0 && k < gz;
    around[n] = within ? load(table, ((long long)i * gy + j) * gz + k) : -1;
  }
  __syncthreads();
  for (int n = threadIdx.x; n < TILE_NODES; n += blockDim.x) {
    int a = n / TILE_PLANE, b = (n / TILE_EDGE) % TILE_EDGE, c = n % TILE_EDGE;
    int i = high_neighbour(a), j = high_neighbour(b), k = high_neighbour(c);
    float result = around[(i + 1) * 9 + (j + 1) * 3 + k + 1] == BRICK_INSIDE ? inside : outside;
    bool found = false;
    for (int di = i; di >= low_neighbour(a) && !found; --di) {
      for (int dj = j; dj >= low_neighbour(b) && !found; --dj) {
        for (int dk = k; dk >= low_neighbour(c) && !found; --dk) {
          int brick = around[(di + 1) * 9 + (dj + 1) * 3 + dk + 1];
          if (brick < 0) continue;
          int node = ((a - HALO - 8 * di) * 9 + b - HALO - 8 * dj) * 9 + c - HALO - 8 * dk;
          result = load(value, SURFACE_CHANNELS * ((long long)brick * BRICK_NODES + node));
          found = true;
        }
      }
    }
    tile[n] = result;
  }
  __syncthreads();
}

// Word of a tile that holds node 0..728 of the brick itself.
__device__ __forceinline__ int tile_node(int node) {
  return (node / 81 + HALO) * TILE_PLANE + ((node / 9) % 9 + HALO) * TILE_EDGE + node % 9 + HALO;
}
