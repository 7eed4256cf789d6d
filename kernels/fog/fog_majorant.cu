#include "common.cuh"

// Largest extinction of each brick, a warp a brick. See fog_majorant.py.

extern "C" __global__ void __launch_bounds__(256) fog_majorant(
    Array<const int> counts_in, long long count_slot, Array<const float> value_in, Array<float> majorant_out) {
  int lane = threadIdx.x & 31, warps = blockDim.x >> 5;
  long long bricks = counts_in[count_slot];
  for (long long brick = blockIdx.x * (long long)warps + (threadIdx.x >> 5); brick < bricks;
       brick += gridDim.x * (long long)warps) {
    float most = ZERO;
    for (int node = lane; node < BRICK_NODES; node += 32) {
      float v = load2(value_in, FOG_CHANNELS * (brick * BRICK_NODES + node)).x;
      most = v > most ? v : most;
    }
    for (int step = 16; step > 0; step >>= 1) {
      float other = __shfl_xor_sync(0xFFFFFFFFu, most, step);
      most = other > most ? other : most;
    }
    if (lane == 0) majorant_out[brick] = most;
  }
}
