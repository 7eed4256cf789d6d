#include "trace_sky.cuh"
// How a point of lava, ground or rippled water looks: the CUDA side of trace_look.py.

struct LavaLook {
  float3 n;
  float temperature, factor;  // for the glow; of the albedo
};

struct TerrainLook {
  float3 n, albedo;
};

// Sum of noise octaves with its gradient; `ridge` sums 1 - 2|noise| instead: sharp crests. 0 beyond NOISE_REACH: what is
// that fine against its distance averages out, and the lattice's numbers stay far below 2^31.
__device__ __noinline__ Noise fractal(float x, float y, float z, int octaves, bool ridge) {
  if (!(fabsf(x) < NOISE_REACH && fabsf(y) < NOISE_REACH && fabsf(z) < NOISE_REACH)) octaves = 0;
  Noise sum{ZERO, ZERO, ZERO, ZERO};
  // Columns of the rotation that octave n has been through (about z, then about x)
  float ax = ONE, ay = ZERO, az = ZERO;
  float bx = ZERO, by = ONE, bz = ZERO;
  float cx = ZERO, cy = ZERO, cz = ONE;
#pragma unroll 1
  for (int n = 0; n < octaves; ++n) {
    // Powers of two: made of the octave's number, they need no register in the loop
    float scale = bits_float((127 + n) << 23), weight = bits_float((126 - n) << 23);
    float px = (ax * x + ay * y + az * z) * scale + (float)n * 17.3f;
    float py = (bx * x + by * y + bz * z) * scale - (float)n * 9.1f;
    float pz = (cx * x + cy * y + cz * z) * scale + (float)n * 5.7f;
    Noise v = noise_gradient(px, py, pz);
    if (ridge) {
      if (v.value > ZERO) {
        v.x = -TWO * v.x;
        v.y = -TWO * v.y;
        v.z = -TWO * v.z;
        v.value = ONE - TWO * v.value;
      } else {
        v.x = TWO * v.x;
        v.y = TWO * v.y;
        v.z = TWO * v.z;
        v.value = ONE + TWO * v.value;
      }
    }
    sum.value = sum.value + weight * v.value;
    float slope = weight * scale;
    sum.x = sum.x + slope * (ax * v.x + bx * v.y + cx * v.z);
    sum.y = sum.y + slope * (ay * v.x + by * v.y + cy * v.z);
    sum.z = sum.z + slope * (az * v.x + bz * v.y + cz * v.z);
    // Turn a and b, then the new b and c
    float old_x = ax, old_y = ay, old_z = az;
    ax = TURN_COS * old_x + TURN_SIN * bx;
    ay = TURN_COS * old_y + TURN_SIN * by;
    az = TURN_COS * old_z + TURN_SIN * bz;
    bx = TURN_COS * bx - TURN_SIN * old_x;
    by = TURN_COS * by - TURN_SIN * old_y;
    bz = TURN_COS * bz - TURN_SIN * old_z;
    old_x = bx;
    old_y = by;
    old_z = bz;
    bx = TURN_COS * old_x + TURN_SIN * cx;
    by = TURN_COS * old_y + TURN_SIN * cy;
    bz = TURN_COS * old_z + TURN_SIN * cz;
    cx = TURN_COS * cx - TURN_SIN * old_x;
    cy = TURN_COS * cy - TURN_SIN * old_y;
    cz = TURN_COS * cz - TURN_SIN * old_z;
  }
  return sum;
}

// Normal of a surface that is displaced along n by slope * (noise with gradient g).
__device__ __forceinline__ float3 tilt(float3 n, float gx, float gy, float gz, float slope) {
  float along = gx * n.x + gy * n.y + gz * n.z;
  return normalise(n.x - slope * (gx - along * n.x), n.y - slope * (gy - along * n.y),
                   n.z - slope * (gz - along * n.z));
}

// Normal, temperature for the glow and albedo factor of a point of lava.
__device__ __forceinline__ LavaLook lava_look(float3 p, float3 n, float heat, const Words& look_in) {
  float scale = look_in[LOOK_LAVA_SCALE];
  if (scale <= ZERO) return LavaLook{n, heat, ONE};
  float inverse = ONE / scale;
  // Warp the plates so that they look torn, not grown on a lattice
  float x = p.x * inverse * HALF, y = p.y * inverse * HALF, z = p.z * inverse * HALF;
  const float warp = 0.35f;
  Noise plates;
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {
    plates = fractal(x, y, z, pass == 0 ? 2 : OCTAVES, pass != 0);
    x = p.x * inverse + warp * plates.x;
    y = p.y * inverse + warp * plates.y;
    z = p.z * inverse + warp * plates.z;
  }
  // plates is high on the crests of the ridges: those are the cracks
  float crust = (0.75f - plates.value) * 1.1f;
  if (crust < ZERO) crust = ZERO;
  if (crust > ONE) crust = ONE;
  float temperature = heat - look_in[LOOK_LAVA_CRUST_K] * crust;
  n = tilt(n, -plates.x, -plates.y, -plates.z, look_in[LOOK_LAVA_BUMP] * HALF);
  return LavaLook{n, temperature, 0.6f + 0.8f * crust};
}

// Normal and albedo of a point of the ground.
__device__ __forceinline__ TerrainLook terrain_look(float3 p, float3 n, const Words& look_in) {
  float scale = look_in[LOOK_TERRAIN_SCALE];
  float mottle = ZERO;
  float steep = look_in[LOOK_TERRAIN_STEEP];
  float flat = n.z;
  if (scale > ZERO) {
    float inverse = ONE / scale;
    Noise noise = fractal(p.x * inverse, p.y * inverse, p.z * inverse, 6, false);
    mottle = noise.value;
    n = tilt(n, noise.x, noise.y, noise.z, look_in[LOOK_TERRAIN_BUMP]);
    flat = flat + 0.25f * mottle;
  }
  float share = (flat - steep) * 6.0f + HALF;
  if (share < ZERO) share = ZERO;
  if (share > ONE) share = ONE;
  float light = ONE + 0.6f * mottle;
  float wet = look_in[LOOK_TERRAIN_WET_Z] + 0.15f * mottle * scale;
  if (p.z < wet) light = light * 0.45f;
  float3 albedo = words3(look_in, LOOK_TERRAIN_B_R);
  albedo = make_float3(albedo.x + (look_in[LOOK_TERRAIN_A_R] - albedo.x) * share,
                       albedo.y + (look_in[LOOK_TERRAIN_A_R + 1] - albedo.y) * share,
                       albedo.z + (look_in[LOOK_TERRAIN_A_R + 2] - albedo.z) * share);
  return TerrainLook{n, albedo_of(albedo, light)};
}

// Noise of the small waves at a point of water, or of the water plane outside, drifting with time.
__device__ __forceinline__ Noise ripples(float3 p, bool plane, const Words& look_in) {
  float inverse = ONE / look_in[plane ? LOOK_PLANE_SCALE : LOOK_RIPPLE_SCALE];
  float drift = look_in[LOOK_TIME] * 0.35f;
  float z = plane ? drift : p.z * inverse - drift;
  return fractal(p.x * inverse + drift, p.y * inverse, z, plane ? OCTAVES : 3, false);
}

// Normal of water with small waves that noise makes.
__device__ __forceinline__ float3 ripple_normal(float3 n, const Noise& noise, const Words& look_in) {
  return tilt(n, noise.x, noise.y, noise.z, look_in[LOOK_RIPPLE]);
}

// Normal of the water plane outside: ripples whose short waves fade with distance (m).
__device__ __forceinline__ float3 plane_normal(const Noise& noise, float distance, const Words& look_in) {
  float inverse = ONE / look_in[LOOK_PLANE_SCALE];
  float far = distance * inverse * 0.004f;
  float slope = look_in[LOOK_PLANE_RIPPLE] / (ONE + far);
  float gx = noise.x, gy = noise.y;
  float length = sqrtf(gx * gx + gy * gy);
  const float limit = THREE;  // a slope that a wave can have
  if (length > limit) {
    gx = gx * limit / length;
    gy = gy * limit / length;
  }
  return normalise(-gx * slope, -gy * slope, ONE);
}
