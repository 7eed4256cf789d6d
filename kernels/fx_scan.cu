#include "common.cuh"
#include "fx_scan.cuh"

// Exclusive prefix sum of `number` into `offset`, its total last; gives the total.
__device__ __forceinline__ int scan(Array<const int> number, Array<int> offset, int* warp_sums) {
  int total = 0;
  for (long long first = 0; first < number.shape0; first += blockDim.x) {
    const long long chunk = first + threadIdx.x;
    const BlockSum sum = block_sum(chunk < number.shape0 ? load(number, chunk) : 0, warp_sums);
    if (chunk < number.shape0) offset[chunk] = total + sum.before;
    total += sum.all;
  }
  if (threadIdx.x == 0) offset[number.shape0] = total;
  return total;
}

// One block: there is a word for a thousand particles.
extern "C" __global__ void __launch_bounds__(1024) fx_scan(
    Array<int> counts_inout, long long effect_capacity, Array<const int> alive_in, Array<const int> births_in,
    Array<int> alive_offset_out, Array<int> birth_offset_out) {
  __shared__ int warp_sums[32];
  const long long alive = scan(alive_in, alive_offset_out, warp_sums);
  const long long total = alive + scan(births_in, birth_offset_out, warp_sums);
  if (threadIdx.x == 0) counts_inout[COUNT_EFFECTS] = (int)(total < effect_capacity ? total : effect_capacity);
}
