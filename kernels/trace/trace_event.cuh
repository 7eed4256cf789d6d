#include "trace_liquid.cuh"
#include "trace_surface.cuh"
#include "trace_volume.cuh"
// What ends a segment of a ray, the next event of a path or of a ray to the sun: the CUDA side of trace_event.py.

struct Mirror {
  float t;
  int axis;  // 0 x, 1 y, -1 none
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

// The segment along a ray: the nearest of mirror, solid, liquid, terrain and fog ends it, or else the sky. A ray to the
// sun meets no fog but is weakened by it, and stops looking at the first thing that blocks it.
__device__ __forceinline__ Segment next_event(const Ray& ray, bool to_sun, const Scene& scene, Draws& draws,
                                              const Work& work) {
  Segment end{EVENT_SKY, FAR, SOLID_NONE, -1, 0, false, ONE, ZERO, ZERO};
  const Words& look_in = scene.look_in;
  const Words& trace_in = scene.trace_in;
  work[WORK_SEGMENTS] += 1;
  end.beyond = ray.folds > look_in[LOOK_MIRROR_FOLDS];
  if (!end.beyond) {
    Mirror mirror = mirror_hit(ray.o, ray.d, look_in, trace_in);
    end.t_end = mirror.t;
    end.axis = mirror.axis;
    if (end.axis >= 0) end.event = EVENT_MIRROR;
  }
  SolidHit solid = solid_hit(ray.o, ray.d, end.t_end, end.beyond, look_in, trace_in, scene.collider);
  end.t_end = solid.t;
  end.solid = solid.kind;
  if (end.solid != SOLID_NONE) end.event = EVENT_SOLID;
  if (end.beyond || (to_sun && end.event == EVENT_SOLID)) return end;
  if (trace_in[TRACE_HAS_SURFACE] > ZERO) {
    SurfaceHit hit = surface_hit(ray.o, ray.d, end.t_end, ray.sign, trace_in, scene.grid_in, scene.table, scene.value,
                                 work);
    end.broken = hit.broken;
    if (hit.t >= ZERO) {
      end.event = EVENT_LIQUID;
      end.t_end = hit.t;
      end.solid = SOLID_NONE;
      if (to_sun && (int)look_in[LOOK_LIQUID] != LIQUID_WATER) return end;
    }
  }
  if (scene.terrain_geometry[3] > ZERO) {
    float t = terrain_hit(ray.o, ray.d, end.t_end, trace_in, scene.terrain_geometry, scene.terrain);
    if (t >= ZERO) {
      end.event = EVENT_SOLID;
      end.t_end = t;
      end.solid = SOLID_TERRAIN;
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
      end.event = EVENT_FOG;
      end.t_end = walk.t;
      end.solid = SOLID_NONE;
    }
  }
  return end;
}
