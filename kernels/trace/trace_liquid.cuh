#include "trace_solid.cuh"
// Water's absorption and foam, what a ray does at its surface, and where there is none: the CUDA side of
// trace_liquid.py.

// A direction after a dielectric: whether it passed, and the weight of the choice.
struct WaterChoice {
  float3 d;
  bool passed;
  float weight;
};

// Transmittance (RGB) of t metres of water.
__device__ __forceinline__ float3 absorb(float t, const Words& look_in) {
  return make_float3(exp_f32(-look_in[LOOK_ABSORB_R] * t), exp_f32(-look_in[LOOK_ABSORB_R + 1] * t),
                     exp_f32(-look_in[LOOK_ABSORB_R + 2] * t));
}

// Share of water's surface that foam hides.
__device__ __forceinline__ float foam_cover(float value, const Words& look_in) {
  if (value <= ZERO) return ZERO;
  return ONE - exp_f32(-look_in[LOOK_FOAM_GAIN] * value);
}

// The solid that a ray inside the water meets at p instead of a surface; SOLID_PLANE is the open sea.
__device__ __forceinline__ int exit_kind(float3 p, int broken, const Words& look_in, const Words& trace_in,
                                         Array<const float> terrain_geometry, Array<const float> terrain,
                                         Array<const float> collider) {
  float near = NEAR_VOXELS * trace_in[TRACE_VOXEL];
  if (look_in[LOOK_FLOOR_ON] > ZERO && p.z - look_in[LOOK_FLOOR_Z] < near) return SOLID_FLOOR;
  if (terrain_geometry[3] > ZERO && p.z - height_at(terrain_geometry, terrain, p.x, p.y) < near) return SOLID_TERRAIN;
  if (trace_in[TRACE_HAS_COLLIDERS] > ZERO && visible_distance(collider, p.x, p.y, p.z) < near) return SOLID_COLLIDER;
  if (look_in[LOOK_PLANE_ON] > ZERO) {
    near = NEAR_CELLS * trace_in[TRACE_CELL];
    bool at_side = broken == 1 || p.z - trace_in[TRACE_LOW_Z] < near;
    at_side = at_side || (look_in[LOOK_MIRROR_X_LOW] == ZERO && p.x - trace_in[TRACE_LOW_X] < near);
    at_side = at_side || (look_in[LOOK_MIRROR_X_HIGH] == ZERO && trace_in[TRACE_HIGH_X] - p.x < near);
    at_side = at_side || (look_in[LOOK_MIRROR_Y_LOW] == ZERO && p.y - trace_in[TRACE_LOW_Y] < near);
    at_side = at_side || (look_in[LOOK_MIRROR_Y_HIGH] == ZERO && trace_in[TRACE_HIGH_Y] - p.y < near);
    if (at_side) return SOLID_PLANE;
  }
  return SOLID_NONE;
}

// Reflect or refract at a smooth dielectric by the number u. n faces the ray and may be tilted by ripples; g is the
// untilted normal. `even` raises the chance of reflection; the weight makes up for it.
__device__ __forceinline__ WaterChoice water_choice(float3 d, float3 n, float3 g, float eta, bool even, float u) {
  float cosine = -(d.x * n.x + d.y * n.y + d.z * n.z);
  if (cosine < COSINE_MIN) cosine = COSINE_MIN;
  if (cosine > ONE) cosine = ONE;
  Fresnel share = fresnel(cosine, eta);
  float reflectance = share.reflectance, cosine_out = share.cosine_out;
  float chance = reflectance;
  if (even) chance = reflectance + (ONE - reflectance) * REFLECT_SHARE;
  if (u < chance) {
    float weight = reflectance / chance;
    float rx = d.x + TWO * cosine * n.x, ry = d.y + TWO * cosine * n.y, rz = d.z + TWO * cosine * n.z;
    float above = rx * g.x + ry * g.y + rz * g.z;
    if (above < COSINE_MIN) {
      float lift = TWO * COSINE_MIN - above;
      rx = rx + lift * g.x;
      ry = ry + lift * g.y;
      rz = rz + lift * g.z;
    }
    return WaterChoice{normalise(rx, ry, rz), false, weight};
  }
  float weight = (ONE - reflectance) / (ONE - chance);
  float ratio = ONE / eta;
  float along = ratio * cosine - cosine_out;
  float rx = ratio * d.x + along * n.x, ry = ratio * d.y + along * n.y, rz = ratio * d.z + along * n.z;
  float above = rx * g.x + ry * g.y + rz * g.z;
  if (above > -COSINE_MIN) {
    float lift = TWO * COSINE_MIN + above;
    rx = rx - lift * g.x;
    ry = ry - lift * g.y;
    rz = rz - lift * g.z;
  }
  return WaterChoice{normalise(rx, ry, rz), true, weight};
}
