#include "common.cuh"

// Prefix sums of a table in chunks: sums of chunks, one block over those, then the chunks. See surf_scan.py.

constexpr int SCAN_CHUNK = 4096;    // table entries of a chunk
constexpr int SCAN_THREADS = 256;   // of a block that works on chunks, four entries a thread at a time
constexpr int SCAN_TILE = 4 * SCAN_THREADS;
constexpr int SCAN_TOP = 1024;      // threads of the one block that works on the chunks' sums

// Sum over this and all lower threads; `total` becomes the sum over all. `share` has THREADS / 32 words.
template <int THREADS>
__device__ __forceinline__ int sum_up_to(int value, int* share, int& total) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  for (int step = 1; step < 32; step <<= 1) {
    int other = __shfl_up_sync(0xFFFFFFFFu, value, step);
    if (lane >= step) value += other;
  }
  if (lane == 31) share[warp] = value;
  __syncthreads();
  int before = 0;
  total = 0;
  for (int w = 0; w < THREADS / 32; ++w) {
    if (w == warp) before = total;
    total += share[w];
  }
  __syncthreads();
  return before + value;
}
