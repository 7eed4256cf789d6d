#include "trace_math.cuh"
// Free flight and transmittance in the fog: the CUDA side of trace_volume.py.

// The first real collision, t = -1 without one; weight: an estimate of the transmittance; next draw, two uniform
// numbers, and what the walk cost.
struct FogWalk {
  float t, weight, u, v;
  unsigned dim;
  int bricks, collisions;
};

__device__ __forceinline__ float fog(Array<const float> value, int b, float x, float y, float z, int channel) {
  return brick_value(value, b, clamp_brick(x), clamp_brick(y), clamp_brick(z), channel);
}

// Channel of the fog at a point; 0 where there is no brick.
__device__ __forceinline__ float fog_at(float3 p, int channel, float voxel, Array<const int> grid_in,
                                        Array<const int> table, Array<const float> value) {
  int nx = grid_in[3], ny = grid_in[4], nz = grid_in[5];
  float inverse = ONE / voxel;
  float x = p.x * inverse, y = p.y * inverse, z = p.z * inverse;
  int i = brick_coordinate(x * 0.125f, nx);
  int j = brick_coordinate(y * 0.125f, ny);
  int k = brick_coordinate(z * 0.125f, nz);
  int b = load(table, (i * ny + j) * nz + k);
  if (b < 0) return ZERO;
  return fog(value, b, x - EIGHT * (float)i, y - EIGHT * (float)j, z - EIGHT * (float)k, channel);
}

// Walk to the first real collision before t_end; with `ratio` there is none, and the weight falls instead.
__device__ __forceinline__ FogWalk fog_walk(float3 o, float3 d, float t_end, bool ratio, float gain,
                                            const Words& trace_in, Array<const int> grid_in, Array<const int> table,
                                            Array<const float> value, Array<const float> majorant, unsigned pixel,
                                            unsigned sample, unsigned dim, unsigned seed) {
  FogWalk result{NO_HIT, ONE, ZERO, ZERO, dim, 0, 0};
  int nx = grid_in[3], ny = grid_in[4], nz = grid_in[5];
  float voxel = trace_in[TRACE_FOG_VOXEL];
  float edge = EIGHT * voxel;
  float3 inverse = make_float3(inverse_slope(d.x), inverse_slope(d.y), inverse_slope(d.z));
  Box box = clip_box(o, inverse, trace_in, TRACE_FOG_LOW, TRACE_FOG_HIGH, t_end);
  float t = box.t0, t1 = box.t1;
  if (t >= t1) return result;
  float inverse_edge = ONE / edge;
  int i = brick_coordinate((o.x + d.x * t) * inverse_edge, nx);
  int j = brick_coordinate((o.y + d.y * t) * inverse_edge, ny);
  int k = brick_coordinate((o.z + d.z * t) * inverse_edge, nz);
  bool up_x = inverse.x > ZERO, up_y = inverse.y > ZERO, up_z = inverse.z > ZERO;
  float tx = (edge * (float)(up_x ? i + 1 : i) - o.x) * inverse.x;
  float ty = (edge * (float)(up_y ? j + 1 : j) - o.y) * inverse.y;
  float tz = (edge * (float)(up_z ? k + 1 : k) - o.z) * inverse.z;
  float inverse_voxel = ONE / voxel;
  float px = o.x * inverse_voxel, py = o.y * inverse_voxel, pz = o.z * inverse_voxel;
  float sx = d.x * inverse_voxel, sy = d.y * inverse_voxel, sz = d.z * inverse_voxel;
  float u = ZERO;
  float depth = NO_HIT;  // optical depth still to go, in units of the local majorant; drawn in the first brick with fog
  while (true) {
    int b = load(table, (i * ny + j) * nz + k);
    float t_exit = tx;
    if (ty < t_exit) t_exit = ty;
    if (tz < t_exit) t_exit = tz;
    if (t1 < t_exit) t_exit = t1;
    result.bricks += 1;
    if (b >= 0) {
      float m = load(majorant, b) * gain;
      float densest = DENSEST * bits_float(RECIPROCAL - float_bits(t1));
      if (m > densest) m = densest;  // see trace_volume.py
      bool draw = depth < ZERO;
      float lx = px - EIGHT * (float)i, ly = py - EIGHT * (float)j, lz = pz - EIGHT * (float)k;
      bool done = false;
      while (true) {
        if (draw) {
          float4 number = random4(pixel, sample, result.dim, seed);
          result.dim += U1;
          u = number.y;
          result.u = number.z;
          result.v = number.w;
          depth = -log_f32(ONE - number.x);
        }
        float ahead = m * (t_exit - t);
        if (depth >= ahead) {
          if (ahead > ZERO) depth = depth - ahead;
          break;
        }
        t = t + depth / m;
        result.collisions += 1;
        float extinction = gain * fog(value, b, lx + sx * t, ly + sy * t, lz + sz * t, 0);
        if (ratio) {
          result.weight = result.weight * (ONE - extinction / m);
          if (result.weight < TRANSMITTANCE_MIN) {
            if (u >= result.weight / TRANSMITTANCE_MIN) {
              result.weight = ZERO;
              done = true;
              break;
            }
            result.weight = TRANSMITTANCE_MIN;
          }
        } else if (u * m < extinction) {
          result.t = t;
          done = true;
          break;
        }
        draw = true;
      }
      if (done) break;
    }
    if (t_exit >= t1) break;
    t = t_exit;
    if (tx <= ty && tx <= tz) {
      i = up_x ? i + 1 : i - 1;
      if (i < 0 || i >= nx) break;
      tx = (edge * (float)(up_x ? i + 1 : i) - o.x) * inverse.x;
    } else if (ty <= tz) {
      j = up_y ? j + 1 : j - 1;
      if (j < 0 || j >= ny) break;
      ty = (edge * (float)(up_y ? j + 1 : j) - o.y) * inverse.y;
    } else {
      k = up_z ? k + 1 : k - 1;
      if (k < 0 || k >= nz) break;
      tz = (edge * (float)(up_z ? k + 1 : k) - o.z) * inverse.z;
    }
  }
  return result;
}
