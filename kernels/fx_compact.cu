#include "common.cuh"
#include "fx_air.cuh"
#include "fx_scan.cuh"

// A block owns a chunk and goes through it until its last survivor has found its place.
extern "C" __global__ void __launch_bounds__(256) fx_compact(
    Array<const float> effect_position_in, Array<const float> effect_velocity_in, Array<const int> effect_kind_in,
    Array<const float> effect_temperature_in, Array<const int> alive_offset_in, Array<float> effect_position_out,
    Array<float> effect_velocity_out, Array<int> effect_kind_out, Array<float> effect_temperature_out) {
  __shared__ int warp_sums[32];
  for (long long chunk = blockIdx.x; chunk < alive_offset_in.shape0 - 1; chunk += gridDim.x) {
    int target = load(alive_offset_in, chunk);
    const int end = load(alive_offset_in, chunk + 1);
    for (long long first = chunk * CHUNK; target < end; first += blockDim.x) {
      const long long p = first + threadIdx.x;
      const int kind = p < effect_kind_in.shape0 ? load(effect_kind_in, p) : EFFECT_NONE;
      const BlockSum alive = block_sum(kind != EFFECT_NONE, warp_sums);
      const long long place = target + alive.before;
      if (kind != EFFECT_NONE && place < end) {
        store4(effect_position_out, place * 4, load4(effect_position_in, p * 4));
        store4(effect_velocity_out, place * 4, load4(effect_velocity_in, p * 4));
        effect_kind_out[place] = kind;
        effect_temperature_out[place] = load(effect_temperature_in, p);
      }
      target += alive.all;
    }
  }
}
