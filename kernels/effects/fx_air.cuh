#include "common.cuh"
#include "mpm_collide.cuh"

// What effects particles feel around them: the liquid's grid, the air, chance. See fx_air.py.

// x y z: velocity of the liquid's grid at a point, w: its mass in particle masses.
__device__ __forceinline__ float4 liquid_at(
    float x, float y, float z, float cell_size_m, int blocks_x, int blocks_y, int blocks_z, Array<const int> slot_in,
    Array<const float> node_in) {
  const float gx = x / cell_size_m, gy = y / cell_size_m, gz = z / cell_size_m;
  // Without a node in reach there is nothing; NaN and numbers beyond int are not asked further
  const bool inside = gx >= -ONE && gx < (float)(blocks_x * 4) && gy >= -ONE && gy < (float)(blocks_y * 4);
  if (!(inside && gz >= -ONE && gz < (float)(blocks_z * 4))) return make_float4(ZERO, ZERO, ZERO, ZERO);
  const int i = floor_int(gx), j = floor_int(gy), k = floor_int(gz);
  const float fx = gx - (float)i, fy = gy - (float)j, fz = gz - (float)k;
  float u = ZERO, v = ZERO, w = ZERO, mass = ZERO;
#pragma unroll
  for (int a = 0; a < 2; a++) {
    const float wa = a == 1 ? fx : ONE - fx;
    const int bi = (i + a) >> 2;
#pragma unroll
    for (int b = 0; b < 2; b++) {
      const float wb = wa * (b == 1 ? fy : ONE - fy);
      const int bj = (j + b) >> 2;
#pragma unroll
      for (int c = 0; c < 2; c++) {
        const int bk = (k + c) >> 2;
        if (bi < 0 || bj < 0 || bk < 0 || bi >= blocks_x || bj >= blocks_y || bk >= blocks_z) continue;
        const int s = load(slot_in, (bi * blocks_y + bj) * blocks_z + bk);
        if (s < 0) continue;
        const int n = (((i + a) & 3) * 4 + ((j + b) & 3)) * 4 + ((k + c) & 3);
        const float4 node = load4(node_in, ((long long)s * BLOCK_NODES + n) * NODE_WORDS);
        const float m = node.w * wb * (c == 1 ? fz : ONE - fz);
        u += m * node.x;
        v += m * node.y;
        w += m * node.z;
        mass += m;
      }
    }
  }
  if (mass > ZERO) return make_float4(u / mass, v / mass, w / mass, mass);
  return make_float4(ZERO, ZERO, ZERO, ZERO);
}

// Share of a full cell that a node mass (in particle masses) stands for.
__device__ __forceinline__ float cell_fill(float mass, float cell_size_m, Array<const float> material_in) {
  return mass * material_in[MATERIAL_PARTICLE_VOLUME] / (cell_size_m * cell_size_m * cell_size_m);
}

// Arnold-Beltrami-Childress flow, free of divergence, moving with t.
__device__ __forceinline__ float3 eddy(float x, float y, float z, float t) {
  const float2 turn_x = sin_cos_f32(x + t);
  const float2 turn_y = sin_cos_f32(y * AXIS_B - t);
  const float2 turn_z = sin_cos_f32(z * AXIS_C + t * AXIS_B);
  return make_float3(turn_z.x + turn_y.y, turn_x.x + turn_z.y, turn_y.x + turn_x.y);
}

// Velocity of the air: a share of the driven vortex, and two octaves of turbulence.
__device__ __forceinline__ float3 air_velocity(
    float x, float y, float z, float cell_size_m, float time_s, Array<const float> effect_params_in,
    Array<const float> force_in) {
  float3 air = make_float3(ZERO, ZERO, ZERO);
  const float strength = effect_params_in[EFFECT_PARAM_TURBULENCE];
  if (strength > ZERO) {
    float scale = EDDY_CELLS / cell_size_m;
    const float t = EDDY_RATE * time_s;
    const float3 large = eddy(x * scale, y * scale, z * scale, t);
    scale *= EDDY_RATIO;
    const float3 small = eddy(x * scale, y * scale, z * scale, t * EDDY_RATIO);
    air.x = strength * (large.x + HALF_STRENGTH * small.x);
    air.y = strength * (large.y + HALF_STRENGTH * small.y);
    air.z = strength * (large.z + HALF_STRENGTH * small.z);
  }
  if (force_in[VORTEX_ON] != ZERO && effect_params_in[EFFECT_PARAM_WIND] > ZERO) {
    const VortexTarget target = vortex_target(force_in, time_s, x, y, z);
    const float share = effect_params_in[EFFECT_PARAM_WIND] * target.weight;
    air.x += share * target.u;
    air.y += share * target.v;
    air.z += share * target.w;
  }
  return air;
}

// Four floats in [0, 1) for a particle's index, the frame, and what they are drawn for.
__device__ __forceinline__ float4 chance(long long index, long long frame, long long stream, long long seed) {
  const uint4 word = pcg4d((unsigned)index, (unsigned)frame, (unsigned)stream, (unsigned)seed);
  return make_float4(unit_float(word.x), unit_float(word.y), unit_float(word.z), unit_float(word.w));
}

// [0, 1) to [-1, 1).
__device__ __forceinline__ float signed_share(float u) { return TWO * u - ONE; }
