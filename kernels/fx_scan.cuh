#include "common.cuh"

// Sum over the threads of a block.
struct BlockSum {
  int before;  // of the threads with a lower index
  int all;
};

// Every thread of the block calls it with the same 32 words of shared memory.
__device__ __forceinline__ BlockSum block_sum(int value, int* warp_sums) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int sum = value;
  for (int step = 1; step < 32; step *= 2) {
    const int lower = __shfl_up_sync(0xffffffffu, sum, step);
    if (lane >= step) sum += lower;
  }
  __syncthreads();  // what was summed before may still be being read
  if (lane == 31) warp_sums[warp] = sum;
  __syncthreads();
  BlockSum result = {sum - value, 0};
  for (int w = 0; w < (int)(blockDim.x >> 5); w++) {
    if (w < warp) result.before += warp_sums[w];
    result.all += warp_sums[w];
  }
  return result;
}
