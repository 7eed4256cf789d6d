#include "trace_liquid.cuh"
#include "trace_shade.cuh"
#include "trace_state.cuh"
#include "trace_surface.cuh"
#include "trace_volume.cuh"
// Mirror walls, absorption, one segment of a ray, and the sun's light at a point: the CUDA side of trace_light.py.
//
// A path and the sun's ray from one of its points walk the same kind of segment. They share its code here, so that
// the threads of a warp walk side by side whether they follow a path or look for the sun.

struct Scene {
  Words look_in, trace_in;
  Array<const int> grid_in, table;
  Array<const float> value;
  Array<const int> fog_table;
  Array<const float> fog_value, fog_majorant, terrain, terrain_geometry, collider;
};

struct Mirror {
  float t;
  int axis;  // 0 x, 1 y, -1 none
};

// What ended a segment, at t_end: liquid, a fog collision, a solid or a mirror; none of them: sky.
struct Segment {
  float t_end;
  int axis, kind, broken;
  bool on_surface, collided, beyond;
  float weight, u, v;  // of the fog
};

// The nearest mirror wall ahead; none where nothing but sky is mirrored.
__device__ __forceinline__ Mirror mirror_hit(float3 o, float3 d, const Words& look_in, const Words& trace_in) {
  float t_end = FAR;
  int axis = -1;
  if (d.x < ZERO && look_in[LOOK_MIRROR_X_LOW] > ZERO) {
    t_end = (trace_in[TRACE_LOW_X] - o.x) / d.x;
    axis = 0;
  }
  if (d.x > ZERO && look_in[LOOK_MIRROR_X_HIGH] > ZERO) {
    t_end = (trace_in[TRACE_HIGH_X] - o.x) / d.x;
    axis = 0;
  }
  float t = FAR;
  if (d.y < ZERO && look_in[LOOK_MIRROR_Y_LOW] > ZERO) t = (trace_in[TRACE_LOW_Y] - o.y) / d.y;
  if (d.y > ZERO && look_in[LOOK_MIRROR_Y_HIGH] > ZERO) t = (trace_in[TRACE_HIGH_Y] - o.y) / d.y;
  if (t < t_end) {
    t_end = t;
    axis = 1;
  }
  if (t_end < ZERO) t_end = ZERO;
  if (d.z >= ZERO && o.z + d.z * t_end > trace_in[TRACE_TOP]) axis = -1;
  return Mirror{t_end, axis};
}

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

// Find what ends a segment. A ray to the sun stops looking at the first thing that blocks it.
__device__ __forceinline__ Segment trace_segment(const Scene& scene, const Ray& ray, bool to_sun, Draws& draws,
                                                 const Work& work) {
  Segment end{FAR, -1, SOLID_NONE, 0, false, false, false, ONE, ZERO, ZERO};
  const Words& look_in = scene.look_in;
  const Words& trace_in = scene.trace_in;
  work[WORK_SEGMENTS] += 1;
  end.beyond = ray.folds > look_in[LOOK_MIRROR_FOLDS];
  if (!end.beyond) {
    Mirror mirror = mirror_hit(ray.o, ray.d, look_in, trace_in);
    end.t_end = mirror.t;
    end.axis = mirror.axis;
  }
  SolidHit solid = solid_hit(ray.o, ray.d, end.t_end, end.beyond, look_in, trace_in, scene.collider);
  end.t_end = solid.t;
  end.kind = solid.kind;
  if (end.beyond || (to_sun && end.kind != SOLID_NONE)) return end;
  if (trace_in[TRACE_HAS_SURFACE] > ZERO) {
    SurfaceHit hit = surface_hit(ray.o, ray.d, end.t_end, ray.sign, trace_in, scene.grid_in, scene.table, scene.value,
                                 work);
    end.broken = hit.broken;
    if (hit.t >= ZERO) {
      end.on_surface = true;
      end.t_end = hit.t;
      end.kind = SOLID_NONE;
      if (to_sun && (int)look_in[LOOK_LIQUID] != LIQUID_WATER) return end;
    }
  }
  if (scene.terrain_geometry[3] > ZERO) {
    float t = terrain_hit(ray.o, ray.d, end.t_end, trace_in, scene.terrain_geometry, scene.terrain);
    if (t >= ZERO) {
      end.on_surface = false;
      end.t_end = t;
      end.kind = SOLID_TERRAIN;
      if (to_sun) return end;
    }
  }
  if (trace_in[TRACE_HAS_FOG] > ZERO && ray.sign > ZERO) {
    FogWalk walk =
        fog_walk(ray.o, ray.d, end.t_end, to_sun, look_in[LOOK_FOG_GAIN], trace_in, scene.grid_in, scene.fog_table,
                 scene.fog_value, scene.fog_majorant, draws.pixel, draws.sample, draws.dim, draws.seed);
    draws.dim = walk.dim;
    work[WORK_FOG_BRICKS] += walk.bricks;
    work[WORK_COLLISIONS] += walk.collisions;
    end.weight = walk.weight;
    end.u = walk.u;
    end.v = walk.v;
    if (walk.t >= ZERO) {
      end.collided = true;
      end.on_surface = false;
      end.t_end = walk.t;
      end.kind = SOLID_NONE;
    }
  }
  return end;
}

// One segment of sun_transmittance: what it leaves of the light, three words from `slot` on, and where the ray goes on.
// False when that is known; n and heat are those of the liquid at p, the segment's end.
__device__ __forceinline__ bool sun_transmittance(const Scene& scene, const Segment& end, float3 p, float3 n,
                                                  float heat, Ray& ray, const Held& held, int slot) {
  const Words& look_in = scene.look_in;
  bool lava = end.on_surface && (int)look_in[LOOK_LIQUID] != LIQUID_WATER;
  if (end.kind != SOLID_NONE || lava) {
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
  if (end.on_surface) {
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
  } else if (end.axis >= 0) {
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
