#include "trace_state.cuh"
// Rays against the liquid's level set in bricks: the CUDA side of trace_surface.py.

// First crossing, t = -1 without one; broken: the side changed without a surface.
struct SurfaceHit {
  float t;
  int broken;
};

// sign * phi around a root, both ends of the interval that holds it.
struct Bracket {
  float t_a, f_a, t_b, f_b;
};

// A ray in the voxels of one brick.
struct BrickRay {
  float lx, ly, lz, sx, sy, sz;
};

__device__ __forceinline__ float phi(Array<const float> value, int b, float x, float y, float z) {
  return brick_value(value, b, clamp_brick(x), clamp_brick(y), clamp_brick(z), 0);
}

__device__ __forceinline__ float phi_along(Array<const float> value, int b, const BrickRay& ray, float t) {
  return phi(value, b, ray.lx + ray.sx * t, ray.ly + ray.sy * t, ray.lz + ray.sz * t);
}

// Channel at a point: phi (m; a band's width where there is no brick) or heat/foam (0 there).
__device__ __forceinline__ float surface_at(float px, float py, float pz, int channel, float voxel,
                                            Array<const int> grid_in, Array<const int> table,
                                            Array<const float> value) {
  int nx = grid_in[0], ny = grid_in[1], nz = grid_in[2];
  float inverse = ONE / voxel;
  float x = px * inverse, y = py * inverse, z = pz * inverse;
  int i = brick_coordinate(x * 0.125f, nx);
  int j = brick_coordinate(y * 0.125f, ny);
  int k = brick_coordinate(z * 0.125f, nz);
  int b = load(table, (i * ny + j) * nz + k);
  if (b < 0) {
    if (channel == 1) return ZERO;
    return b == BRICK_INSIDE ? -BAND * voxel : BAND * voxel;
  }
  x = clamp_brick(x - EIGHT * (float)i);
  y = clamp_brick(y - EIGHT * (float)j);
  z = clamp_brick(z - EIGHT * (float)k);
  return brick_value(value, b, x, y, z, channel);
}

// Unit gradient of phi: central differences over one voxel. The loop over axes and the functions that are not inlined
// (fractal, visible_distance) keep the code small: instruction caches hold less than all of it.
__device__ __forceinline__ float3 surface_normal(float3 p, float voxel, Array<const int> grid_in,
                                                 Array<const int> table, Array<const float> value) {
  float h = voxel;
  float gx = ZERO, gy = ZERO, gz = ZERO;
#pragma unroll 1
  for (int axis = 0; axis < 3; ++axis) {
    bool x = axis == 0, y = axis == 1, z = axis == 2;
    float g = surface_at(x ? p.x + h : p.x, y ? p.y + h : p.y, z ? p.z + h : p.z, 0, voxel, grid_in, table, value) -
              surface_at(x ? p.x - h : p.x, y ? p.y - h : p.y, z ? p.z - h : p.z, 0, voxel, grid_in, table, value);
    if (x) gx = g;
    if (y) gy = g;
    if (z) gz = g;
  }
  float inverse = ONE / voxel;
  return normalise(gx * inverse, gy * inverse, gz * inverse);
}

// Root of sign * phi between t_a (f_a > 0) and t_b (f_b <= 0): Illinois steps, until one is within `close`.
__device__ __forceinline__ float refine(Array<const float> value, int b, const BrickRay& ray, float sign, float close,
                                        Bracket in) {
  float t = in.t_b;
  int side = 0;
#pragma unroll 1
  for (int n = 0; n < REFINEMENTS; ++n) {
    t = in.t_a + (in.t_b - in.t_a) * (in.f_a / (in.f_a - in.f_b));
    float f = sign * phi_along(value, b, ray, t);
    if (f > ZERO) {
      in.t_a = t;
      in.f_a = f;
      if (side == 1) in.f_b = in.f_b * HALF;
      side = 1;
    } else {
      in.t_b = t;
      in.f_b = f;
      if (side == -1) in.f_a = in.f_a * HALF;
      side = -1;
    }
    if (f < close && f > -close) break;
  }
  return t;
}

// The first crossing before t_end. Bricks without values cost one look-up each; threads meet again where they march.
__device__ __forceinline__ SurfaceHit surface_hit(float3 o, float3 d, float t_end, float sign, const Words& trace_in,
                                                  Array<const int> grid_in, Array<const int> table,
                                                  Array<const float> value, const Work& work) {
  SurfaceHit result{NO_HIT, 0};
  int nx = grid_in[0], ny = grid_in[1], nz = grid_in[2];
  float voxel = trace_in[TRACE_VOXEL];
  float edge = EIGHT * voxel;
  float3 inverse = make_float3(inverse_slope(d.x), inverse_slope(d.y), inverse_slope(d.z));
  Box box = clip_box(o, inverse, trace_in, TRACE_SURFACE_LOW, TRACE_SURFACE_HIGH, t_end);
  float t = box.t0, t1 = box.t1;
  if (t >= t1) {
    if (sign < ZERO && t_end > ZERO) {
      result.t = ZERO;
      result.broken = 1;
    }
    return result;
  }
  // Set up the walk: brick of the entry point, distance to the next brick plane on each axis
  float inverse_edge = ONE / edge;
  int i = brick_coordinate((o.x + d.x * t) * inverse_edge, nx);
  int j = brick_coordinate((o.y + d.y * t) * inverse_edge, ny);
  int k = brick_coordinate((o.z + d.z * t) * inverse_edge, nz);
  bool up_x = inverse.x > ZERO, up_y = inverse.y > ZERO, up_z = inverse.z > ZERO;
  float tx = (edge * (float)(up_x ? i + 1 : i) - o.x) * inverse.x;
  float ty = (edge * (float)(up_y ? j + 1 : j) - o.y) * inverse.y;
  float tz = (edge * (float)(up_z ? k + 1 : k) - o.z) * inverse.z;
  float inverse_voxel = ONE / voxel;
  BrickRay ray;
  ray.sx = d.x * inverse_voxel;
  ray.sy = d.y * inverse_voxel;
  ray.sz = d.z * inverse_voxel;
  float step_min = STEP_MIN * voxel;
  if (step_min < PROGRESS * t1) step_min = PROGRESS * t1;
  bool armed = false;  // a path that starts on the surface waits until it has clearly left it
  float f = FAR;
  bool known = false;
  int lookups = 0;
  while (true) {
    int b = load(table, (i * ny + j) * nz + k);
    float t_exit = tx;
    if (ty < t_exit) t_exit = ty;
    if (tz < t_exit) t_exit = tz;
    if (t1 < t_exit) t_exit = t1;
    if (t_exit < t) t_exit = t;
    work[WORK_SURFACE_BRICKS] += 1;
    if (b < 0) {
      bool outside = b != BRICK_INSIDE;
      if (outside == (sign > ZERO)) {
        armed = true;
      } else if (armed) {
        result.t = t;
        result.broken = 1;
        break;
      }
      known = false;
    } else {
      // March in this brick; its entry has the value of the last brick's exit, where that had values
      ray.lx = o.x * inverse_voxel - EIGHT * (float)i;
      ray.ly = o.y * inverse_voxel - EIGHT * (float)j;
      ray.lz = o.z * inverse_voxel - EIGHT * (float)k;
      bool first = !known;
      bool crossed = false;
      float t_last = t, f_last = f;
      while (true) {
        if (!known) {
          f = sign * phi_along(value, b, ray, t);
          lookups += 1;
          if (f > ZERO) {
            armed = true;
          } else if (armed) {
            crossed = true;
            break;
          }
        }
        known = false;
        if (t >= t_exit) {
          known = true;
          break;
        }
        first = false;
        t_last = t;
        f_last = f;
        float step = STEP_SHARE * (f > ZERO ? f : -f);
        if (step < step_min) step = step_min;
        t = t + step;
        if (t > t_exit) t = t_exit;
      }
      if (crossed) {
        result.t = t;
        if (!first && f_last > ZERO) {
          result.t = refine(value, b, ray, sign, CLOSE * voxel, Bracket{t_last, f_last, t, f});
          lookups += REFINEMENTS;
        }
        break;
      }
    }
    // Step to the next brick
    if (t_exit >= t1) {
      if (sign < ZERO && t1 < t_end) {
        result.t = t1;
        result.broken = 1;
      }
      break;
    }
    t = t_exit;
    bool left;  // the grid
    if (tx <= ty && tx <= tz) {
      i = up_x ? i + 1 : i - 1;
      left = i < 0 || i >= nx;
      tx = (edge * (float)(up_x ? i + 1 : i) - o.x) * inverse.x;
    } else if (ty <= tz) {
      j = up_y ? j + 1 : j - 1;
      left = j < 0 || j >= ny;
      ty = (edge * (float)(up_y ? j + 1 : j) - o.y) * inverse.y;
    } else {
      k = up_z ? k + 1 : k - 1;
      left = k < 0 || k >= nz;
      tz = (edge * (float)(up_z ? k + 1 : k) - o.z) * inverse.z;
    }
    if (left) {
      if (sign < ZERO) {
        result.t = t;
        result.broken = 1;
      }
      break;
    }
  }
  work[WORK_SURFACE_LOOKUPS] += lookups;
  return result;
}
