#include "fx_air.cuh"
#include "mpm_lava.cuh"

// How many effects particles one liquid particle sends out in a frame. See fx_source.py.

// 0 below `low`, 1 above `high`, linear between.
__device__ __forceinline__ float ramp(float x, float low, float high) {
  if (x >= high) return ONE;
  if (x <= low) return ZERO;
  return (x - low) / (high - low);
}

// floor(expected + u) and at most BIRTHS_MAX; NaN, of a state that is about to be refused, gives 0.
__device__ __forceinline__ int whole(float expected, float u) {
  const float total = expected + u;
  if (!(total > ZERO)) return 0;
  return total >= (float)BIRTHS_MAX ? BIRTHS_MAX : (int)total;
}

// x: spray, y: foam, z: embers that liquid particle p sends out.
__device__ __forceinline__ int3 births(
    long long p, long long frame, long long seed, float frame_dt_s, int cells_x, int cells_y, int cells_z,
    float cell_size_m, Array<const float> effect_params_in, Array<const float> material_in,
    Array<const float> position_in, Array<const float> velocity_in, Array<const float> temperature_in,
    Array<const int> slot_in, Array<const float> node_in) {
  float spray = effect_params_in[EFFECT_PARAM_SPRAY_RATE] * frame_dt_s;
  float foam = effect_params_in[EFFECT_PARAM_FOAM_RATE] * frame_dt_s;
  float ember = ZERO;
  // Without heat there is one word for all particles, and no embers
  if (temperature_in.shape0 > 1) ember = effect_params_in[EFFECT_PARAM_EMBER_RATE] * frame_dt_s;
  const float4 u = chance(p, frame, STREAM_COUNT, seed);
  const int3 none = make_int3(0, 0, 0);
  if (spray + u.x < ONE && foam + u.y < ONE && ember + u.z < ONE) return none;
  const float4 velocity = load4(velocity_in, p * 12);
  const float speed = sqrtf(velocity.x * velocity.x + velocity.y * velocity.y + velocity.z * velocity.z);
  const float energy =
      ramp(speed, effect_params_in[EFFECT_PARAM_SPEED_LOW], effect_params_in[EFFECT_PARAM_SPEED_HIGH]);
  float torn = energy;
  if (energy > ZERO) {
    torn = energy * ramp(strain_rate(velocity_in, p), effect_params_in[EFFECT_PARAM_STRAIN_LOW],
                         effect_params_in[EFFECT_PARAM_STRAIN_HIGH]);
  }
  spray *= torn;
  foam *= torn;
  if (ember > ZERO && temperature_in[p] < effect_params_in[EFFECT_PARAM_EMBER_TEMPERATURE]) ember = ZERO;
  if (spray + u.x < ONE && foam + u.y < ONE && ember + u.z < ONE) return none;
  // Only near the surface
  const float4 position = load4(position_in, p * 4);
  const float mass = liquid_at(position.x, position.y, position.z, cell_size_m, cells_x >> 2, cells_y >> 2,
                               cells_z >> 2, slot_in, node_in).w;
  if (cell_fill(mass, cell_size_m, material_in) > effect_params_in[EFFECT_PARAM_SURFACE_FRACTION]) return none;
  return make_int3(whole(spray, u.x), whole(foam, u.y), whole(ember, u.z));
}
