#include "surf_scan.cuh"

// Number the bricks that get values, in ascending order of table entry. See surf_number.py.

// How many bricks of each chunk get values, in table_out at the chunk's first entry.
extern "C" __global__ void __launch_bounds__(256) surf_number_sum(
    long long count_slot, long long error_bit, Array<int> counts_inout, Array<int> class_inout, Array<int> table_out,
    Array<int> entry_out) {
  __shared__ int share[SCAN_THREADS / 32];
  long long size = class_inout.shape0;
  for (long long first = blockIdx.x * (long long)SCAN_CHUNK; first < size; first += gridDim.x * (long long)SCAN_CHUNK) {
    long long end = first + SCAN_CHUNK < size ? first + SCAN_CHUNK : size;
    int sum = 0, total;
    for (long long n = first + threadIdx.x; n < end; n += SCAN_THREADS) sum += class_inout[n] >= 0 ? 1 : 0;
    sum_up_to<SCAN_THREADS>(sum, share, total);
    if (threadIdx.x == 0) table_out[first] = total;
  }
}

// Make them the number of each chunk's first brick, and say how many there are.
extern "C" __global__ void __launch_bounds__(1024) surf_number_chunks(
    long long count_slot, long long error_bit, Array<int> counts_inout, Array<int> class_inout, Array<int> table_out,
    Array<int> entry_out) {
  __shared__ int share[SCAN_TOP / 32];
  long long size = class_inout.shape0;
  int before = 0;
  for (long long first = 0; first * SCAN_CHUNK < size; first += SCAN_TOP) {
    long long begin = (first + threadIdx.x) * SCAN_CHUNK;
    int number = begin < size ? table_out[begin] : 0, total;
    int sum = sum_up_to<SCAN_TOP>(number, share, total);
    if (begin < size) table_out[begin] = before + sum - number;
    before += total;
  }
  if (threadIdx.x == 0) {
    int room = (int)entry_out.shape0;
    int errors = counts_inout[COUNT_ERROR] & ~(int)error_bit;
    counts_inout[COUNT_ERROR] = before > room ? errors | (int)error_bit : errors;
    counts_inout[COUNT_BRICKS_NEEDED] = before;
    counts_inout[count_slot] = before < room ? before : room;
  }
}

extern "C" __global__ void __launch_bounds__(256) surf_number(
    long long count_slot, long long error_bit, Array<int> counts_inout, Array<int> class_inout, Array<int> table_out,
    Array<int> entry_out) {
  __shared__ int share[SCAN_THREADS / 32];
  long long size = class_inout.shape0;
  for (long long first = blockIdx.x * (long long)SCAN_CHUNK; first < size; first += gridDim.x * (long long)SCAN_CHUNK) {
    long long end = first + SCAN_CHUNK < size ? first + SCAN_CHUNK : size;
    int before = table_out[first];
    // The first sum's barriers stand between this read and the writes
    for (long long tile = first; tile < end; tile += SCAN_THREADS) {
      long long n = tile + threadIdx.x;
      int value = n < end ? class_inout[n] : BRICK_OUTSIDE, total;
      int number = before + sum_up_to<SCAN_THREADS>(value >= 0 ? 1 : 0, share, total) - 1;
      if (value >= 0) {
        if (number < entry_out.shape0) {
          entry_out[number] = (int)n;
          value = number;
        } else {
          value = BRICK_OUTSIDE;
        }
      }
      if (n < end) {
        class_inout[n] = value;
        table_out[n] = value;
      }
      before += total;
    }
  }
}
