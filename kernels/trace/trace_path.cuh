#include "trace_light.cuh"
// The radiance along one camera ray: the CUDA side of trace_path.py, one segment at a time.
//
// A thread holds one path. path_start() puts it at the camera; every trace_path() walks one segment, of the path or of
// a ray to the sun from its last event, until the path has ended. The caller may give a thread its next path at once.

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

// 1 outside the liquid, -1 for a camera inside water.
__device__ __forceinline__ float camera_sign(const Scene& scene, float3 o) {
  bool water = (int)scene.look_in[LOOK_LIQUID] == LIQUID_WATER;
  if (scene.trace_in[TRACE_HAS_SURFACE] > ZERO && water &&
      surface_at(o.x, o.y, o.z, 0, scene.trace_in[TRACE_VOXEL], scene.grid_in, scene.table, scene.value) < ZERO) {
    return -ONE;
  }
  return ONE;
}

// Water: absorption, and its own light: a constant source function.
__device__ __forceinline__ void pass_water(float t_end, const Words& look_in, const Held& held) {
  float3 a = absorb(t_end, look_in);
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * (ONE - a.x) * look_in[LOOK_WATER_R],
        light.y + t.y * (ONE - a.y) * look_in[LOOK_WATER_R + 1],
        light.z + t.z * (ONE - a.z) * look_in[LOOK_WATER_R + 2]);
  hold3(held, HELD_THROUGHPUT, t.x * a.x, t.y * a.y, t.z * a.z);
}

// Escape to the sky, of the given radiance in the ray's direction.
__device__ __forceinline__ void escape(const Path& path, float3 radiance, const Words& sky_in, const Held& held) {
  if (path.clear && sky_in[SKY_SUN_COS] < ONE && in_sun(flipped(path.ray.d, held), sky_in)) {
    radiance = make_float3(radiance.x + sky_in[SKY_SUN_R], radiance.y + sky_in[SKY_SUN_R + 1],
                           radiance.z + sky_in[SKY_SUN_R + 2]);
  }
  add_light(held, radiance);
}

// Mirror wall: fold the ray. False where the path ends: one that has faded in the water does not go on for long.
__device__ __forceinline__ bool fold(Path& path, float3 p, int axis, Draws& draws, const Held& held) {
  path.ray.o = p;
  if (axis == 0) {
    path.ray.d.x = -path.ray.d.x;
    held[HELD_FLIP_X] = -held[HELD_FLIP_X];
  } else {
    path.ray.d.y = -path.ray.d.y;
    held[HELD_FLIP_Y] = -held[HELD_FLIP_Y];
  }
  path.ray.folds = path.ray.folds + ONE;
  float3 t = held3(held, HELD_THROUGHPUT);
  float survive = t.x > t.y ? t.x : t.y;
  if (t.z > survive) survive = t.z;
  if (survive < FADED) {
    float a = draw(draws).x;
    if (a * FADED >= survive) return false;
    scale3(held, HELD_THROUGHPUT, FADED / survive);
  }
  return true;
}

// Light from the sun's disc at an event: start a ray to it, if roulette does not stop it for being hardly seen.
__device__ __forceinline__ void look_for_sun(Path& path, const Event& event, const Words& sky_in, const Words& look_in,
                                             Draws& draws, const Held& held, float3& s) {
  float4 number = draw(draws);
  float3 axis = make_float3(sky_in[SKY_SUN_X] * held[HELD_FLIP_X], sky_in[SKY_SUN_Y] * held[HELD_FLIP_Y],
                            sky_in[SKY_SUN_Z]);
  s = sample_cone(axis, sky_in[SKY_SUN_COS], number.x, number.y);
  float3 d = path.ray.d, n = event.n;
  float share;
  if (event.kind == SCATTER) {
    share = phase_hg(d.x * s.x + d.y * s.y + d.z * s.z, look_in[LOOK_FOG_PHASE]);
  } else {
    share = (n.x * s.x + n.y * s.y + n.z * s.z) * INV_PI;
  }
  share = share * TWO_PI * (ONE - sky_in[SKY_SUN_COS]);
  float3 t = held3(held, HELD_THROUGHPUT);
  float most = t.x * sky_in[SKY_SUN_R];
  if (t.y * sky_in[SKY_SUN_R + 1] > most) most = t.y * sky_in[SKY_SUN_R + 1];
  if (t.z * sky_in[SKY_SUN_R + 2] > most) most = t.z * sky_in[SKY_SUN_R + 2];
  most = most * share;
  if (most < FAINT) share = number.z * FAINT < most ? share * (FAINT / most) : ZERO;
  held[HELD_SHARE] = share;
  if (share > ZERO) path.to_sun = true;
}

// Send the ray to the sun along s; the path waits.
__device__ __forceinline__ void leave_for_sun(Path& path, float3 s, const Held& held) {
  hold3(held, HELD_NEXT_O, path.ray.o);
  hold3(held, HELD_NEXT_D, path.ray.d);
  held[HELD_NEXT_SIGN] = path.ray.sign;
  held[HELD_NEXT_FOLDS] = path.ray.folds;
  held[HELD_SUN_LEFT] = (float)SHADOW_SEGMENTS;
  hold3(held, HELD_SUN, ONE, ONE, ONE);
  path.ray.d = s;
}

// The ray to the sun has ended: add what arrived, and go back to the path.
__device__ __forceinline__ void add_sun(Path& path, const Words& sky_in, const Held& held) {
  float3 sun = held3(held, HELD_SUN);
  float share = held[HELD_SHARE];
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * share * sun.x * sky_in[SKY_SUN_R],
        light.y + t.y * share * sun.y * sky_in[SKY_SUN_R + 1], light.z + t.z * share * sun.z * sky_in[SKY_SUN_R + 2]);
  path.ray = Ray{held3(held, HELD_NEXT_O), held3(held, HELD_NEXT_D), held[HELD_NEXT_SIGN], held[HELD_NEXT_FOLDS]};
  path.to_sun = false;
}

// sample_phase about d after a scattering in fog, else sample_cosine about the normal.
__device__ __forceinline__ float3 sample_direction(const Event& event, float3 d, float g) {
  float3 axis = event.n;
  float sine, cosine;
  if (event.kind == SCATTER) {
    axis = d;
    cosine = phase_cosine(g, event.u);
    sine = sqrtf(ONE - cosine * cosine);
  } else {
    sine = sqrtf(event.u);
    cosine = sqrtf(ONE - event.u);
  }
  return around(axis, sine, cosine, TWO_PI * event.v);
}

// Russian roulette; false ends the path.
__device__ __forceinline__ bool roulette(int roulette_depth, Draws& draws, const Held& held) {
  if (held[HELD_DEPTH] < (float)roulette_depth) return true;
  float3 t = held3(held, HELD_THROUGHPUT);
  float survive = t.x;
  if (t.y > survive) survive = t.y;
  if (t.z > survive) survive = t.z;
  if (survive < SURVIVE_MAX) {
    float a = draw(draws).x;
    if (a >= survive) return false;
    scale3(held, HELD_THROUGHPUT, ONE / survive);
  }
  return true;
}

// Fog: emission by absorption, then scattering.
__device__ __forceinline__ void meet_fog(Path& path, const Scene& scene, float3 p, const Segment& end,
                                         const Words& glow_lut_in, Event& event, const Held& held, const Work& work) {
  const Words& look_in = scene.look_in;
  work[WORK_SCATTERS] += 1;
  event.albedo = words3(look_in, LOOK_FOG_R);
  if (look_in[LOOK_FOG_GLOW_GAIN] > ZERO) {
    float heat = fog_at(p, 1, scene.trace_in[TRACE_FOG_VOXEL], scene.grid_in, scene.fog_table, scene.fog_value);
    float3 b = glow(heat, look_in, glow_lut_in);
    float3 taken = make_float3(ONE - event.albedo.x, ONE - event.albedo.y, ONE - event.albedo.z);
    add_light(held, taken, b, look_in[LOOK_FOG_GLOW_GAIN]);
  }
  event.kind = SCATTER;
  event.u = end.u;
  event.v = end.v;
  path.ray.o = p;
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

// Water's surface: foam, or reflection and refraction. Of the plane outside the domain: mirror the sky there, or end in
// the deep's own light (then false).
__device__ __forceinline__ bool meet_water(Path& path, bool plane, const Words& look_in, float3 p, float heat,
                                           float travelled, float step, Draws& draws, Event& event,
                                           const Held& held) {
  float4 number = draw(draws);
  float sign = path.ray.sign;
  float3 d = path.ray.d;
  float3 n = make_float3(event.n.x * sign, event.n.y * sign, event.n.z * sign);
  if (plane) n = make_float3(ZERO, ZERO, ONE);
  event.n = n;
  if (!plane && number.y < foam_cover(heat, look_in)) {
    event.kind = DIFFUSE;
    event.albedo = words3(look_in, LOOK_FOAM_R);
    path.ray.o = moved(p, n, step);
    return true;
  }
  float3 m = n;
  if (plane || look_in[LOOK_RIPPLE] > ZERO) {
    float fx = plane ? held[HELD_FLIP_X] : ONE, fy = plane ? held[HELD_FLIP_Y] : ONE;
    Noise noise = ripples(make_float3(p.x * fx, p.y * fy, p.z), plane, look_in);
    if (plane) {
      m = plane_normal(noise, travelled, look_in);
      m.x = m.x * fx;
      m.y = m.y * fy;
      if (m.x * d.x + m.y * d.y + m.z * d.z > ZERO) m = n;
    } else {
      m = ripple_normal(n, noise, look_in);
    }
  }
  float eta = look_in[LOOK_IOR];
  if (!plane && sign < ZERO) eta = ONE / eta;
  WaterChoice choice = water_choice(d, m, n, eta, held[HELD_DEPTH] == ZERO, number.x);
  path.ray.d = choice.d;
  scale3(held, HELD_THROUGHPUT, choice.weight);
  if (plane) {
    path.ray.o = make_float3(p.x, p.y, p.z + step);
    if (choice.passed) add_light(held, words3(look_in, LOOK_PLANE_R));
    return !choice.passed;
  }
  if (choice.passed) {
    path.ray.sign = -sign;
    step = -step;
  }
  path.ray.o = moved(p, n, step);
  return true;
}

// Lava: its glow, and a rough crust.
__device__ __forceinline__ void meet_lava(Path& path, const Words& look_in, float3 p, float heat, float step,
                                          const Words& glow_lut_in, Event& event, const Held& held) {
  event.kind = DIFFUSE;
  path.ray.o = moved(p, event.n, step);
  LavaLook look = lava_look(p, event.n, heat, look_in);
  event.n = look.n;
  add_light(held, glow(look.temperature, look_in, glow_lut_in), look_in[LOOK_GLOW_GAIN]);
  event.albedo = scaled(words3(look_in, LOOK_LAVA_R), look.factor);
}

// Walk one segment; false when the path has ended.
__device__ __forceinline__ bool trace_path(Path& path, Depths limits, const Words& sky_in, const Words& glow_lut_in,
                                           const Scene& scene, Draws& draws, const Held& held,
                                           const Work& work) {
  const Words& look_in = scene.look_in;
  const Words& trace_in = scene.trace_in;
  float voxel = trace_in[TRACE_VOXEL];
  bool to_sun = path.to_sun;
  Segment end = trace_segment(scene, path.ray, to_sun, draws, work);
  float3 p = along(path.ray, end.t_end);
  Event event{GO_ON, make_float3(ONE, ONE, ONE), make_float3(ZERO, ZERO, ONE), ZERO, ZERO};
  float heat = ZERO;
  if (end.on_surface) {
    event.n = surface_normal(p, voxel, scene.grid_in, scene.table, scene.value);
    heat = surface_at(p.x, p.y, p.z, 1, voxel, scene.grid_in, scene.table, scene.value);
  }
  if (to_sun) {
    bool on = sun_transmittance(scene, end, p, event.n, heat, path.ray, held, HELD_SUN);
    held[HELD_SUN_LEFT] = held[HELD_SUN_LEFT] - ONE;
    if (on && held[HELD_SUN_LEFT] > ZERO) return true;
    if (on) hold3(held, HELD_SUN, ZERO, ZERO, ZERO);
    add_sun(path, sky_in, held);
    return roulette(limits.roulette_depth, draws, held);
  }
  bool met = end.on_surface || end.collided || end.kind != SOLID_NONE;
  if (path.ray.sign < ZERO && end.t_end < FAR) pass_water(end.t_end, look_in, held);
  bool escapes = !met && end.axis < 0;
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
  if (!met) return fold(path, p, end.axis, draws, held);
  if (held[HELD_ALPHA] == ZERO) {
    held[HELD_ALPHA] = ONE;
    held[HELD_FIRST] = travelled;
  }
  if (hazy) {
    float share = haze(travelled, look_in);
    add_light(held, radiance, share);
    scale3(held, HELD_THROUGHPUT, ONE - share);
  }
  float step = OFFSET * voxel;
  int kind = end.kind;
  if (end.on_surface && path.ray.sign < ZERO) {
    // Water that meets ground, or the open sea around the domain, has no surface there
    kind = exit_kind(p, end.broken, look_in, trace_in, scene.terrain_geometry, scene.terrain, scene.collider);
    if (kind == SOLID_PLANE) {
      add_light(held, words3(look_in, LOOK_PLANE_R));
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
    meet_fog(path, scene, p, end, glow_lut_in, event, held, work);
  } else {
    work[WORK_SURFACE_HITS] += 1;
    bool plane = kind == SOLID_PLANE;
    if (kind != SOLID_NONE && !plane) {
      meet_solid(path, scene, kind, end.on_surface, p, event);
    } else if (plane || (int)look_in[LOOK_LIQUID] == LIQUID_WATER) {
      if (!meet_water(path, plane, look_in, p, heat, travelled, step, draws, event, held)) return false;
    } else {
      meet_lava(path, look_in, p, heat, step, glow_lut_in, event, held);
    }
  }
  held[HELD_DEPTH] = held[HELD_DEPTH] + ONE;
  if (held[HELD_DEPTH] >= (float)limits.max_depth) return false;
  if (event.kind != GO_ON) {
    float3 t = held3(held, HELD_THROUGHPUT);
    hold3(held, HELD_THROUGHPUT, t.x * event.albedo.x, t.y * event.albedo.y, t.z * event.albedo.z);
    path.clear = false;
    if (!end.collided) {
      float4 number = draw(draws);
      event.u = number.z;
      event.v = number.w;
    }
    float3 s = path.ray.d;
    if (sky_in[SKY_SUN_COS] < ONE) look_for_sun(path, event, sky_in, look_in, draws, held, s);
    path.ray.d = sample_direction(event, path.ray.d, look_in[LOOK_FOG_PHASE]);
    if (path.to_sun) {
      leave_for_sun(path, s, held);
      return true;
    }
  }
  return roulette(limits.roulette_depth, draws, held);
}
