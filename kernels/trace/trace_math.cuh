#include "common.cuh"
// Random numbers, directions, sampling, Fresnel, bricks, noise: the CUDA side of trace_math.py.

// A parameter vector (look, sky, trace, camera), passed by value: its words come from the constant bank, and leave the
// first-level cache to the look-ups. Handed on by reference, or a thread would make a copy of its own. All are of one
// length: with lengths of their own ptxas keeps more of them in registers than sm_90 has.
struct Words {
  float word[PARAMETER_WORDS];
  __device__ __forceinline__ float operator[](int i) const { return word[i]; }
};

// A longer one, in memory.
struct Table {
  Array<const float> array;
  __device__ __forceinline__ float operator[](int i) const { return __ldg(&array[i]); }
};

struct Box {
  float t0, t1;
};

struct Fresnel {
  float reflectance, cosine_out;
};

// Value and gradient of noise.
struct Noise {
  float value, x, y, z;
};

// Four uniform numbers in [0, 1) for one draw of one path; dimension counts the draws.
__device__ __forceinline__ float4 random4(unsigned pixel, unsigned sample, unsigned dimension, unsigned seed) {
  uint4 word = pcg4d(pixel, sample, dimension, seed);
  return make_float4(unit_float(word.x), unit_float(word.y), unit_float(word.z), unit_float(word.w));
}

// 1 / d, finite for any d.
__device__ __forceinline__ float inverse_slope(float d) {
  if (fabsf(d) < SMALLEST_SLOPE) d = d >= ZERO ? SMALLEST_SLOPE : -SMALLEST_SLOPE;
  return ONE / d;
}

// The unit vector along (x, y, z); straight up for a null vector.
__device__ __forceinline__ float3 normalise(float x, float y, float z) {
  float square = x * x + y * y + z * z;
  if (square < TINY) return make_float3(ZERO, ZERO, ONE);
  float inverse = ONE / sqrtf(square);
  return make_float3(x * inverse, y * inverse, z * inverse);
}

// The direction at polar angle (sine, cosine) and azimuth phi around n (frame: Duff et al. 2017).
__device__ __forceinline__ float3 around(float3 n, float sine, float cosine, float phi) {
  float sign = n.z >= ZERO ? ONE : -ONE;
  float a = -ONE / (sign + n.z);
  float b = n.x * n.y * a;
  float3 t = make_float3(ONE + sign * n.x * n.x * a, sign * b, -sign * n.x);
  float3 u = make_float3(b, sign + n.y * n.y * a, -n.y);
  float2 angle = sin_cos_f32(phi);
  float s = angle.x * sine, c = angle.y * sine;
  return normalise(t.x * c + u.x * s + n.x * cosine, t.y * c + u.y * s + n.y * cosine,
                   t.z * c + u.z * s + n.z * cosine);
}

// Direction uniform in the cone about a.
__device__ __forceinline__ float3 sample_cone(float3 a, float cosine_min, float u, float v) {
  float drop = u * (ONE - cosine_min);
  float cosine = ONE - drop;
  return around(a, sqrtf(drop * (TWO - drop)), cosine, TWO_PI * v);
}

// Henyey-Greenstein phase function, 1/sr; cosine between travel directions.
__device__ __forceinline__ float phase_hg(float cosine, float g) {
  float denominator = ONE + g * g - TWO * g * cosine;
  return INV_FOUR_PI * (ONE - g * g) / (denominator * sqrtf(denominator));
}

// Cosine of a scattering angle, distributed as phase_hg.
__device__ __forceinline__ float phase_cosine(float g, float u) {
  if (fabsf(g) < 1.0e-3f) return ONE - TWO * u;
  float s = (ONE - g * g) / (ONE - g + TWO * g * u);
  float cosine = (ONE + g * g - s * s) / (TWO * g);
  if (cosine > ONE) cosine = ONE;
  if (cosine < -ONE) cosine = -ONE;
  return cosine;
}

// Reflectance of unpolarised light and cosine inside; eta = index beyond / index before; 1 at total reflection.
__device__ __forceinline__ Fresnel fresnel(float cosine_in, float eta) {
  float sine2 = (ONE - cosine_in * cosine_in) / (eta * eta);
  if (sine2 >= ONE) return Fresnel{ONE, ZERO};
  float cosine_out = sqrtf(ONE - sine2);
  float parallel = (eta * cosine_in - cosine_out) / (eta * cosine_in + cosine_out);
  float normal = (cosine_in - eta * cosine_out) / (cosine_in + eta * cosine_out);
  return Fresnel{HALF * (parallel * parallel + normal * normal), cosine_out};
}

// One axis of clip_box: a, b are the distances to the two sides.
__device__ __forceinline__ Box clip_axis(Box box, float a, float b) {
  if (a > b) {
    float c = a;
    a = b;
    b = c;
  }
  if (a > box.t0) box.t0 = a;
  if (b < box.t1) box.t1 = b;
  return box;
}

// The stretch of a ray with inverse direction i in the box whose corners stand at two slots; empty where t0 >= t1.
__device__ __forceinline__ Box clip_box(float3 o, float3 i, const Words& trace_in, int low, int high, float t_end) {
  Box box{ZERO, t_end};
  box = clip_axis(box, (trace_in[low] - o.x) * i.x, (trace_in[high] - o.x) * i.x);
  box = clip_axis(box, (trace_in[low + 1] - o.y) * i.y, (trace_in[high + 1] - o.y) * i.y);
  return clip_axis(box, (trace_in[low + 2] - o.z) * i.z, (trace_in[high + 2] - o.z) * i.z);
}

// Index of the brick that holds x (in bricks), kept inside 0 .. count - 1. Compared before it is converted, so that
// no x is too large for an int.
__device__ __forceinline__ int brick_coordinate(float x, int count) {
  if (!(x > ZERO)) return 0;
  return x >= (float)count ? count - 1 : (int)x;
}

// Trilinear value in a brick at (x, y, z) in voxels from its corner, each in [0, 8]: along y, x, then z.
__device__ __forceinline__ float brick_value(Array<const float> value, int brick, float x, float y, float z,
                                             int channel) {
  int i = (int)x, j = (int)y, k = (int)z;
  if (i > 7) i = 7;
  if (j > 7) j = 7;
  if (k > 7) k = 7;
  float fx = x - (float)i, fy = y - (float)j, fz = z - (float)k;
  long long n = (long long)brick * (SURFACE_CHANNELS * BRICK_NODES) +
                (SURFACE_CHANNELS * ((i * BRICK_NODES_EDGE + j) * BRICK_NODES_EDGE + k) + channel);
  // Steps of one node along z, y and x, in words
  const int dz = SURFACE_CHANNELS, dy = BRICK_ROW, dx = BRICK_PLANE;
  float a0 = load(value, n), a1 = load(value, n + dy);
  float b0 = load(value, n + dz), b1 = load(value, n + dy + dz);
  float c0 = load(value, n + dx), c1 = load(value, n + dx + dy);
  float d0 = load(value, n + dx + dz), d1 = load(value, n + dx + dy + dz);
  float near_low = __fmaf_rn(fy, a1 - a0, a0), near_high = __fmaf_rn(fy, b1 - b0, b0);
  float far_low = __fmaf_rn(fy, c1 - c0, c0), far_high = __fmaf_rn(fy, d1 - d0, d0);
  float low = __fmaf_rn(fx, far_low - near_low, near_low);
  float high = __fmaf_rn(fx, far_high - near_high, near_high);
  return __fmaf_rn(fz, high - low, low);
}

// x kept in [0, 8], a brick's own range in voxels; NaN gives 0, so that it leads to no place outside the brick.
__device__ __forceinline__ float clamp_brick(float x) {
  if (!(x > ZERO)) return ZERO;
  if (x > 8.0f) return 8.0f;
  return x;
}

// A number of a lattice point: good enough to look at, cheap enough for every hit.
__device__ __forceinline__ unsigned lattice_hash(int i, int j, int k) {
  unsigned h = ((unsigned)i * PX) ^ ((unsigned)j * PY);
  h = h ^ ((unsigned)k * PZ);
  h = h ^ (h >> 15);
  h = h * MIX;
  return h ^ (h >> 14);
}

// Value in [-1, 1) of a lattice point.
__device__ __forceinline__ float corner(int i, int j, int k) {
  return (float)(int)(lattice_hash(i, j, k) >> 8) * UNIT - ONE;
}

// Smooth value noise on the unit lattice, in [-1, 1], with its gradient.
__device__ __forceinline__ Noise noise_gradient(float x, float y, float z) {
  int i = floor_int(x), j = floor_int(y), k = floor_int(z);
  float fx = x - (float)i, fy = y - (float)j, fz = z - (float)k;
  const float six = 6.0f, fifteen = 15.0f, ten = 10.0f, thirty = 30.0f;
  float u = fx * fx * fx * (fx * (fx * six - fifteen) + ten);
  float v = fy * fy * fy * (fy * (fy * six - fifteen) + ten);
  float w = fz * fz * fz * (fz * (fz * six - fifteen) + ten);
  float du = thirty * fx * fx * (fx - ONE) * (fx - ONE);
  float dv = thirty * fy * fy * (fy - ONE) * (fy - ONE);
  float dw = thirty * fz * fz * (fz - ONE) * (fz - ONE);
  int i1 = i + 1, j1 = j + 1, k1 = k + 1;
  float a = corner(i, j, k), b = corner(i1, j, k);
  float c = corner(i, j1, k), d = corner(i1, j1, k);
  float e = corner(i, j, k1), f = corner(i1, j, k1);
  float g = corner(i, j1, k1), h = corner(i1, j1, k1);
  float q1 = b - a, q2 = c - a, q3 = e - a;
  float q4 = a - b - c + d, q5 = a - c - e + g, q6 = a - b - e + f;
  float q7 = -a + b + c - d + e - f - g + h;
  float value = a + q1 * u + q2 * v + q3 * w + q4 * u * v + q5 * v * w + q6 * w * u + q7 * u * v * w;
  float gx = du * (q1 + q4 * v + q6 * w + q7 * v * w);
  float gy = dv * (q2 + q5 * w + q4 * u + q7 * w * u);
  float gz = dw * (q3 + q6 * u + q5 * v + q7 * u * v);
  return Noise{value, gx, gy, gz};
}

// Smooth value noise on the unit lattice of a plane, in [-1, 1].
__device__ __forceinline__ float noise_flat(float x, float y) {
  int i = floor_int(x), j = floor_int(y), k = 0;
  float fx = x - (float)i, fy = y - (float)j;
  float u = fx * fx * (3.0f - TWO * fx);
  float v = fy * fy * (3.0f - TWO * fy);
  int i1 = i + 1, j1 = j + 1;
  float a = corner(i, j, k), b = corner(i1, j, k), c = corner(i, j1, k), d = corner(i1, j1, k);
  float low = a + (b - a) * u, high = c + (d - c) * u;
  return low + (high - low) * v;
}
