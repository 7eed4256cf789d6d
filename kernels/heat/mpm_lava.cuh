#include "common.cuh"

// How lava flows and cools. See mpm_lava.py.

// sqrt(2 D:D) of particle p, 1/s.
__device__ __forceinline__ float strain_rate(Array<const float> velocity_in, long long p) {
  const float xx = load(velocity_in, p * 12 + 3);
  const float4 first = load4(velocity_in, p * 12 + 4), second = load4(velocity_in, p * 12 + 8);
  const float yy = first.w, zz = second.w;
  const float xy = first.x + first.z;
  const float xz = first.y + second.y;
  const float yz = second.x + second.z;
  return sqrtf(TWO * (xx * xx + yy * yy + zz * zz) + (xy * xy + xz * xz + yz * yz));
}

// One lane of exp16: e^x of an x in [-80, 80].
__device__ __forceinline__ float exp16(float x) {
  const float whole = rintf(x * LOG2_E);
  float r = __fmaf_rn(whole, -LN2_HIGH, x);
  r = __fmaf_rn(whole, -LN2_LOW, r);
  float p = __fmaf_rn(E0, r, E1);
  p = __fmaf_rn(p, r, E2);
  p = __fmaf_rn(p, r, E3);
  p = __fmaf_rn(p, r, E4);
  p = __fmaf_rn(p, r, E5);
  p = __fmaf_rn(p, r * r, r) + ONE;
  return p * bits_float(((int)whole + 127) << 23);
}

// The first where it is the larger or smaller one, otherwise (NaN included) the second.
__device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }
__device__ __forceinline__ float smaller(float a, float b) { return a < b ? a : b; }

// One lane of viscosity16: effective viscosity (Pa s) at a temperature (K) and a strain rate (1/s).
__device__ __forceinline__ float viscosity16(float temperature, float rate, Array<const float> material_in) {
  const float above = larger(temperature - material_in[MATERIAL_VFT_C], COLDEST);
  const float exponent = material_in[MATERIAL_VFT_A] + material_in[MATERIAL_VFT_B] / above;
  float viscosity = exp16(larger(smaller(LN_10 * exponent, EXPONENT_MAX), -EXPONENT_MAX));
  const float m = material_in[MATERIAL_PAPANASTASIOU];
  if (material_in[MATERIAL_YIELD_STRESS] > ZERO && m > ZERO) {
    const float liquidus = material_in[MATERIAL_LIQUIDUS];
    float share = (liquidus - temperature) / (liquidus - material_in[MATERIAL_YIELD_TEMPERATURE]);
    share = larger(smaller(share, ONE), ZERO);
    // At rest the quotient's limit is m; half the creep's m g off it is close enough, and there is no 0 / 0
    rate = larger(rate, CREEP / m);
    const float falling = exp16(larger(-m * rate, -EXPONENT_MAX));
    viscosity = __fmaf_rn(material_in[MATERIAL_YIELD_STRESS] * share, (ONE - falling) / rate, viscosity);
  }
  return smaller(viscosity, material_in[MATERIAL_VISCOSITY_MAX]);
}

// kappa dt / dx^2.
__device__ __forceinline__ float diffusion_number(
    float heat_dt_s, float cell_size_m, Array<const float> material_in) {
  const float diffusivity =
      material_in[MATERIAL_CONDUCTIVITY] / (material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT]);
  return diffusivity * heat_dt_s / (cell_size_m * cell_size_m);
}

// Share of its difference to the nodes that a particle gives up in a heat step of this diffusion number.
__device__ __forceinline__ float subgrid_share(float number) { return SUBGRID * number / (ONE + SUBGRID * number); }

// Temperature (K) after liquid with so much free surface, m^2 over its m^3, has radiated for dt_s.
__device__ __forceinline__ float radiate(
    float temperature, float skin_per_m, float dt_s, Array<const float> material_in) {
  const float a = STEFAN_BOLTZMANN * material_in[MATERIAL_EMISSIVITY] * skin_per_m * dt_s /
                  (material_in[MATERIAL_DENSITY] * material_in[MATERIAL_SPECIFIC_HEAT]);
  const float ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE];
  if (temperature <= ambient) return temperature;
  float cooled = temperature * exp_f32(-THIRD * log_f32(ONE + THREE * a * (temperature * temperature * temperature)));
  cooled += a * (ambient * ambient * ambient * ambient);
  if (cooled < ambient) return ambient;
  if (cooled > temperature) return temperature;  // what is hotter than its surroundings does not heat up
  return cooled;
}
