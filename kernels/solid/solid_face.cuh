#include "common.cuh"

// Faces of colliders, and how much of a node they leave free. See solid_face.py.

// Outward normal of a collider's nearest face, 0 where there is none; thickness of the solid behind it (m).
struct Face {
  float x, y, z, thickness;
};

// A vector at length 1; 0 where it has no direction.
__device__ __forceinline__ float3 away(float x, float y, float z) {
  float length = sqrtf(x * x + y * y + z * z);
  if (length < SHORTEST) return make_float3(ZERO, ZERO, ZERO);
  return make_float3(x / length, y / length, z / length);
}

// The lower or upper limit only where it is beyond: what is not a number stays.
__device__ __forceinline__ float at_least(float x, float low) { return low > x ? low : x; }
__device__ __forceinline__ float clamped(float x) {
  x = at_least(x, ZERO);
  return ONE < x ? ONE : x;
}

__device__ __forceinline__ float sign_of(float x) { return x < ZERO ? -ONE : ONE; }

// The nearest face of collider `c`.
__device__ __forceinline__ Face collider_normal_one(Array<const float> collider_in, int c, float x, float y, float z) {
  long long row = (long long)c * COLLIDER_WORDS;
  long long a = row + COLLIDER_A, b = row + COLLIDER_B;
  int kind = (int)collider_in[row + COLLIDER_KIND];
  float px = x - collider_in[a];
  float py = y - collider_in[a + 1];
  float pz = z - collider_in[a + 2];
  if (kind == COLLIDER_SPHERE) {
    float3 n = away(px, py, pz);
    return Face{n.x, n.y, n.z, TWO * collider_in[b]};
  }
  if (kind == COLLIDER_CAPSULE) {
    float bx = collider_in[b] - collider_in[a];
    float by = collider_in[b + 1] - collider_in[a + 1];
    float bz = collider_in[b + 2] - collider_in[a + 2];
    float h = clamped((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + SHORTEST));
    float3 n = away(px - bx * h, py - by * h, pz - bz * h);
    return Face{n.x, n.y, n.z, TWO * collider_in[row + COLLIDER_C]};
  }
  if (kind == COLLIDER_VESSEL) {
    float3 n = away(-px, -py, ZERO);
    return Face{n.x, n.y, n.z, UNBOUNDED};
  }
  float rounding = collider_in[row + COLLIDER_C];
  float half_x = collider_in[b], half_y = UNBOUNDED, half_z = collider_in[b + 2];
  float qx, qy, qz = fabsf(pz) - (half_z - rounding);
  float3 across_x, across_y = make_float3(ZERO, ZERO, ZERO);
  if (kind == COLLIDER_BOX) {
    half_y = collider_in[b + 1];
    qx = fabsf(px) - (half_x - rounding);
    qy = fabsf(py) - (half_y - rounding);
    across_x = make_float3(sign_of(px), ZERO, ZERO);
    across_y = make_float3(ZERO, sign_of(py), ZERO);
  } else {  // COLLIDER_CYLINDER: across the axis it has one direction
    qx = sqrtf(px * px + py * py) - (half_x - rounding);
    qy = -UNBOUNDED;
    across_x = away(px, py, ZERO);
  }
  bool by_x = qx >= qy && qx >= qz, by_y = qy >= qz;
  float half = by_x ? half_x : by_y ? half_y : half_z;
  float3 n;
  if (qx > ZERO || qy > ZERO || qz > ZERO) {
    // Outside: away from the nearest point, which is on a face, an edge or a corner
    float ux = at_least(qx, ZERO), uy = at_least(qy, ZERO), uz = at_least(qz, ZERO);
    n = away(ux * across_x.x + uy * across_y.x, ux * across_x.y + uy * across_y.y, uz * sign_of(pz));
  } else if (by_x) {
    n = make_float3(across_x.x, across_x.y, ZERO);
  } else if (by_y) {
    n = across_y;
  } else {
    n = make_float3(ZERO, ZERO, sign_of(pz));
  }
  return Face{n.x, n.y, n.z, TWO * half};
}

// A velocity along an axis, without what goes in by a face at +-half that is no farther than `deep`.
__device__ __forceinline__ float kept_out_along(float p, float half, float deep, float v) {
  return half - fabsf(p) <= deep && v * p < ZERO ? ZERO : v;
}

// Velocity at a node inside a box or cylinder without what goes in by any face no farther than `deep` (m).
__device__ __forceinline__ float3 kept_out(
    Array<const float> collider_in, int c, float deep, float x, float y, float z, float3 v) {
  long long row = (long long)c * COLLIDER_WORDS;
  int kind = (int)collider_in[row + COLLIDER_KIND];
  if (kind != COLLIDER_BOX && kind != COLLIDER_CYLINDER) return v;
  float px = x - collider_in[row + COLLIDER_A];
  float py = y - collider_in[row + COLLIDER_A + 1];
  float pz = z - collider_in[row + COLLIDER_A + 2];
  float half_x = collider_in[row + COLLIDER_B], half_z = collider_in[row + COLLIDER_B + 2];
  float edge = deep * SIXTEENTH;
  if (fabsf(pz) > half_z + edge) return v;
  if (kind == COLLIDER_BOX) {
    float half_y = collider_in[row + COLLIDER_B + 1];
    if (fabsf(px) <= half_x + edge && fabsf(py) <= half_y + edge) {
      v.x = kept_out_along(px, half_x, deep, v.x);
      v.y = kept_out_along(py, half_y, deep, v.y);
      v.z = kept_out_along(pz, half_z, deep, v.z);
    }
    return v;
  }
  float r = sqrtf(px * px + py * py);
  if (r <= half_x + edge) {
    v.z = kept_out_along(pz, half_z, deep, v.z);
    float3 across = away(px, py, ZERO);
    float inward = v.x * across.x + v.y * across.y;
    if (half_x - r <= deep && inward < ZERO) {
      v.x = v.x - inward * across.x;
      v.y = v.y - inward * across.y;
    }
  }
  return v;
}

// Share of a node's B-spline outside a solid whose flat face is `t` cells away; negative: the node is inside.
__device__ __forceinline__ float free_share(float t) {
  if (t >= ONE_AND_A_HALF) return ONE;
  if (t >= HALF) {
    float u = ONE_AND_A_HALF - t;
    return ONE - u * u * u * SIXTH;
  }
  if (t >= -HALF) return HALF + t * (THREE_QUARTERS - t * t * THIRD);
  if (t > -ONE_AND_A_HALF) {
    float u = t + ONE_AND_A_HALF;
    return u * u * u * SIXTH;
  }
  return ZERO;
}
