#include "trace_light.cuh"
#include "trace_shade.cuh"
// The radiance along one camera ray: the CUDA side of trace_path.py, one segment at a time.
//
// A thread holds one path. path_start() puts it at the camera; every trace_path() walks one segment, of the path or of
// a ray to the sun from its last event, until the path has ended. The caller may give a thread its next path at once.

// What does not change from path to path.
struct Depths {
  int max_depth, roulette_depth;
};

// 1 outside the liquid, -1 for a camera inside water, which is nowhere but in the box around all of it.
__device__ __forceinline__ float camera_sign(float3 o, const Scene& scene) {
  float3 low = words3(scene.trace_in, TRACE_SURFACE_LOW), high = words3(scene.trace_in, TRACE_SURFACE_HIGH);
  bool inside = o.x >= low.x && o.x <= high.x && o.y >= low.y && o.y <= high.y && o.z >= low.z && o.z <= high.z;
  bool water = inside && (int)scene.look_in[LOOK_LIQUID] == LIQUID_WATER;
  if (scene.trace_in[TRACE_HAS_SURFACE] > ZERO && water &&
      surface_at(o.x, o.y, o.z, 0, scene.trace_in[TRACE_VOXEL], scene.grid_in, scene.table, scene.value) < ZERO) {
    return -ONE;
  }
  return ONE;
}

// A stretch of water: absorption, and its own light, a constant source function.
__device__ __forceinline__ void pass_water(float t, const Words& look_in, const Held& held) {
  float3 a = absorb(t, look_in);
  float3 light = held3(held, HELD_LIGHT), throughput = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + throughput.x * (ONE - a.x) * look_in[LOOK_WATER_R],
        light.y + throughput.y * (ONE - a.y) * look_in[LOOK_WATER_R + 1],
        light.z + throughput.z * (ONE - a.z) * look_in[LOOK_WATER_R + 2]);
  hold3(held, HELD_THROUGHPUT, throughput.x * a.x, throughput.y * a.y, throughput.z * a.z);
}

// A stretch of hazy air, of the given radiance: it hides a share, and sends its own light.
__device__ __forceinline__ void pass_air(float ran, float3 radiance, const Words& look_in, const Held& held) {
  float share = haze(ran, look_in);
  add_light(held, radiance, share);
  scale3(held, HELD_THROUGHPUT, ONE - share);
}

// The path leaves for the sky, of the given radiance in its direction.
__device__ __forceinline__ void escape(const Path& path, float3 radiance, const Words& sky_in, const Held& held) {
  if (path.clear && sky_in[SKY_SUN_COS] < ONE && in_sun(flipped(path.ray.d, held), sky_in)) {
    radiance = make_float3(radiance.x + sky_in[SKY_SUN_R], radiance.y + sky_in[SKY_SUN_R + 1],
                           radiance.z + sky_in[SKY_SUN_R + 2]);
  }
  add_light(held, radiance);
}

// The ray goes on behind a mirror wall, in the folded space.
__device__ __forceinline__ void fold(int axis, float3 p, Path& path, const Held& held) {
  path.ray.o = p;
  if (axis == 0) {
    path.ray.d.x = -path.ray.d.x;
    held[HELD_FLIP_X] = -held[HELD_FLIP_X];
  } else {
    path.ray.d.y = -path.ray.d.y;
    held[HELD_FLIP_Y] = -held[HELD_FLIP_Y];
  }
  path.ray.folds = path.ray.folds + ONE;
}

// Russian roulette for a throughput below one bound, by its share of another; false ends the path.
__device__ __forceinline__ bool roulette(float below, float full, Draws& draws, const Held& held) {
  float most = largest(held3(held, HELD_THROUGHPUT));
  if (most < below) {
    float a = draw(draws).x;
    if (a * full >= most) return false;
    scale3(held, HELD_THROUGHPUT, full / most);
  }
  return true;
}

// The same once a path is long.
__device__ __forceinline__ bool roulette_when_long(Depths limits, Draws& draws, const Held& held) {
  return held[HELD_DEPTH] < (float)limits.roulette_depth || roulette(SURVIVE_MAX, ONE, draws, held);
}

// A new direction: by the fog's phase function about the old one, else by cosine about the normal.
__device__ __forceinline__ float3 sample_direction(const Bounce& bounce, float3 d, const Words& look_in, float u,
                                                   float v) {
  float3 axis = bounce.n;
  float sine, cosine;
  if (bounce.kind == BOUNCE_PHASE) {
    axis = d;
    cosine = phase_cosine(look_in[LOOK_FOG_PHASE], u);
    sine = sqrtf(ONE - cosine * cosine);
  } else {
    sine = sqrtf(u);
    cosine = sqrtf(ONE - u);
  }
  return around(axis, sine, cosine, TWO_PI * v);
}

// Walk one segment; false when the path has ended.
__device__ __forceinline__ bool trace_path(Path& path, Depths limits, const Words& sky_in, const Table& glow_lut_in,
                                           const Scene& scene, Draws& draws, const Held& held,
                                           const Work& work) {
  const Words& look_in = scene.look_in;
  float voxel = scene.trace_in[TRACE_VOXEL];
  bool to_sun = path.to_sun;
  Segment end = next_event(path.ray, to_sun, scene, draws, work);
  float3 p = along(path.ray, end.t_end);
  Bounce bounce{BOUNCE_SPECULAR, make_float3(ZERO, ZERO, ONE), make_float3(ONE, ONE, ONE)};
  float other = ZERO;
  bool liquid = end.event == EVENT_LIQUID;
  if (liquid) {
    bounce.n = surface_normal(p, voxel, scene.grid_in, scene.table, scene.value);
    other = surface_at(p.x, p.y, p.z, 1, voxel, scene.grid_in, scene.table, scene.value);
  }
  if (to_sun) {
    bool on = sun_transmittance(scene, end, p, bounce.n, other, path.ray, held, HELD_SUN);
    held[HELD_SUN_LEFT] = held[HELD_SUN_LEFT] - ONE;
    if (on && held[HELD_SUN_LEFT] > ZERO) return true;
    if (on) hold3(held, HELD_SUN, ZERO, ZERO, ZERO);
    add_sun_light(path, sky_in, held);
    return roulette_when_long(limits, draws, held);
  }
  if (path.ray.sign < ZERO && end.t_end < FAR) pass_water(end.t_end, look_in, held);
  bool escapes = end.event == EVENT_SKY, met = !escapes && end.event != EVENT_MIRROR;
  bool hazy = met && look_in[LOOK_HAZE] > ZERO && path.ray.sign > ZERO;
  float3 radiance = make_float3(ZERO, ZERO, ZERO);
  if (escapes || hazy) {
    float3 d = flipped(path.ray.d, held);
    radiance = sky_radiance(make_float3(d.x, d.y, escapes ? d.z : ZERO), sky_in, look_in);
  }
  if (escapes) {
    escape(path, radiance, sky_in, held);
    return false;
  }
  float travelled = held[HELD_RAN] + end.t_end;
  held[HELD_RAN] = met ? ZERO : travelled;
  if (!met) {
    fold(end.axis, p, path, held);
    return roulette(FADED, FADED, draws, held);
  }
  if (held[HELD_ALPHA] == ZERO) {
    held[HELD_ALPHA] = ONE;
    held[HELD_FIRST] = travelled;
  }
  if (hazy) pass_air(travelled, radiance, look_in, held);
  int solid = end.solid;
  if (liquid && path.ray.sign < ZERO) {
    // Water that meets ground, or the open sea around the domain, has no surface there
    solid = exit_kind(p, end.broken, look_in, scene.trace_in, scene.terrain_geometry, scene.terrain, scene.collider);
    float step = OFFSET * voxel;
    if (solid == SOLID_PLANE) {
      add_light(held, words3(look_in, LOOK_PLANE_R));
      return false;
    }
    if (solid == SOLID_NONE && end.broken == 1) {
      path.ray.sign = ONE;
      path.ray.o = moved(p, path.ray.d, step);
      return true;
    }
    // Stay in the water, just before the crossing
    if (solid != SOLID_NONE) p = make_float3(p.x - bounce.n.x * step, p.y - bounce.n.y * step, p.z - bounce.n.z * step);
  }
  if (end.event == EVENT_FOG) {
    work[WORK_SCATTERS] += 1;
    shade_fog(p, path, scene, glow_lut_in, bounce, held);
  } else {
    work[WORK_SURFACE_HITS] += 1;
    bool sea = solid == SOLID_PLANE;
    if (solid != SOLID_NONE && !sea) {
      shade_solid(solid, liquid, p, path, scene, bounce);
    } else {
      shade_liquid(sea, p, path, other, travelled, scene, glow_lut_in, draws, bounce, held);
    }
  }
  held[HELD_DEPTH] = held[HELD_DEPTH] + ONE;
  if (bounce.kind == BOUNCE_NONE || held[HELD_DEPTH] >= (float)limits.max_depth) return false;
  if (bounce.kind != BOUNCE_SPECULAR) {
    float3 t = held3(held, HELD_THROUGHPUT);
    hold3(held, HELD_THROUGHPUT, t.x * bounce.albedo.x, t.y * bounce.albedo.y, t.z * bounce.albedo.z);
    path.clear = false;
    float u = end.u, v = end.v;
    if (bounce.kind != BOUNCE_PHASE) {
      float4 number = draw(draws);
      u = number.z;
      v = number.w;
    }
    float3 s = path.ray.d;
    if (sky_in[SKY_SUN_COS] < ONE) sun_light(path, bounce, sky_in, look_in, draws, held, s);
    path.ray.d = sample_direction(bounce, path.ray.d, look_in, u, v);
    if (path.to_sun) {
      leave_for_sun(path, s, held);
      return true;
    }
  }
  return roulette_when_long(limits, draws, held);
}
