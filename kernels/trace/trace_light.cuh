#include "trace_event.cuh"
// The sun's light at a point, by next event estimation: the CUDA side of trace_light.py.
//
// A path and the sun's ray from one of its points walk the same kind of segment. They share its code, so that the
// threads of a warp walk side by side whether they follow a path or look for the sun: sun_light() starts such a ray,
// leave_for_sun() sends it, sun_transmittance() walks one segment of it, add_sun_light() ends it.

// One segment of sun_transmittance: what it leaves of the light, three words from `slot` on, and where the ray goes on.
// False when that is known; n and heat are those of the liquid at p, the segment's end.
__device__ __forceinline__ bool sun_transmittance(const Scene& scene, const Segment& end, float3 p, float3 n,
                                                  float heat, Ray& ray, const Held& held, int slot) {
  const Words& look_in = scene.look_in;
  bool lava = end.event == EVENT_LIQUID && (int)look_in[LOOK_LIQUID] != LIQUID_WATER;
  if (end.solid != SOLID_NONE || lava) {
    hold3(held, slot, ZERO, ZERO, ZERO);
    return false;
  }
  if (end.beyond) return false;
  float3 light = held3(held, slot);
  if (ray.sign < ZERO) {
    float3 share = absorb(end.t_end, look_in);
    light = make_float3(light.x * share.x, light.y * share.y, light.z * share.z);
  } else if (scene.trace_in[TRACE_HAS_FOG] > ZERO) {
    light = make_float3(light.x * end.weight, light.y * end.weight, light.z * end.weight);
  }
  if (light.x + light.y + light.z <= ZERO) {
    hold3(held, slot, ZERO, ZERO, ZERO);
    return false;
  }
  bool on = true;
  if (end.event == EVENT_LIQUID) {
    // Go straight on through the water's surface
    ray.o = p;
    if (end.broken == 0) {
      float cosine = fabsf(n.x * ray.d.x + n.y * ray.d.y + n.z * ray.d.z);
      if (cosine > ONE) cosine = ONE;
      // From inside the refracted ray meets the surface at a steeper angle: the air side's cosine is used
      float reflect = fresnel(cosine, look_in[LOOK_IOR]).reflectance;
      float pass_on = (ONE - reflect) * (ONE - foam_cover(heat, look_in));
      light = make_float3(light.x * pass_on, light.y * pass_on, light.z * pass_on);
    }
    ray.o = along(ray, OFFSET * scene.trace_in[TRACE_VOXEL]);
    ray.sign = -ray.sign;
  } else if (end.event == EVENT_MIRROR) {
    ray.o = p;
    if (end.axis == 0) {
      ray.d.x = -ray.d.x;
    } else {
      ray.d.y = -ray.d.y;
    }
    ray.folds = ray.folds + ONE;
  } else {
    on = false;
  }
  hold3(held, slot, light);
  return on;
}

// Next event estimation: choose a point s of the sun's disc, and look for it unless Russian roulette says no, which it
// does for what would hardly be seen.
__device__ __forceinline__ void sun_light(Path& path, const Bounce& bounce, const Words& sky_in,
                                          const Words& look_in, Draws& draws, const Held& held, float3& s) {
  float4 number = draw(draws);
  float3 axis = make_float3(sky_in[SKY_SUN_X] * held[HELD_FLIP_X], sky_in[SKY_SUN_Y] * held[HELD_FLIP_Y],
                            sky_in[SKY_SUN_Z]);
  s = sample_cone(axis, sky_in[SKY_SUN_COS], number.x, number.y);
  float3 d = path.ray.d, n = bounce.n;
  float share;
  if (bounce.kind == BOUNCE_PHASE) {
    share = phase_hg(d.x * s.x + d.y * s.y + d.z * s.z, look_in[LOOK_FOG_PHASE]);
  } else {
    share = (n.x * s.x + n.y * s.y + n.z * s.z) * INV_PI;
  }
  share = share * TWO_PI * (ONE - sky_in[SKY_SUN_COS]);
  float3 t = held3(held, HELD_THROUGHPUT);
  float3 sun = words3(sky_in, SKY_SUN_R);
  float most = largest(make_float3(t.x * sun.x, t.y * sun.y, t.z * sun.z)) * share;
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
__device__ __forceinline__ void add_sun_light(Path& path, const Words& sky_in, const Held& held) {
  float3 sun = held3(held, HELD_SUN);
  float share = held[HELD_SHARE];
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * share * sun.x * sky_in[SKY_SUN_R],
        light.y + t.y * share * sun.y * sky_in[SKY_SUN_R + 1], light.z + t.z * share * sun.z * sky_in[SKY_SUN_R + 2]);
  path.ray = Ray{held3(held, HELD_NEXT_O), held3(held, HELD_NEXT_D), held[HELD_NEXT_SIGN], held[HELD_NEXT_FOLDS]};
  path.to_sun = false;
}
