#include "trace_math.cuh"
#include "mpm_collide.cuh"
// Rays against what does not move: the CUDA side of trace_solid.py.

// Distance along a ray and what is there.
struct SolidHit {
  float t;
  int kind;
};

// Height of the terrain, m.
__device__ __forceinline__ float height_at(Array<const float> terrain_geometry_in, Array<const float> terrain_in,
                                           float x, float y) {
  return terrain_height(terrain_geometry_in, terrain_in, x, y);
}

// Distance to the terrain, or -1.
__device__ __forceinline__ float terrain_hit(float3 o, float3 d, float t_end, const Words& trace_in,
                                             Array<const float> terrain_geometry_in, Array<const float> terrain_in) {
  float spacing = terrain_geometry_in[2];
  // Clip to the terrain's extent and to the layer of heights that it has
  float low = trace_in[TRACE_TERRAIN_LOW] - spacing, high = trace_in[TRACE_TERRAIN_HIGH];
  float ix = inverse_slope(d.x), iy = inverse_slope(d.y), iz = inverse_slope(d.z);
  float x0 = terrain_geometry_in[0] - o.x, y0 = terrain_geometry_in[1] - o.y;
  float x1 = x0 + spacing * (float)(terrain_in.shape0 - 1);
  float y1 = y0 + spacing * (float)(terrain_in.shape1 - 1);
  Box box{ZERO, t_end};
  box = clip_axis(box, x0 * ix, x1 * ix);
  box = clip_axis(box, y0 * iy, y1 * iy);
  box = clip_axis(box, (low - o.z) * iz, (high - o.z) * iz);
  float t = box.t0, t1 = box.t1;
  if (t >= t1) return NO_HIT;
  float rate = trace_in[TRACE_TERRAIN_SLOPE] * sqrtf(d.x * d.x + d.y * d.y) - d.z;
  if (rate < 1.0e-6f) rate = 1.0e-6f;
  float inverse_rate = ONE / rate;
  float step_min = TERRAIN_STEP_MIN * spacing;
  if (step_min < PROGRESS * t1) step_min = PROGRESS * t1;
  bool armed = false;
  float t_last = t, f_last = ZERO, f;
  while (true) {
    f = o.z + d.z * t - height_at(terrain_geometry_in, terrain_in, o.x + d.x * t, o.y + d.y * t);
    if (f > ZERO) {
      armed = true;
    } else if (armed) {
      break;
    }
    if (t >= t1) return NO_HIT;
    t_last = t;
    f_last = f;
    float step = f * inverse_rate;
    if (step < step_min) step = step_min;
    t = t + step;
    if (t > t1) t = t1;
  }
  if (f_last <= ZERO) return t;
  // Refine, false position and bisection in turn
  float t_a = t_last, f_a = f_last, t_b = t, f_b = f;
#pragma unroll 1
  for (int n = 0; n < TERRAIN_REFINEMENTS; ++n) {
    if (n & 1) {
      t = HALF * (t_a + t_b);
    } else {
      t = t_a + (t_b - t_a) * (f_a / (f_a - f_b));
    }
    f = o.z + d.z * t - height_at(terrain_geometry_in, terrain_in, o.x + d.x * t, o.y + d.y * t);
    if (f > ZERO) {
      t_a = t;
      f_a = f;
    } else {
      t_b = t;
      f_b = f;
    }
  }
  return t_a;
}

// Signed distance to the nearest collider that is drawn.
__device__ __noinline__ float visible_distance(Array<const float> collider_in, float x, float y, float z) {
  float nearest = FAR;
#pragma unroll 1
  for (int c = 0; c < (int)collider_in.shape0; ++c) {
    if ((int)collider_in[(long long)c * COLLIDER_WORDS + COLLIDER_KIND] != COLLIDER_VESSEL) {
      float d = collider_distance_one(collider_in, c, x, y, z);
      if (d < nearest) nearest = d;
    }
  }
  return nearest;
}

// Distance to the nearest collider, or -1.
__device__ __forceinline__ float collider_hit(float3 o, float3 d, float t_end, float touch,
                                              Array<const float> collider_in) {
  float t = ZERO;
  bool armed = false;
#pragma unroll 1
  for (int n = 0; n < SPHERE_STEPS; ++n) {
    float distance = visible_distance(collider_in, o.x + d.x * t, o.y + d.y * t, o.z + d.z * t);
    if (distance > touch) {
      armed = true;
    } else if (armed) {
      return t;
    }
    if (distance > 1.0e6f) return NO_HIT;
    t = t + (distance > touch ? distance : touch);
    if (t >= t_end) return NO_HIT;
  }
  return NO_HIT;
}

// Unit normal of a solid at a point of its surface; h: half the step of the central differences, m.
__device__ __forceinline__ float3 solid_normal(int kind, float3 p, float h, Array<const float> terrain_geometry_in,
                                               Array<const float> terrain_in, Array<const float> collider_in) {
  if (kind == SOLID_TERRAIN) {
    float s = HALF * terrain_geometry_in[2];
    float gx = height_at(terrain_geometry_in, terrain_in, p.x + s, p.y) -
               height_at(terrain_geometry_in, terrain_in, p.x - s, p.y);
    float gy = height_at(terrain_geometry_in, terrain_in, p.x, p.y + s) -
               height_at(terrain_geometry_in, terrain_in, p.x, p.y - s);
    return normalise(-gx, -gy, s + s);
  }
  if (kind == SOLID_COLLIDER) {
    float gx = ZERO, gy = ZERO, gz = ZERO;
#pragma unroll 1
    for (int axis = 0; axis < 3; ++axis) {
      float hx = axis == 0 ? h : ZERO, hy = axis == 1 ? h : ZERO, hz = axis == 2 ? h : ZERO;
      float g = visible_distance(collider_in, p.x + hx, p.y + hy, p.z + hz) -
                visible_distance(collider_in, p.x - hx, p.y - hy, p.z - hz);
      if (axis == 0) gx = g;
      if (axis == 1) gy = g;
      if (axis == 2) gz = g;
    }
    float inverse = ONE / h;
    return normalise(gx * inverse, gy * inverse, gz * inverse);
  }
  return make_float3(ZERO, ZERO, ONE);
}

// The nearest solid but terrain before t_end; SOLID_NONE and t_end without one. `beyond`: the path has used up its
// mirrorings, the plane then lies everywhere and nothing else does.
__device__ __forceinline__ SolidHit solid_hit(float3 o, float3 d, float t_end, bool beyond, const Words& look_in,
                                              const Words& trace_in, Array<const float> collider_in) {
  int kind = SOLID_NONE;
  if (d.z < -NEAR_PLANE) {
    if (look_in[LOOK_FLOOR_ON] > ZERO) {
      float t = (look_in[LOOK_FLOOR_Z] - o.z) / d.z;
      if (t > ZERO && t < t_end) {
        t_end = t;
        kind = SOLID_FLOOR;
      }
    }
    if (look_in[LOOK_PLANE_ON] > ZERO) {
      float t = (look_in[LOOK_PLANE_Z] - o.z) / d.z;
      if (t > ZERO && t < t_end) {
        float x = o.x + d.x * t, y = o.y + d.y * t;
        bool outside = x < trace_in[TRACE_LOW_X] || x > trace_in[TRACE_HIGH_X];
        outside = outside || y < trace_in[TRACE_LOW_Y] || y > trace_in[TRACE_HIGH_Y];
        if (outside || beyond) {
          t_end = t;
          kind = SOLID_PLANE;
        }
      }
    }
  }
  if (beyond) return SolidHit{t_end, kind};
  if (trace_in[TRACE_HAS_COLLIDERS] > ZERO) {
    float t = collider_hit(o, d, t_end, TOUCH * trace_in[TRACE_VOXEL], collider_in);
    if (t >= ZERO) {
      t_end = t;
      kind = SOLID_COLLIDER;
    }
  }
  return SolidHit{t_end, kind};
}
