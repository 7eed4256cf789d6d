#include "common.cuh"
#include "solid_face.cuh"

// Boundary conditions and driven forces at one grid node. See mpm_collide.py.

__device__ __forceinline__ float clamp01(float x) {
  if (x < ZERO) return ZERO;
  if (x > ONE) return ONE;
  return x;
}

__device__ __forceinline__ float smooth(float x) {
  x = clamp01(x);
  return x * x * (THREE - TWO * x);
}

// The driven flow at a point; (e_x, e_y) is the radial direction.
struct VortexTarget {
  float u, v, w, e_x, e_y;
  float centripetal;  // 1/s
  float weight;       // 0..1
};

__device__ __forceinline__ VortexTarget vortex_target(
    Array<const float> force_in, float time_s, float x, float y, float z) {
  VortexTarget none = {ZERO, ZERO, ZERO, ONE, ZERO, ZERO, ZERO};
  float z_low = force_in[VORTEX_Z_LOW], z_high = force_in[VORTEX_Z_HIGH];
  float core = force_in[VORTEX_CORE] + force_in[VORTEX_FLARE] * (z - z_low);
  if (z <= z_low || z >= z_high || core <= ZERO) return none;
  float height = (z - z_low) / (z_high - z_low);
  float sway = force_in[VORTEX_SWAY] * height;
  float2 turn = sin_cos_f32(SWAY_RATE * time_s + SWAY_TWIST * height);
  float dx = x - (force_in[VORTEX_X] + sway * turn.x);
  float dy = y - (force_in[VORTEX_Y] + sway * turn.y);
  float r = sqrtf(dx * dx + dy * dy);
  float reach = force_in[VORTEX_REACH];
  float beyond = (r - reach) / (FADE_BAND * reach);
  if (beyond >= ONE) return none;
  VortexTarget target;
  target.weight = (ONE - smooth(beyond)) * smooth((z - z_low) / core) * smooth((ONE - height) / TOP_BAND);
  float inverse_r = ONE / (r + TINY);
  target.e_x = dx * inverse_r;
  target.e_y = dy * inverse_r;
  float q = r / core;
  // Swirl is anticlockwise seen from above; angular = v_t / r stays finite on the axis
  float angular = force_in[VORTEX_SWIRL] * TWO / (core * (ONE + q * q));
  float excess = q - ONE;
  float distance = excess;
  if (distance < ZERO) distance = -distance;
  float radial = -force_in[VORTEX_INFLOW] * excess / (ONE + distance);
  target.u = radial * target.e_x - angular * dy;
  target.v = radial * target.e_y + angular * dx;
  float q2 = q * q;
  target.w = force_in[VORTEX_UPDRAFT] / (ONE + q2 * q2);
  target.centripetal = angular;
  return target;
}

// Velocity of a node after one step of the vortex.
__device__ __forceinline__ float3 apply_vortex(
    float x, float y, float z, float3 v, float dt, float time_s, Array<const float> force_in) {
  VortexTarget target = vortex_target(force_in, time_s, x, y, z);
  if (target.weight <= ZERO) return v;
  float rate = force_in[VORTEX_RATE] * target.weight * dt;
  float gain = rate / (ONE + rate);
  float tangential = v.y * target.e_x - v.x * target.e_y;
  float pull = target.centripetal * tangential * target.weight * dt;
  float vx = v.x + (target.u - v.x) * gain - pull * target.e_x;
  float vy = v.y + (target.v - v.y) * gain - pull * target.e_y;
  return make_float3(vx, vy, v.z + (target.w - v.z) * gain);
}

// Height of the terrain (m) at (x, y): bilinear between the points, clamped outside them.
__device__ __forceinline__ float terrain_height(
    Array<const float> terrain_geometry_in, Array<const float> terrain_in, float x, float y) {
  int count_x = (int)terrain_in.shape0, count_y = terrain_in.shape1;
  float spacing = terrain_geometry_in[2];
  float a = (x - terrain_geometry_in[0]) / spacing;
  float b = (y - terrain_geometry_in[1]) / spacing;
  float last_a = (float)(count_x - 1), last_b = (float)(count_y - 1);
  if (!(a > ZERO)) a = ZERO;  // NaN too, which is the number of no height
  if (a > last_a) a = last_a;
  if (!(b > ZERO)) b = ZERO;
  if (b > last_b) b = last_b;
  int i = (int)a, j = (int)b;
  if (i > count_x - 2) i = count_x - 2;
  if (j > count_y - 2) j = count_y - 2;
  float fa = a - (float)i, fb = b - (float)j;
  long long at = (long long)i * count_y + j;
  float h00 = terrain_in[at], h01 = terrain_in[at + 1];
  float h10 = terrain_in[at + count_y], h11 = terrain_in[at + count_y + 1];
  float low = h00 + (h10 - h00) * fa;
  float high = h01 + (h11 - h01) * fa;
  return low + (high - low) * fb;
}

// Unit normal of the terrain at (x, y), by central differences over one spacing.
__device__ __forceinline__ float3 terrain_normal(
    Array<const float> terrain_geometry_in, Array<const float> terrain_in, float x, float y) {
  float half = HALF * terrain_geometry_in[2];
  float slope_x = terrain_height(terrain_geometry_in, terrain_in, x + half, y) -
                  terrain_height(terrain_geometry_in, terrain_in, x - half, y);
  float slope_y = terrain_height(terrain_geometry_in, terrain_in, x, y + half) -
                  terrain_height(terrain_geometry_in, terrain_in, x, y - half);
  float spacing = terrain_geometry_in[2];
  float inverse = ONE / sqrtf(slope_x * slope_x + slope_y * slope_y + spacing * spacing);
  return make_float3(-slope_x * inverse, -slope_y * inverse, spacing * inverse);
}

// Signed distance (m) to collider `c`; very far for a row of kind 0.
__device__ __forceinline__ float collider_distance_one(
    Array<const float> collider_in, int c, float x, float y, float z) {
  long long row = (long long)c * COLLIDER_WORDS;
  long long a = row + COLLIDER_A, b = row + COLLIDER_B;
  int kind = (int)collider_in[row + COLLIDER_KIND];
  if (kind == 0) return FAR;
  float px = x - collider_in[a];
  float py = y - collider_in[a + 1];
  float pz = z - collider_in[a + 2];
  if (kind == COLLIDER_SPHERE) return sqrtf(px * px + py * py + pz * pz) - collider_in[b];
  float rounding = collider_in[row + COLLIDER_C];
  if (kind == COLLIDER_CAPSULE) {
    float bx = collider_in[b] - collider_in[a];
    float by = collider_in[b + 1] - collider_in[a + 1];
    float bz = collider_in[b + 2] - collider_in[a + 2];
    float h = clamp01((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + TINY));
    float qx = px - bx * h, qy = py - by * h, qz = pz - bz * h;
    return sqrtf(qx * qx + qy * qy + qz * qz) - rounding;
  }
  if (kind == COLLIDER_VESSEL) return collider_in[b] - sqrtf(px * px + py * py);
  float qx, qy;
  if (kind == COLLIDER_BOX) {
    qx = fabsf(px) - (collider_in[b] - rounding);
    qy = fabsf(py) - (collider_in[b + 1] - rounding);
  } else {  // COLLIDER_CYLINDER
    qx = sqrtf(px * px + py * py) - (collider_in[b] - rounding);
    qy = -FAR;
  }
  float qz = fabsf(pz) - (collider_in[b + 2] - rounding);
  // Outside: length of the positive parts; inside: the least negative part
  float inside = qx;
  if (qy > inside) inside = qy;
  if (qz > inside) inside = qz;
  if (inside > ZERO) inside = ZERO;
  if (qx < ZERO) qx = ZERO;
  if (qy < ZERO) qy = ZERO;
  if (qz < ZERO) qz = ZERO;
  return sqrtf(qx * qx + qy * qy + qz * qz) + inside - rounding;
}

// Signed distance (m) to the nearest of all colliders.
__device__ __forceinline__ float collider_distance(Array<const float> collider_in, float x, float y, float z) {
  float nearest = FAR;
  for (int c = 0; c < (int)collider_in.shape0; ++c) {
    float d = collider_distance_one(collider_in, c, x, y, z);
    if (d < nearest) nearest = d;
  }
  return nearest;
}

// Velocity that the boundary kind leaves at a node inside a solid with outward normal n; grip (s/m) of its skin.
__device__ __forceinline__ float3 at_boundary(int boundary, float grip, float nx, float ny, float nz, float3 v) {
  if (boundary == BOUNDARY_STICK) return make_float3(ZERO, ZERO, ZERO);
  float into = v.x * nx + v.y * ny + v.z * nz;
  if (boundary == BOUNDARY_SLIP || into < ZERO) {
    v = make_float3(v.x - into * nx, v.y - into * ny, v.z - into * nz);
    if (boundary == BOUNDARY_SEPARATE && grip > ZERO) {
      float slowed = ONE / (ONE + grip * sqrtf(v.x * v.x + v.y * v.y + v.z * v.z));
      v = make_float3(v.x * slowed, v.y * slowed, v.z * slowed);
    }
  }
  return v;
}

// The grip of a node so many cells below the outermost that a solid holds: of one layer, its surface's.
__device__ __forceinline__ float skin_of(float grip, float depth) { return depth < ONE ? grip : ZERO; }

// Velocity that collider `c` leaves at a node that it holds.
__device__ __forceinline__ float3 at_solid(
    int boundary, float grip, Array<const float> collider_in, int c, float cell_size_m, float x, float y, float z,
    float3 v) {
  Face face = collider_normal_one(collider_in, c, x, y, z);
  if (face.x == ZERO && face.y == ZERO && face.z == ZERO) {
    boundary = BOUNDARY_STICK;
  } else if (boundary == BOUNDARY_SEPARATE && face.thickness <= THIN * cell_size_m) {
    boundary = BOUNDARY_SLIP;
  }
  v = at_boundary(boundary, grip, face.x, face.y, face.z, v);
  return kept_out(collider_in, c, DEEP * cell_size_m, x, y, z, v);
}

// Velocity of the node at (x, y, z) after vortex, colliders, terrain and walls; w: the share of it that they leave free.
__device__ __forceinline__ float4 apply_forces_and_boundaries(
    float x, float y, float z, float3 v, float grip, int cells_x, int cells_y, int cells_z, float cell_size_m,
    Array<const float> step_in, Array<const float> force_in, Array<const int> walls_in, Array<const float> collider_in,
    Array<const float> terrain_geometry_in, Array<const float> terrain_in) {
  if (force_in[VORTEX_ON] != ZERO) v = apply_vortex(x, y, z, v, step_in[STEP_DT], step_in[STEP_TIME], force_in);
  float contact = CONTACT * cell_size_m, inverse = ONE / cell_size_m;
  float share = ONE, since_s = step_in[STEP_TIME] - step_in[STEP_FRAME_TIME];
  for (int c = 0; c < (int)collider_in.shape0; ++c) {
    long long row = (long long)c * COLLIDER_WORDS;
    if (collider_in[row + COLLIDER_KIND] != ZERO) {
      float wx = collider_in[row + COLLIDER_VELOCITY], wy = collider_in[row + COLLIDER_VELOCITY + 1];
      float wz = collider_in[row + COLLIDER_VELOCITY + 2];
      float px = x - wx * since_s, py = y - wy * since_s, pz = z - wz * since_s;
      float d = collider_distance_one(collider_in, c, px, py, pz);
      share = share * free_share(d * inverse + SETTLED);
      if (d <= contact) {
        float skin = skin_of(grip, (contact - d) * inverse);
        bool moves = wx != ZERO || wy != ZERO || wz != ZERO;
        if (moves) v = make_float3(v.x - wx, v.y - wy, v.z - wz);
        v = at_solid((int)collider_in[row + COLLIDER_FRICTION], skin, collider_in, c, cell_size_m, px, py, pz, v);
        if (moves) v = make_float3(v.x + wx, v.y + wy, v.z + wz);
      }
    }
  }
  if (terrain_geometry_in[3] != ZERO) {
    float above = z - terrain_height(terrain_geometry_in, terrain_in, x, y);
    if (above <= NEAR * cell_size_m) {
      float3 n = terrain_normal(terrain_geometry_in, terrain_in, x, y);
      share = share * free_share(above * n.z * inverse + SETTLED);
      if (above <= contact) {
        float skin = skin_of(grip, (contact - above) * n.z * inverse);
        v = at_boundary((int)terrain_geometry_in[3] - 1, skin, n.x, n.y, n.z, v);
      }
    }
  }
  // Walls: nodes are whole cells away from them
  float i = x * inverse, j = y * inverse, k = z * inverse;
  float beyond_x = (float)(cells_x - WALL_CELLS), beyond_y = (float)(cells_y - WALL_CELLS);
  float beyond_z = (float)(cells_z - WALL_CELLS), low = (float)WALL_CELLS;
  if (i < low + HALF) v = at_boundary(walls_in[0], skin_of(grip, low + HALF - i), ONE, ZERO, ZERO, v);
  if (i > beyond_x - HALF) v = at_boundary(walls_in[1], skin_of(grip, i - beyond_x + HALF), -ONE, ZERO, ZERO, v);
  if (j < low + HALF) v = at_boundary(walls_in[2], skin_of(grip, low + HALF - j), ZERO, ONE, ZERO, v);
  if (j > beyond_y - HALF) v = at_boundary(walls_in[3], skin_of(grip, j - beyond_y + HALF), ZERO, -ONE, ZERO, v);
  if (k < low + HALF) v = at_boundary(walls_in[4], skin_of(grip, low + HALF - k), ZERO, ZERO, ONE, v);
  if (k > beyond_z - HALF) v = at_boundary(walls_in[5], skin_of(grip, k - beyond_z + HALF), ZERO, ZERO, -ONE, v);
  share = share * (free_share(i - low) * free_share(beyond_x - i));
  share = share * (free_share(j - low) * free_share(beyond_y - j));
  share = share * (free_share(k - low) * free_share(beyond_z - k));
  return make_float4(v.x, v.y, v.z, share);
}
