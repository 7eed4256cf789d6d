#include "trace_event.cuh"
#include "trace_look.cuh"
// What fog, solids and liquids make of a path that meets them: the CUDA side of trace_shade.py.

// A collision in fog: emission where it absorbs, then scattering.
__device__ __forceinline__ void shade_fog(float3 p, Path& path, const Scene& scene, const Table& glow_lut_in,
                                          Bounce& bounce, const Held& held) {
  const Words& look_in = scene.look_in;
  bounce.albedo = words3(look_in, LOOK_FOG_R);
  if (look_in[LOOK_FOG_GLOW_GAIN] > ZERO) {
    float heat = fog_at(p, 1, scene.trace_in[TRACE_FOG_VOXEL], scene.grid_in, scene.fog_table, scene.fog_value);
    float3 radiance = glow(heat, look_in, glow_lut_in);
    float3 taken = make_float3(ONE - bounce.albedo.x, ONE - bounce.albedo.y, ONE - bounce.albedo.z);
    add_light(held, taken, radiance, look_in[LOOK_FOG_GLOW_GAIN]);
  }
  bounce.kind = BOUNCE_PHASE;
  path.ray.o = p;
}

// Ground or collider; `in_water`: water lies on it, and the path stays in there.
__device__ __forceinline__ void shade_solid(int solid, bool in_water, float3 p, Path& path, const Scene& scene,
                                            Bounce& bounce) {
  const Words& look_in = scene.look_in;
  float voxel = scene.trace_in[TRACE_VOXEL];
  bounce.kind = BOUNCE_DIFFUSE;
  bounce.n = solid_normal(solid, p, voxel, scene.terrain_geometry, scene.terrain, scene.collider);
  path.ray.o = in_water ? p : moved(p, bounce.n, SOLID_OFFSET * voxel);
  if (solid == SOLID_COLLIDER) {
    bounce.albedo = words3(look_in, LOOK_COLLIDER_R);
  } else {
    TerrainLook look = terrain_look(p, bounce.n, look_in);
    bounce.n = look.n;
    bounce.albedo = look.albedo;
  }
}

// The surface of water: foam, or reflection and refraction. Of the `sea`, the plane outside the domain: mirror the sky
// there, or end in the deep's own light.
__device__ __forceinline__ void shade_water(bool sea, float3 p, Path& path, float foam, float travelled,
                                            const Scene& scene, Draws& draws, Bounce& bounce, const Held& held) {
  const Words& look_in = scene.look_in;
  float step = OFFSET * scene.trace_in[TRACE_VOXEL];
  float4 number = draw(draws);
  float sign = path.ray.sign;
  float3 d = path.ray.d;
  float3 n = make_float3(bounce.n.x * sign, bounce.n.y * sign, bounce.n.z * sign);
  if (sea) n = make_float3(ZERO, ZERO, ONE);
  bounce.n = n;
  if (!sea && number.y < foam_cover(foam, look_in)) {
    bounce.kind = BOUNCE_DIFFUSE;
    bounce.albedo = words3(look_in, LOOK_FOAM_R);
    path.ray.o = moved(p, n, step);
    return;
  }
  float3 m = n;
  if (sea || look_in[LOOK_RIPPLE] > ZERO) {
    float fx = sea ? held[HELD_FLIP_X] : ONE, fy = sea ? held[HELD_FLIP_Y] : ONE;
    Noise noise = ripples(make_float3(p.x * fx, p.y * fy, p.z), sea, look_in);
    if (sea) {
      m = plane_normal(noise, travelled, look_in);
      m.x = m.x * fx;
      m.y = m.y * fy;
      if (m.x * d.x + m.y * d.y + m.z * d.z > ZERO) m = n;
    } else {
      m = ripple_normal(n, noise, look_in);
    }
  }
  float eta = look_in[LOOK_IOR];
  if (!sea && sign < ZERO) eta = ONE / eta;
  WaterChoice choice = water_choice(d, m, n, eta, held[HELD_DEPTH] == ZERO, number.x);
  path.ray.d = choice.d;
  scale3(held, HELD_THROUGHPUT, choice.weight);
  if (sea) {
    path.ray.o = make_float3(p.x, p.y, p.z + step);
    if (choice.passed) {
      bounce.kind = BOUNCE_NONE;
      add_light(held, words3(look_in, LOOK_PLANE_R));
    }
    return;
  }
  if (choice.passed) {
    path.ray.sign = -sign;
    step = -step;
  }
  path.ray.o = moved(p, n, step);
}

// The surface of lava: its glow, and a rough crust.
__device__ __forceinline__ void shade_lava(float3 p, Path& path, float heat, const Scene& scene,
                                           const Table& glow_lut_in, Bounce& bounce, const Held& held) {
  const Words& look_in = scene.look_in;
  bounce.kind = BOUNCE_DIFFUSE;
  path.ray.o = moved(p, bounce.n, OFFSET * scene.trace_in[TRACE_VOXEL]);
  LavaLook look = lava_look(p, bounce.n, heat, look_in);
  bounce.n = look.n;
  add_light(held, glow(look.temperature, look_in, glow_lut_in), look_in[LOOK_GLOW_GAIN]);
  bounce.albedo = albedo_of(words3(look_in, LOOK_LAVA_R), look.factor);
}

// The liquid's surface, or the sea outside; `other`: the surface's second channel, foam or temperature.
__device__ __forceinline__ void shade_liquid(bool sea, float3 p, Path& path, float other, float travelled,
                                             const Scene& scene, const Table& glow_lut_in, Draws& draws,
                                             Bounce& bounce, const Held& held) {
  if (sea || (int)scene.look_in[LOOK_LIQUID] == LIQUID_WATER) {
    shade_water(sea, p, path, other, travelled, scene, draws, bounce, held);
  } else {
    shade_lava(p, path, other, scene, glow_lut_in, bounce, held);
  }
}
