#include "block_scan.cuh"

constexpr int SCAN_THREADS = 1024;

// Exclusive prefix sum of `number` into `offset`, its total last; gives the total.
__device__ __forceinline__ int scan(Array<const int> number, Array<int> offset, int* warp_sums) {
  int total = 0;
  for (long long first = 0; first < number.shape0; first += SCAN_THREADS) {
    const long long chunk = first + threadIdx.x;
    const int own = chunk < number.shape0 ? load(number, chunk) : 0;
    int round;
    const int place = total + sum_up_to<SCAN_THREADS>(own, warp_sums, round) - own;
    if (chunk < number.shape0) offset[chunk] = place;
    total += round;
  }
  if (threadIdx.x == 0) offset[number.shape0] = total;
  return total;
}

// One block: there is a word for a thousand particles.
extern "C" __global__ void __launch_bounds__(SCAN_THREADS) fx_scan(
    Array<int> counts_inout, long long effect_capacity, Array<const int> alive_in, Array<const int> births_in,
    Array<int> alive_offset_out, Array<int> birth_offset_out) {
  __shared__ int warp_sums[SCAN_THREADS / 32];
  const long long alive = scan(alive_in, alive_offset_out, warp_sums);
  const long long total = alive + scan(births_in, birth_offset_out, warp_sums);
  if (threadIdx.x == 0) counts_inout[COUNT_EFFECTS] = (int)(total < effect_capacity ? total : effect_capacity);
}
