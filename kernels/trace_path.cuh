#include "trace_light.cuh"
// The radiance along one camera ray: the CUDA side of trace_path.py, one segment at a time.
//
// A thread holds one path. path_start() puts it at the camera; every trace_path() walks one segment, of the path or of
// a ray to the sun from its last event, until the path has ended. The caller may give a thread its next path at once.

// A path between two segments.
struct Path {
  Ray ray;      // of the next segment
  Ray next;     // while a ray to the sun is under way: where the path goes on
  int to_sun;   // segments that the ray to the sun may still walk; 0: none is under way
  float share;  // of the sun's light that the path's last event sends on
  float3 sun;   // share of it that arrives
  float3 light, throughput;
  int depth;
  float fx, fy;        // -1: mirrored axis
  float ran;           // distance since the last event, across mirrors
  float alpha, first;  // whether anything was met, and at what distance
  bool clear;          // nothing but clear water and mirrors so far
};

// What does not change from path to path.
struct Depths {
  int max_depth, roulette_depth;
};

// What an event asks for: its kind, albedo, normal, and two uniform numbers for the new direction.
struct Event {
  int kind;
  float3 albedo, n;
  float u, v;
};

__device__ __forceinline__ float most_of(float3 a) {
  float most = a.x > a.y ? a.x : a.y;
  return a.z > most ? a.z : most;
}

// A direction of the folded space in the world.
__device__ __forceinline__ float3 flipped(float3 d, float fx, float fy) {
  return make_float3(d.x * fx, d.y * fy, d.z);
}

__device__ __forceinline__ float3 scaled(float3 a, float factor) {
  return make_float3(a.x * factor, a.y * factor, a.z * factor);
}

// p + n * step
__device__ __forceinline__ float3 moved(float3 p, float3 n, float step) {
  return make_float3(p.x + n.x * step, p.y + n.y * step, p.z + n.z * step);
}

// light + throughput * b
__device__ __forceinline__ void add_light(Path& path, float3 b) {
  path.light.x = path.light.x + path.throughput.x * b.x;
  path.light.y = path.light.y + path.throughput.y * b.y;
  path.light.z = path.light.z + path.throughput.z * b.z;
}

// light + throughput * b * c
__device__ __forceinline__ void add_light(Path& path, float3 b, float c) {
  path.light.x = path.light.x + path.throughput.x * b.x * c;
  path.light.y = path.light.y + path.throughput.y * b.y * c;
  path.light.z = path.light.z + path.throughput.z * b.z * c;
}

// 1 outside the liquid, -1 for a camera inside water.
__device__ __forceinline__ float camera_sign(const Scene& scene, float3 o) {
  bool water = (int)scene.look_in[LOOK_LIQUID] == LIQUID_WATER;
  if (scene.trace_in[TRACE_HAS_SURFACE] > ZERO && water &&
      surface_at(o.x, o.y, o.z, 0, scene.trace_in[TRACE_VOXEL], scene.grid_in, scene.table, scene.value) < ZERO) {
    return -ONE;
  }
  return ONE;
}

__device__ __forceinline__ Path path_start(float3 o, float3 d, float sign) {
  Path path;
  path.ray = Ray{o, d, sign, 0};
  path.next = path.ray;
  path.to_sun = 0;
  path.share = ZERO;
  path.sun = make_float3(ONE, ONE, ONE);
  path.light = make_float3(ZERO, ZERO, ZERO);
  path.throughput = make_float3(ONE, ONE, ONE);
  path.depth = 0;
  path.fx = path.fy = ONE;
  path.ran = ZERO;
  path.alpha = path.first = ZERO;
  path.clear = true;
  return path;
}

// Water: absorption, and its own light: a constant source function.
__device__ __forceinline__ void pass_water(Path& path, float t_end, const Words& look_in) {
  float3 a = absorb(t_end, look_in);
  path.light.x = path.light.x + path.throughput.x * (ONE - a.x) * look_in[LOOK_WATER_R];
  path.light.y = path.light.y + path.throughput.y * (ONE - a.y) * look_in[LOOK_WATER_R + 1];
  path.light.z = path.light.z + path.throughput.z * (ONE - a.z) * look_in[LOOK_WATER_R + 2];
  path.throughput.x = path.throughput.x * a.x;
  path.throughput.y = path.throughput.y * a.y;
  path.throughput.z = path.throughput.z * a.z;
}

// Escape to the sky.
__device__ __forceinline__ void escape(Path& path, const Words& sky_in, const Words& look_in) {
  float3 d = flipped(path.ray.d, path.fx, path.fy);
  float3 radiance = sky_radiance(d, sky_in, look_in);
  if (path.clear && sky_in[SKY_SUN_COS] < ONE && in_sun(d, sky_in)) {
    radiance = make_float3(radiance.x + sky_in[SKY_SUN_R], radiance.y + sky_in[SKY_SUN_R + 1],
                           radiance.z + sky_in[SKY_SUN_R + 2]);
  }
  add_light(path, radiance);
}

// Mirror wall: fold the ray. False where the path ends: one that has faded in the water does not go on for long.
__device__ __forceinline__ bool fold(Path& path, float3 p, int axis, Draws& draws) {
  path.ray.o = p;
  if (axis == 0) {
    path.ray.d.x = -path.ray.d.x;
    path.fx = -path.fx;
  } else {
    path.ray.d.y = -path.ray.d.y;
    path.fy = -path.fy;
  }
  path.ray.folds += 1;
  float survive = most_of(path.throughput);
  if (survive < FADED) {
    float a = draw(draws).x;
    if (a * FADED >= survive) return false;
    path.throughput = scaled(path.throughput, FADED / survive);
  }
  return true;
}

// Light from the sun's disc at an event: start a ray to it, if roulette does not stop it for being hardly seen.
__device__ __forceinline__ void look_for_sun(Path& path, const Event& event, const Words& sky_in, const Words& look_in,
                                             Draws& draws, float3& s) {
  float4 number = draw(draws);
  float3 axis = make_float3(sky_in[SKY_SUN_X] * path.fx, sky_in[SKY_SUN_Y] * path.fy, sky_in[SKY_SUN_Z]);
  s = sample_cone(axis, sky_in[SKY_SUN_COS], number.x, number.y);
  float3 d = path.ray.d, n = event.n;
  float share;
  if (event.kind == SCATTER) {
    share = phase_hg(d.x * s.x + d.y * s.y + d.z * s.z, look_in[LOOK_FOG_PHASE]);
  } else {
    share = (n.x * s.x + n.y * s.y + n.z * s.z) * INV_PI;
  }
  share = share * TWO_PI * (ONE - sky_in[SKY_SUN_COS]);
  float most = path.throughput.x * sky_in[SKY_SUN_R];
  if (path.throughput.y * sky_in[SKY_SUN_R + 1] > most) most = path.throughput.y * sky_in[SKY_SUN_R + 1];
  if (path.throughput.z * sky_in[SKY_SUN_R + 2] > most) most = path.throughput.z * sky_in[SKY_SUN_R + 2];
  most = most * share;
  if (most < FAINT) share = number.z * FAINT < most ? share * (FAINT / most) : ZERO;
  path.share = share;
  if (share > ZERO) path.to_sun = SHADOW_SEGMENTS;
}

// The ray to the sun has ended: add what arrived, and go back to the path.
__device__ __forceinline__ void add_sun(Path& path, const Words& sky_in) {
  path.light.x = path.light.x + path.throughput.x * path.share * path.sun.x * sky_in[SKY_SUN_R];
  path.light.y = path.light.y + path.throughput.y * path.share * path.sun.y * sky_in[SKY_SUN_R + 1];
  path.light.z = path.light.z + path.throughput.z * path.share * path.sun.z * sky_in[SKY_SUN_R + 2];
  path.ray = path.next;
  path.to_sun = 0;
}

// Russian roulette; false ends the path.
__device__ __forceinline__ bool roulette(Path& path, int roulette_depth, Draws& draws) {
  if (path.depth < roulette_depth) return true;
  float survive = path.throughput.x;
  if (path.throughput.y > survive) survive = path.throughput.y;
  if (path.throughput.z > survive) survive = path.throughput.z;
  if (survive < SURVIVE_MAX) {
    float a = draw(draws).x;
    if (a >= survive) return false;
    path.throughput = scaled(path.throughput, ONE / survive);
  }
  return true;
}

// Fog: emission by absorption, then scattering.
__device__ __forceinline__ void meet_fog(Path& path, const Scene& scene, float3 p, const Segment& end,
                                         const Words& glow_lut_in, Event& event, Work& work) {
  const Words& look_in = scene.look_in;
  work.count[WORK_SCATTERS] += 1;
  event.albedo = words3(look_in, LOOK_FOG_R);
  if (look_in[LOOK_FOG_GLOW_GAIN] > ZERO) {
    float heat = fog_at(p, 1, scene.trace_in[TRACE_FOG_VOXEL], scene.grid_in, scene.fog_table, scene.fog_value);
    float3 b = glow(heat, look_in, glow_lut_in);
    float gain = look_in[LOOK_FOG_GLOW_GAIN];
    path.light.x = path.light.x + path.throughput.x * (ONE - event.albedo.x) * b.x * gain;
    path.light.y = path.light.y + path.throughput.y * (ONE - event.albedo.y) * b.y * gain;
    path.light.z = path.light.z + path.throughput.z * (ONE - event.albedo.z) * b.z * gain;
  }
  event.kind = SCATTER;
  event.u = end.u;
  event.v = end.v;
  path.ray.o = p;
}

// Water outside the domain: mirror its sky, or end in the deep's own light (then false).
__device__ __forceinline__ bool meet_plane(Path& path, const Words& look_in, float3 p, float travelled, float step,
                                           Draws& draws) {
  float a = draw(draws).x;
  float3 d = path.ray.d;
  float3 n = plane_normal(p.x * path.fx, p.y * path.fy, travelled, look_in);
  n.x = n.x * path.fx;
  n.y = n.y * path.fy;
  if (n.x * d.x + n.y * d.y + n.z * d.z > ZERO) n = make_float3(ZERO, ZERO, ONE);
  WaterChoice choice =
      water_choice(d, n, make_float3(ZERO, ZERO, ONE), look_in[LOOK_IOR], path.depth == 0, a);
  path.ray.d = choice.d;
  path.throughput = scaled(path.throughput, choice.weight);
  if (choice.passed) {
    add_light(path, words3(look_in, LOOK_PLANE_R));
    return false;
  }
  path.ray.o = make_float3(p.x, p.y, p.z + step);
  return true;
}

// Ground or collider.
__device__ __forceinline__ void meet_solid(Path& path, const Scene& scene, int kind, bool on_surface, float3 p,
                                           Event& event) {
  const Words& look_in = scene.look_in;
  float voxel = scene.trace_in[TRACE_VOXEL];
  event.n = solid_normal(kind, p, voxel, scene.terrain_geometry, scene.terrain, scene.collider);
  event.kind = DIFFUSE;
  path.ray.o = on_surface ? p : moved(p, event.n, SOLID_OFFSET * voxel);
  if (kind == SOLID_COLLIDER) {
    event.albedo = words3(look_in, LOOK_COLLIDER_R);
  } else {
    TerrainLook look = terrain_look(p, event.n, look_in);
    event.n = look.n;
    event.albedo = look.albedo;
  }
}

// Water's surface: foam, or reflection and refraction.
__device__ __forceinline__ void meet_water(Path& path, const Words& look_in, float3 p, float heat, float step,
                                           Draws& draws, Event& event) {
  float4 number = draw(draws);
  float sign = path.ray.sign;
  float3 n = make_float3(event.n.x * sign, event.n.y * sign, event.n.z * sign);
  event.n = n;
  if (number.y < foam_cover(heat, look_in)) {
    event.kind = DIFFUSE;
    event.albedo = words3(look_in, LOOK_FOAM_R);
    path.ray.o = moved(p, n, step);
    return;
  }
  float3 m = n;
  if (look_in[LOOK_RIPPLE] > ZERO) {
    m = ripple_normal(p, n, look_in[LOOK_RIPPLE], look_in[LOOK_RIPPLE_SCALE], look_in[LOOK_TIME]);
  }
  float eta = look_in[LOOK_IOR];
  if (sign < ZERO) eta = ONE / eta;
  WaterChoice choice = water_choice(path.ray.d, m, n, eta, path.depth == 0, number.x);
  path.ray.d = choice.d;
  path.throughput = scaled(path.throughput, choice.weight);
  if (choice.passed) {
    path.ray.sign = -sign;
    step = -step;
  }
  path.ray.o = moved(p, n, step);
}

// Lava: its glow, and a rough crust.
__device__ __forceinline__ void meet_lava(Path& path, const Words& look_in, float3 p, float heat, float step,
                                          const Words& glow_lut_in, Event& event) {
  event.kind = DIFFUSE;
  path.ray.o = moved(p, event.n, step);
  LavaLook look = lava_look(p, event.n, heat, look_in);
  event.n = look.n;
  add_light(path, glow(look.temperature, look_in, glow_lut_in), look_in[LOOK_GLOW_GAIN]);
  event.albedo = scaled(words3(look_in, LOOK_LAVA_R), look.factor);
}

// Walk one segment; false when the path has ended.
__device__ __forceinline__ bool trace_path(Path& path, Depths limits, const Words& sky_in, const Words& glow_lut_in,
                                           const Scene& scene, Draws& draws, Work& work) {
  const Words& look_in = scene.look_in;
  const Words& trace_in = scene.trace_in;
  float voxel = trace_in[TRACE_VOXEL];
  bool to_sun = path.to_sun > 0;
  Segment end = trace_segment(scene, path.ray, to_sun, draws, work);
  float3 p = along(path.ray, end.t_end);
  Event event{GO_ON, make_float3(ONE, ONE, ONE), make_float3(ZERO, ZERO, ONE), ZERO, ZERO};
  float heat = ZERO;
  if (end.on_surface) {
    event.n = surface_normal(p, voxel, scene.grid_in, scene.table, scene.value);
    heat = surface_at(p.x, p.y, p.z, 1, voxel, scene.grid_in, scene.table, scene.value);
  }
  if (to_sun) {
    bool on = sun_transmittance(scene, end, p, event.n, heat, path.ray, path.sun);
    path.to_sun -= 1;
    if (on && path.to_sun > 0) return true;
    if (on) path.sun = make_float3(ZERO, ZERO, ZERO);
    add_sun(path, sky_in);
    return roulette(path, limits.roulette_depth, draws);
  }
  bool met = end.on_surface || end.collided || end.kind != SOLID_NONE;
  if (path.ray.sign < ZERO && end.t_end < FAR) pass_water(path, end.t_end, look_in);
  if (!met && end.axis < 0) {
    escape(path, sky_in, look_in);
    return false;
  }
  path.ran = path.ran + end.t_end;
  if (!met) return fold(path, p, end.axis, draws);
  if (path.alpha == ZERO) {
    path.alpha = ONE;
    path.first = path.ran;
  }
  if (look_in[LOOK_HAZE] > ZERO && path.ray.sign > ZERO) {
    Haze air = haze(path.ran, flipped(path.ray.d, path.fx, path.fy), sky_in, look_in);
    add_light(path, air.light, air.share);
    path.throughput = scaled(path.throughput, ONE - air.share);
  }
  float travelled = path.ran;
  path.ran = ZERO;
  float step = OFFSET * voxel;
  int kind = end.kind;
  if (end.on_surface && path.ray.sign < ZERO) {
    // Water that meets ground, or the open sea around the domain, has no surface there
    kind = exit_kind(p, end.broken, look_in, trace_in, scene.terrain_geometry, scene.terrain, scene.collider);
    if (kind == SOLID_PLANE) {
      add_light(path, words3(look_in, LOOK_PLANE_R));
      return false;
    }
    if (kind == SOLID_NONE && end.broken == 1) {
      path.ray.sign = ONE;
      path.ray.o = moved(p, path.ray.d, step);
      return true;
    }
    // Stay in the water, just before the crossing
    if (kind != SOLID_NONE) p = make_float3(p.x - event.n.x * step, p.y - event.n.y * step, p.z - event.n.z * step);
  }
  if (end.collided) {
    meet_fog(path, scene, p, end, glow_lut_in, event, work);
  } else {
    work.count[WORK_SURFACE_HITS] += 1;
    if (kind == SOLID_PLANE) {
      if (!meet_plane(path, look_in, p, travelled, step, draws)) return false;
    } else if (kind != SOLID_NONE) {
      meet_solid(path, scene, kind, end.on_surface, p, event);
    } else if ((int)look_in[LOOK_LIQUID] == LIQUID_WATER) {
      meet_water(path, look_in, p, heat, step, draws, event);
    } else {
      meet_lava(path, look_in, p, heat, step, glow_lut_in, event);
    }
  }
  path.depth += 1;
  if (path.depth >= limits.max_depth) return false;
  if (event.kind != GO_ON) {
    path.throughput.x = path.throughput.x * event.albedo.x;
    path.throughput.y = path.throughput.y * event.albedo.y;
    path.throughput.z = path.throughput.z * event.albedo.z;
    path.clear = false;
    if (!end.collided) {
      float4 number = draw(draws);
      event.u = number.z;
      event.v = number.w;
    }
    float3 s = path.ray.d;
    if (sky_in[SKY_SUN_COS] < ONE) look_for_sun(path, event, sky_in, look_in, draws, s);
    if (event.kind == SCATTER) {
      path.ray.d = sample_phase(path.ray.d, look_in[LOOK_FOG_PHASE], event.u, event.v);
    } else {
      path.ray.d = sample_cosine(event.n, event.u, event.v);
    }
    if (path.to_sun > 0) {
      path.next = path.ray;
      path.ray.d = s;
      path.sun = make_float3(ONE, ONE, ONE);
      return true;
    }
  }
  return roulette(path, limits.roulette_depth, draws);
}
