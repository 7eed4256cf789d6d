#include "block_scan.cuh"
#include "fx_source.cuh"

// Write the n-th newborn of liquid particle p at place `target`.
__device__ __forceinline__ void make(
    long long p, int n, int kind, long long target, long long frame, long long seed, float frame_dt_s,
    float cell_size_m, Array<const float> effect_params_in, Array<const float> position_in,
    Array<const float> velocity_in, float heat, Array<float> effect_position_out, Array<float> effect_velocity_out,
    Array<int> effect_kind_out, Array<float> effect_temperature_out) {
  const float4 first = chance(p, frame, STREAM_STATE + 2 * n, seed);
  const float4 second = chance(p, frame, STREAM_STATE + 2 * n + 1, seed);
  const float scatter = effect_params_in[EFFECT_PARAM_SCATTER];
  const float ax = scatter * signed_share(first.x), ay = scatter * signed_share(first.y);
  float az = scatter * signed_share(first.z);
  if (kind == EFFECT_EMBER && az < ZERO) az = -az;
  const float age = first.w * frame_dt_s;
  const float half_cell = HALF * cell_size_m;
  const float size = second.w;
  const float4 position = load4(position_in, p * 4);
  const float4 velocity = load4(velocity_in, p * 12);
  // Many small drops, few large ones
  float low = effect_params_in[EFFECT_PARAM_RADIUS_MIN], high = effect_params_in[EFFECT_PARAM_RADIUS_MAX];
  const float radius = low + (high - low) * size * size * size;
  store4(effect_position_out, target * 4,
         make_float4(position.x + half_cell * signed_share(second.x) + ax * age,
                     position.y + half_cell * signed_share(second.y) + ay * age,
                     position.z + half_cell * signed_share(second.z) + az * age, radius));
  low = effect_params_in[EFFECT_PARAM_LIFE_MIN];
  high = effect_params_in[EFFECT_PARAM_LIFE_MAX];
  const float life = low + (high - low) * (ONE - size) * second.x;
  store4(effect_velocity_out, target * 4, make_float4(velocity.x + ax, velocity.y + ay, velocity.z + az, life));
  effect_kind_out[target] = kind;
  effect_temperature_out[target] = heat;
}

// A block owns a chunk of liquid particles; its births are numbered in the order of the particles.
extern "C" __global__ void __launch_bounds__(256) fx_birth(
    Array<const int> counts_in, long long frame, long long seed, float frame_dt_s, long long cells_x,
    long long cells_y, long long cells_z, float cell_size_m, long long effect_capacity,
    Array<const float> effect_params_in, Array<const float> material_in, Array<const float> position_in,
    Array<const float> velocity_in, Array<const float> temperature_in, Array<const int> slot_in,
    Array<const float> node_in, Array<const int> alive_offset_in, Array<const int> birth_offset_in,
    Array<float> effect_position_out, Array<float> effect_velocity_out, Array<int> effect_kind_out,
    Array<float> effect_temperature_out) {
  __shared__ int warp_sums[8];
  const long long count = counts_in[COUNT_PARTICLES];
  const long long alive = alive_offset_in[alive_offset_in.shape0 - 1];
  const long long total = birth_offset_in[birth_offset_in.shape0 - 1];
  const long long room = total < effect_capacity - alive ? total : effect_capacity - alive;
  const bool has_heat = temperature_in.shape0 > 1;
  for (long long chunk = blockIdx.x; chunk < birth_offset_in.shape0 - 1; chunk += gridDim.x) {
    long long from = load(birth_offset_in, chunk);
    if (from >= load(birth_offset_in, chunk + 1)) continue;
    for (int first = 0; first < CHUNK; first += blockDim.x) {
      const long long p = chunk * CHUNK + first + threadIdx.x;
      int3 kinds = make_int3(0, 0, 0);
      if (p < count) {
        kinds = births(p, frame, seed, frame_dt_s, (int)cells_x, (int)cells_y, (int)cells_z, cell_size_m,
                       effect_params_in, material_in, position_in, velocity_in, temperature_in, slot_in, node_in);
      }
      const int born = kinds.x + kinds.y + kinds.z;
      int born_of_all;
      const int before = sum_up_to<256>(born, warp_sums, born_of_all) - born;
      const float heat = born > 0 && has_heat ? temperature_in[p] : ZERO;
      for (int n = 0; n < born; n++) {
        const long long serial = from + before + n;
        const long long place = serial * room / total;
        if ((serial + 1) * room / total <= place) continue;
        const int kind = n < kinds.x ? EFFECT_SPRAY : n < kinds.x + kinds.y ? EFFECT_FOAM : EFFECT_EMBER;
        make(p, n, kind, alive + place, frame, seed, frame_dt_s, cell_size_m, effect_params_in, position_in,
             velocity_in, heat, effect_position_out, effect_velocity_out, effect_kind_out, effect_temperature_out);
      }
      from += born_of_all;
    }
  }
}
