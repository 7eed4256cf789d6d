// The CUDA side of common.py: arrays, exact scalar operations, own mathematics, random numbers.
// Same names, same written order of operations.

#ifndef ARRAY_AT
#define ARRAY_AT(array, i) (array).data[i]
#endif

// An argument: data and shape of a C-contiguous NumPy or CuPy array; the index is that of the flat element.
template <class T>
struct Array {
  T* data;
  long long shape0;  // rows
  int shape1;        // 1 where the array has fewer dimensions
  int shape2;
  __device__ __forceinline__ T& operator[](long long i) const { return ARRAY_AT(*this, i); }
};

// Read or write several words at once; the flat index `word` is a multiple of their number.
__device__ __forceinline__ float4 load4(Array<const float> a, long long word) {
  return __ldg(reinterpret_cast<const float4*>(&a[word]));
}
__device__ __forceinline__ float4 load4(Array<float> a, long long word) {
  return *reinterpret_cast<const float4*>(&a[word]);
}
__device__ __forceinline__ int4 load4(Array<const int> a, long long word) {
  return __ldg(reinterpret_cast<const int4*>(&a[word]));
}
__device__ __forceinline__ int4 load4(Array<int> a, long long word) { return *reinterpret_cast<const int4*>(&a[word]); }
__device__ __forceinline__ void store4(Array<float> a, long long word, float4 value) {
  *reinterpret_cast<float4*>(&a[word]) = value;
}
__device__ __forceinline__ void store4(Array<int> a, long long word, int4 value) {
  *reinterpret_cast<int4*>(&a[word]) = value;
}
__device__ __forceinline__ float2 load2(Array<const float> a, long long word) {
  return __ldg(reinterpret_cast<const float2*>(&a[word]));
}
__device__ __forceinline__ float2 load2(Array<float> a, long long word) {
  return *reinterpret_cast<const float2*>(&a[word]);
}
__device__ __forceinline__ int2 load2(Array<const int> a, long long word) {
  return __ldg(reinterpret_cast<const int2*>(&a[word]));
}
__device__ __forceinline__ int2 load2(Array<int> a, long long word) { return *reinterpret_cast<const int2*>(&a[word]); }
__device__ __forceinline__ void store2(Array<float> a, long long word, float2 value) {
  *reinterpret_cast<float2*>(&a[word]) = value;
}
__device__ __forceinline__ void store2(Array<int> a, long long word, int2 value) {
  *reinterpret_cast<int2*>(&a[word]) = value;
}
// One word through the read-only cache.
template <class T>
__device__ __forceinline__ T load(Array<const T> a, long long word) {
  return __ldg(&a[word]);
}

// fma(a, b, c) of common.py is __fmaf_rn(a, b, c).
__device__ __forceinline__ float round_even(float x) { return rintf(x); }
__device__ __forceinline__ int float_bits(float x) { return __float_as_int(x); }
__device__ __forceinline__ float bits_float(int x) { return __int_as_float(x); }

// Largest int not above x; |x| < 2^31, which the caller sees to: beyond it no two machines agree.
__device__ __forceinline__ int floor_int(float x) {
  int whole = (int)x;
  if ((float)whole > x) whole = whole - 1;
  return whole;
}

// x * 2^n in two exact steps, so that results below the normal range round once.
__device__ __forceinline__ float scale_by_power_of_two(float x, int n) {
  int half = n >> 1;
  int rest = n - half;
  x = x * bits_float((half + 127) << 23);
  return x * bits_float((rest + 127) << 23);
}

// e^r 2^n for |r| <= ln(2) / 2 and a little more.
__device__ __forceinline__ float exp_reduced(float n, float r) {
  float p = __fmaf_rn(E0, r, E1);
  p = __fmaf_rn(p, r, E2);
  p = __fmaf_rn(p, r, E3);
  p = __fmaf_rn(p, r, E4);
  p = __fmaf_rn(p, r, E5);
  p = __fmaf_rn(p, r * r, r) + ONE;
  return scale_by_power_of_two(p, (int)n);
}

// e^x for every x. NaN gives NaN.
__device__ __forceinline__ float exp_f32(float x) {
  if (!(x <= EXP_MAX)) return x + INF;  // of NaN no whole number could be made
  if (x < EXP_MIN) return ZERO;
  float n = rintf(x * LOG2_E);
  float r = __fmaf_rn(n, -LN2_HIGH, x);
  return exp_reduced(n, __fmaf_rn(n, -LN2_LOW, r));
}

// x = m 2^e with m in [sqrt(1/2), sqrt(2)), for a normal x > 0.
struct Split {
  float e, m;
};
__device__ __forceinline__ Split split_f32(float x) {
  int bits = float_bits(x);
  int exponent = (bits >> 23) - 126;
  float m = bits_float((bits & 0x007FFFFF) | 0x3F000000);  // [0.5, 1)
  if (m < SQRT_HALF) {
    exponent = exponent - 1;
    m = m + m;
  }
  return Split{(float)exponent, m};
}

// Natural logarithm. 0 gives -inf, x < 0 NaN.
__device__ __forceinline__ float log_f32(float x) {
  float shift = ZERO;
  if (!(x >= MIN_NORMAL && x <= MAX)) {
    if (!(x > ZERO && x <= MAX)) {
      if (x == ZERO) return -INF;
      return x > ZERO ? x : NOT_A_NUMBER;
    }
    x = x * TWO_23;
    shift = DENORMAL_SHIFT;
  }
  Split split = split_f32(x);
  float e = split.e + shift;
  float m = split.m - ONE;
  float z = m * m;
  float p = __fmaf_rn(L0, m, L1);
  p = __fmaf_rn(p, m, L2);
  p = __fmaf_rn(p, m, L3);
  p = __fmaf_rn(p, m, L4);
  p = __fmaf_rn(p, m, L5);
  p = __fmaf_rn(p, m, L6);
  p = __fmaf_rn(p, m, L7);
  p = __fmaf_rn(p, m, L8);
  float y = m * z * p;
  y = __fmaf_rn(e, LN2_LOW, y);
  y = __fmaf_rn(-HALF, z, y);
  return __fmaf_rn(e, LN2_HIGH, m + y);
}

// x^y; x > 0 and normal, y finite.
__device__ __forceinline__ float pow_f32(float x, float y) {
  Split split = split_f32(x);
  float e = split.e, m = split.m;
  // Divide s = (m - 1) / (m + 1) with its remainder
  float f = m - ONE;
  float d = m + ONE;
  float d_low = m - (d - ONE);
  float s = f / d;
  float s_low = __fmaf_rn(-s, d_low, __fmaf_rn(-s, d, f)) / d;
  // Sum the series, then e ln 2, largest part first
  float z = s * s;
  float q = __fmaf_rn(G0, z, G1);
  q = __fmaf_rn(q, z, G2);
  q = __fmaf_rn(q, z, G3);
  q = __fmaf_rn(q, z, G4);
  q = __fmaf_rn(q, z, G5) * z;
  float a = e * LN2_HIGH;
  float b = s + s;
  float high = a + b;
  float low = (b - (high - a)) + __fmaf_rn(e, LN2_LOW, __fmaf_rn(b, q, s_low + s_low));
  float log_high = high + low;
  float log_low = low - (log_high - high);
  // Raise e to the product
  float p = y * log_high;
  float p_low = __fmaf_rn(y, log_low, __fmaf_rn(y, log_high, -p));
  if (p > EXP_MAX) return INF;
  if (p < EXP_MIN) return ZERO;
  float n = rintf(p * LOG2_E);
  float r = __fmaf_rn(n, -LN2_HIGH, p);
  return exp_reduced(n, __fmaf_rn(n, -LN2_LOW, r) + p_low);
}

// x: sine, y: cosine, for |angle| < 2^17.
__device__ __forceinline__ float2 sin_cos_f32(float angle) {
  float n = rintf(angle * TWO_OVER_PI);
  float first = __fmaf_rn(n, -P1, angle);
  float step = n * P2;
  float r = first - step;
  float r_low = __fmaf_rn(n, -P3, ((first - r) - step) - __fmaf_rn(n, P2, -step));
  float z = r * r;
  float s = r + __fmaf_rn(__fmaf_rn(__fmaf_rn(S0, z, S1), z, S2) * z, r, r_low);
  float half_z = HALF * z;
  float w = ONE - half_z;
  float c = w + __fmaf_rn(__fmaf_rn(__fmaf_rn(C0, z, C1), z, C2), z * z, __fmaf_rn(-r, r_low, (ONE - w) - half_z));
  int quadrant = (int)n & 3;
  if (quadrant == 0) return make_float2(s, c);
  if (quadrant == 1) return make_float2(c, -s);
  if (quadrant == 2) return make_float2(-s, -c);
  return make_float2(-c, s);
}
__device__ __forceinline__ float sin_f32(float angle) { return sin_cos_f32(angle).x; }
__device__ __forceinline__ float cos_f32(float angle) { return sin_cos_f32(angle).y; }

// Four independent words from a four-word key (Jarzynski & Olano 2020).
__device__ __forceinline__ uint4 pcg4d(unsigned a, unsigned b, unsigned c, unsigned d) {
  a = a * A + C;
  b = b * A + C;
  c = c * A + C;
  d = d * A + C;
  a += b * d;
  b += c * a;
  c += a * b;
  d += b * c;
  a ^= a >> 16;
  b ^= b >> 16;
  c ^= c >> 16;
  d ^= d >> 16;
  a += b * d;
  b += c * a;
  c += a * b;
  d += b * c;
  return make_uint4(a, b, c, d);
}

// A float in [0, 1): the upper 24 bits.
__device__ __forceinline__ float unit_float(unsigned word) { return (float)(int)(word >> 8) * TO_UNIT; }
