#include "block_scan.cuh"
#include "fx_air.cuh"

// A block owns a chunk and goes through it until its last survivor has found its place.
extern "C" __global__ void __launch_bounds__(256) fx_compact(
    Array<const float> effect_position_in, Array<const float> effect_velocity_in, Array<const int> effect_kind_in,
    Array<const float> effect_temperature_in, Array<const int> alive_offset_in, Array<float> effect_position_out,
    Array<float> effect_velocity_out, Array<int> effect_kind_out, Array<float> effect_temperature_out) {
  __shared__ int warp_sums[8];
  for (long long chunk = blockIdx.x; chunk < alive_offset_in.shape0 - 1; chunk += gridDim.x) {
    int target = load(alive_offset_in, chunk);
    const int end = load(alive_offset_in, chunk + 1);
    for (long long first = chunk * CHUNK; target < end; first += blockDim.x) {
      const long long p = first + threadIdx.x;
      const int kind = p < effect_kind_in.shape0 ? load(effect_kind_in, p) : EFFECT_NONE;
      const int alive = kind != EFFECT_NONE ? 1 : 0;
      int alive_of_all;
      const long long place = target + sum_up_to<256>(alive, warp_sums, alive_of_all) - alive;
      if (alive != 0 && place < end) {
        store4(effect_position_out, place * 4, load4(effect_position_in, p * 4));
        store4(effect_velocity_out, place * 4, load4(effect_velocity_in, p * 4));
        effect_kind_out[place] = kind;
        effect_temperature_out[place] = load(effect_temperature_in, p);
      }
      target += alive_of_all;
    }
  }
}
