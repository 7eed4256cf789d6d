#include "trace_state.cuh"
// Radiance of the sky and of glowing matter: the CUDA side of trace_sky.py.

// a + (b - a) * share, where b are three words.
template <class W>
__device__ __forceinline__ float3 towards(float3 a, const W& words, int slot, float share) {
  return make_float3(a.x + (words[slot] - a.x) * share, a.y + (words[slot + 1] - a.y) * share,
                     a.z + (words[slot + 2] - a.z) * share);
}

// Opacity of the clouds in a direction, 0 to 1: four octaves of noise on a plane overhead.
__device__ __forceinline__ float clouds(float3 d, const Words& sky_in, float time_s) {
  float amount = sky_in[SKY_CLOUD_AMOUNT];
  float flat = sky_in[SKY_CLOUD_SCALE] / (d.z + 0.12f);
  float x = d.x * flat + CLOUD_DRIFT * time_s, y = d.y * flat;
  float total = ZERO, weight = HALF;
#pragma unroll 1
  for (int n = 0; n < 4; ++n) {
    total = total + weight * noise_flat(x, y);
    float turned = 1.6f * x - 1.2f * y + 1.7f;
    y = 1.2f * x + 1.6f * y - 2.3f;
    x = turned;
    weight = weight * HALF;
  }
  float cover = (total * 0.9f + amount * 1.2f - 0.6f) * 1.6f;
  if (cover < ZERO) cover = ZERO;
  if (cover > ONE) cover = ONE;
  float fade = d.z * 12.0f;
  if (fade > ONE) fade = ONE;
  return cover * cover * (THREE - TWO * cover) * fade;
}

// Radiance (RGB) that comes from direction d, without the sun's disc.
__device__ __forceinline__ float3 sky_radiance(float3 d, const Words& sky_in, const Words& look_in) {
  float3 light = words3(sky_in, SKY_HORIZON_R);
  if (d.z > ZERO) {
    float share = d.z > SHARE_MIN ? d.z : SHARE_MIN;
    share = exp_f32(sky_in[SKY_EXPONENT] * log_f32(share));
    light = towards(light, sky_in, SKY_ZENITH_R, share);
  } else {
    float share = ONE;
    if (-d.z < sky_in[SKY_GROUND_BLEND]) {
      share = -d.z / sky_in[SKY_GROUND_BLEND];
      share = share * share * (THREE - TWO * share);
    }
    light = towards(light, sky_in, SKY_GROUND_R, share);
  }
  if (sky_in[SKY_CLOUD_AMOUNT] > ZERO && d.z > LOWEST_CLOUD) {
    light = towards(light, sky_in, SKY_CLOUD_R, clouds(d, sky_in, look_in[LOOK_TIME]));
  }
  if (sky_in[SKY_GLOW_WIDTH] > ZERO) {
    float cosine = d.x * sky_in[SKY_SUN_X] + d.y * sky_in[SKY_SUN_Y] + d.z * sky_in[SKY_SUN_Z];
    float glow = exp_f32(-sky_in[SKY_GLOW_WIDTH] * (ONE - cosine));
    light.x = light.x + sky_in[SKY_GLOW_R] * glow;
    light.y = light.y + sky_in[SKY_GLOW_R + 1] * glow;
    light.z = light.z + sky_in[SKY_GLOW_R + 2] * glow;
  }
  return light;
}

// Whether direction d points into the sun's disc.
__device__ __forceinline__ bool in_sun(float3 d, const Words& sky_in) {
  float cosine = d.x * sky_in[SKY_SUN_X] + d.y * sky_in[SKY_SUN_Y] + d.z * sky_in[SKY_SUN_Z];
  return cosine > sky_in[SKY_SUN_COS];
}

// Radiance (RGB) of black matter at a temperature (K), from the table; none below its range.
__device__ __forceinline__ float3 glow(float temperature, const Words& look_in, const Table& glow_lut_in) {
  float low = look_in[LOOK_GLOW_LOW_K];
  if (!(temperature > low)) return make_float3(ZERO, ZERO, ZERO);
  const int last = GLOW_LUT_SIZE - 1;
  float x = (temperature - low) / (look_in[LOOK_GLOW_HIGH_K] - low) * (float)last;
  if (x >= (float)last) return words3(glow_lut_in, last * 3);
  int i = (int)x;
  float f = x - (float)i;
  return towards(words3(glow_lut_in, i * 3), glow_lut_in, (i + 1) * 3, f);
}

// How much of a far point air hides; the air's own light is the sky's at the horizon.
__device__ __forceinline__ float haze(float distance, const Words& look_in) {
  return ONE - exp_f32(-distance / look_in[LOOK_HAZE]);
}
