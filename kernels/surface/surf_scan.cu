#include "surf_scan.cuh"

// Inclusive prefix sum in place. See surf_scan.py.

// Each chunk's sum, in its last word; the word's own count can be told from it and is not needed any more.
extern "C" __global__ void __launch_bounds__(256) surf_scan_sum(Array<int> start_inout) {
  __shared__ int share[SCAN_THREADS / 32];
  long long size = start_inout.shape0;
  for (long long first = blockIdx.x * (long long)SCAN_CHUNK; first < size; first += gridDim.x * (long long)SCAN_CHUNK) {
    long long end = first + SCAN_CHUNK < size ? first + SCAN_CHUNK : size;
    int sum = 0, total;
    for (long long n = first + threadIdx.x; n < end; n += SCAN_THREADS) sum += start_inout[n];
    sum_up_to<SCAN_THREADS>(sum, share, total);
    if (threadIdx.x == 0) start_inout[end - 1] = total;
  }
}

// Make them sums of all chunks up to each: the last words are then final.
extern "C" __global__ void __launch_bounds__(1024) surf_scan_chunks(Array<int> start_inout) {
  __shared__ int share[SCAN_TOP / 32];
  long long size = start_inout.shape0;
  int before = 0;
  for (long long first = 0; first * SCAN_CHUNK < size; first += SCAN_TOP) {
    long long begin = (first + threadIdx.x) * SCAN_CHUNK;
    long long last = (begin + SCAN_CHUNK < size ? begin + SCAN_CHUNK : size) - 1;
    int total;
    int sum = sum_up_to<SCAN_TOP>(begin < size ? start_inout[last] : 0, share, total);
    if (begin < size) start_inout[last] = before + sum;
    before += total;
  }
}

// All other words of a chunk.
extern "C" __global__ void __launch_bounds__(256) surf_scan(Array<int> start_inout) {
  __shared__ int share[SCAN_THREADS / 32];
  long long size = start_inout.shape0;
  for (long long first = blockIdx.x * (long long)SCAN_CHUNK; first < size; first += gridDim.x * (long long)SCAN_CHUNK) {
    long long last = (first + SCAN_CHUNK < size ? first + SCAN_CHUNK : size) - 1;
    int before = first > 0 ? start_inout[first - 1] : 0;
    for (long long tile = first; tile < last; tile += SCAN_TILE) {
      long long n = tile + 4 * (int)threadIdx.x;
      bool whole = n + 4 <= last;
      int4 v = make_int4(0, 0, 0, 0);
      if (whole) {
        v = load4(start_inout, n);
      } else {
        if (n < last) v.x = start_inout[n];
        if (n + 1 < last) v.y = start_inout[n + 1];
        if (n + 2 < last) v.z = start_inout[n + 2];
      }
      v.y += v.x;
      v.z += v.y;
      v.w += v.z;
      int total;
      int add = before + sum_up_to<SCAN_THREADS>(v.w, share, total) - v.w;
      v = make_int4(v.x + add, v.y + add, v.z + add, v.w + add);
      if (whole) {
        store4(start_inout, n, v);
      } else {
        if (n < last) start_inout[n] = v.x;
        if (n + 1 < last) start_inout[n + 1] = v.y;
        if (n + 2 < last) start_inout[n + 2] = v.z;
      }
      before += total;
    }
  }
}
