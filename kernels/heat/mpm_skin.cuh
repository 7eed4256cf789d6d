#include "common.cuh"
#include "mpm_collide.cuh"

// How much free surface a node of the grid stands for. See mpm_skin.py.

// What a node can be covered by, and how large its cell is.
struct Solids {
  float cell_size_m;
  float level;  // cosine of the terrain's slope
  float wall;   // low walls, all of one coordinate
  float high_x;
  float high_y;
  Array<const float> collider_in;
  Array<const float> terrain_geometry_in;
  Array<const float> terrain_in;
};

// Cosine of the terrain's slope: what a height over it has to be multiplied by to be a distance.
__device__ __forceinline__ float terrain_level(
    Array<const float> terrain_geometry_in, Array<const float> terrain_in, float x, float y) {
  if (terrain_geometry_in[3] == (float)TERRAIN_OFF) return ONE;
  return terrain_normal(terrain_geometry_in, terrain_in, x, y).z;
}

// Share of a node's quadratic B-spline on the near side of a plane at a signed distance (m).
__device__ __forceinline__ float open_share(float distance, float cell_size_m) {
  const float t = distance / cell_size_m;
  const float a = fabsf(t);
  float beyond = ZERO;
  if (a < SPLINE_REACH) {
    if (a > HALF) {
      beyond = (SPLINE_REACH - a) * (SPLINE_REACH - a) * (SPLINE_REACH - a) * SIXTH;
    } else {
      beyond = HALF - a * (THREE_QUARTERS - a * a * THIRD);
    }
  }
  return t > ZERO ? ONE - beyond : beyond;
}

// Share of the spline of a node at (x, y, z) in no solid: exact for flat ones that are square to each other.
__device__ __forceinline__ float open_share_at(float x, float y, float z, const Solids& solids) {
  const float cell = solids.cell_size_m, wall = solids.wall;
  float share = open_share(x - wall, cell) * open_share(solids.high_x - x, cell);
  share *= open_share(y - wall, cell) * open_share(solids.high_y - y, cell);
  share *= open_share(z - wall, cell);
  if (solids.terrain_geometry_in[3] != (float)TERRAIN_OFF) {
    const float height = terrain_height(solids.terrain_geometry_in, solids.terrain_in, x, y);
    share *= open_share((z - height) * solids.level, cell);
  }
  return share * open_share(collider_distance(solids.collider_in, x, y, z), cell);
}

// Whether a solid at a distance (m) faces the surface, with its distance (m) at the look's start.
__device__ __forceinline__ bool covers(float near, float start, float facing, float touch) {
  return near < touch && start - near > facing;
}

// Whether the outward normal, a cell long, leads into a solid that faces the surface; the domain's top is open.
__device__ __forceinline__ bool is_covered(
    float x, float y, float z, float out_x, float out_y, float out_z, const Solids& solids) {
  const float from_x = x - out_x, from_y = y - out_y, from_z = z - out_z;
  const float cell = solids.cell_size_m, wall = solids.wall;
  const float touch = TOUCH * cell;
#pragma unroll 1
  for (int n = 0; n < LOOKS; n++) {
    const float look = LOOK_FIRST + LOOK_STEP * (float)n;
    const float facing = FACING * (ONE + look) * cell;
    const float to_x = x + look * out_x, to_y = y + look * out_y, to_z = z + look * out_z;
    if (covers(to_x - wall, from_x - wall, facing, touch)) return true;
    if (covers(solids.high_x - to_x, solids.high_x - from_x, facing, touch)) return true;
    if (covers(to_y - wall, from_y - wall, facing, touch)) return true;
    if (covers(solids.high_y - to_y, solids.high_y - from_y, facing, touch)) return true;
    if (covers(to_z - wall, from_z - wall, facing, touch)) return true;
    if (solids.terrain_geometry_in[3] != (float)TERRAIN_OFF) {
      const float high_to = terrain_height(solids.terrain_geometry_in, solids.terrain_in, to_x, to_y);
      const float high_from = terrain_height(solids.terrain_geometry_in, solids.terrain_in, from_x, from_y);
      if (covers((to_z - high_to) * solids.level, (from_z - high_from) * solids.level, facing, touch)) return true;
    }
    for (int c = 0; c < (int)solids.collider_in.shape0; c++) {
      const float near = collider_distance_one(solids.collider_in, c, to_x, to_y, to_z);
      const float start = collider_distance_one(solids.collider_in, c, from_x, from_y, from_z);
      if (covers(near, start, facing, touch)) return true;
    }
  }
  return false;
}

// How far a node's open share holds liquid; 1 inside a solid.
__device__ __forceinline__ float filled_share(float fill, float opened) {
  const float enough = FILLED * opened;
  return fill >= enough ? ONE : fill / enough;
}

// How much emptier a neighbour is, times the open share of the face between.
__device__ __forceinline__ float drop_to(float own, float own_open, float fill, float opened) {
  const float less = own - filled_share(fill, opened);
  if (less <= ZERO) return ZERO;
  return less * (opened < own_open ? opened : own_open);
}

// Free surface (m^2) over liquid (m^3) of the node at (x, y, z), 1/m; around: its neighbours' fills, x- x+ y- y+ z- z+.
__device__ __forceinline__ float free_surface(
    float x, float y, float z, float fill, float (&around)[6], const Solids& solids) {
  const float cell = solids.cell_size_m;
  const float own_open = open_share_at(x, y, z, solids);
  const float own = filled_share(fill, own_open);
  const float own_density = fill / (own_open < OPEN_MIN ? OPEN_MIN : own_open);
  float drop_x = ZERO, drop_y = ZERO, drop_z = ZERO, slope_x = ZERO, slope_y = ZERO, slope_z = ZERO;
#pragma unroll 1
  for (int n = 0; n < 6; n++) {
    const float step = n % 2 == 0 ? -cell : cell;
    const float beside_x = n < 2 ? x + step : x, beside_y = n / 2 == 1 ? y + step : y, beside_z = n >= 4 ? z + step : z;
    const float opened = open_share_at(beside_x, beside_y, beside_z, solids);
    // The next one steps up to the front: an index that is no constant would put them all into memory
    const float other = around[0];
#pragma unroll
    for (int m = 0; m < 5; m++) around[m] = around[m + 1];
    const float drop = drop_to(own, own_open, other, opened);
    float density = opened <= OPEN_MIN ? own_density : other / opened;
    if (n % 2 == 0) density = -density;
    if (n < 2) {
      drop_x += drop;
      slope_x += density;
    } else if (n < 4) {
      drop_y += drop;
      slope_y += density;
    } else {
      drop_z += drop;
      slope_z += density;
    }
  }
  const float steep = sqrtf(slope_x * slope_x + slope_y * slope_y + slope_z * slope_z);
  if (steep < STEEP) {  // both sides of a sheet, a drop
    return sqrtf(drop_x * drop_x + drop_y * drop_y + drop_z * drop_z) / (fill * cell);
  }
  const float area = (drop_x * fabsf(slope_x) + drop_y * fabsf(slope_y) + drop_z * fabsf(slope_z)) / steep;
  if (area <= ZERO) return ZERO;
  const float scale = cell / steep;
  if (is_covered(x, y, z, -slope_x * scale, -slope_y * scale, -slope_z * scale, solids)) return ZERO;
  return area / (fill * cell);
}
