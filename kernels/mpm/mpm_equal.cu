#include "common.cuh"

// How many words of two arrays have the same bits. See mpm_equal.py.

extern "C" __global__ void __launch_bounds__(256) mpm_equal(
    long long words, Array<const int> a_in, Array<const int> b_in, Array<long long> equal_inout) {
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, stride = gridDim.x * (long long)blockDim.x;
  long long whole = words / 4;
  unsigned own = 0;
  for (long long i = first; i < whole; i += stride) {
    int4 a = load4(a_in, i * 4), b = load4(b_in, i * 4);
    own += (a.x == b.x) + (a.y == b.y) + (a.z == b.z) + (a.w == b.w);
  }
  for (long long i = whole * 4 + first; i < words; i += stride) own += load(a_in, i) == load(b_in, i);
  for (int lane = 16; lane > 0; lane >>= 1) own += __shfl_xor_sync(0xFFFFFFFFu, own, lane);
  if ((threadIdx.x & 31) == 0 && own > 0) {
    atomicAdd(reinterpret_cast<unsigned long long*>(&equal_inout[0]), (unsigned long long)own);
  }
}
