#include "common.cuh"

// Prefix sum over the threads of a block, which sorts, tables and births are numbered with.

// Sum over this and all lower threads; `total` becomes the sum over all. `share` has THREADS / 32 words, which may be
// given again at once. Every one of the block's THREADS threads calls it.
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
