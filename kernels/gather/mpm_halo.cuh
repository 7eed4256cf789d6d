#include "mpm_lanes.cuh"

// What the kernels that go from grid to particles share. See mpm_halo.py.
//
// A block of threads takes an active block: its 6^3 nodes come to shared memory, then a thread is a particle, at its
// sorted place.

constexpr int THREADS = 128, WARPS = THREADS / 32;
constexpr int HALO_NODES = ARENA_EDGE * ARENA_EDGE * ARENA_EDGE;
constexpr int PARTICLES_MAX = BLOCK_NODES * CELL_COUNT_MAX;
constexpr int ROW_NODES = ARENA_EDGE, PLANE_NODES = ARENA_EDGE * ARENA_EDGE;
constexpr int PEAKS = 6;

// A node, or a weighted sum of nodes: velocity, mass.
struct Nodes {
  float x, y, z, mass;
};
__device__ __forceinline__ Nodes mul(float w, Nodes a) { return Nodes{w * a.x, w * a.y, w * a.z, w * a.mass}; }
__device__ __forceinline__ Nodes add(Nodes a, Nodes b) {
  return Nodes{a.x + b.x, a.y + b.y, a.z + b.z, a.mass + b.mass};
}
__device__ __forceinline__ Nodes sub(Nodes a, Nodes b) {
  return Nodes{a.x - b.x, a.y - b.y, a.z - b.z, a.mass - b.mass};
}
__device__ __forceinline__ Nodes fma(float w, Nodes a, Nodes b) {
  return Nodes{__fmaf_rn(w, a.x, b.x), __fmaf_rn(w, a.y, b.y), __fmaf_rn(w, a.z, b.z), __fmaf_rn(w, a.mass, b.mass)};
}

__device__ __forceinline__ Nodes node_at(const float4* halo, int node) {
  float4 value = halo[node];
  return Nodes{value.x, value.y, value.z, value.w};
}

// Along y, at one plane: s = sum w_j R_j, t = w_2 R_2 - w_0 R_0.
__device__ __forceinline__ void along_y(const float4* halo, int node, const Spline& y, Nodes& s, Nodes& t) {
  Nodes q = mul(y.w0, node_at(halo, node)), u = mul(y.w2, node_at(halo, node + 2 * ROW_NODES));
  s = fma(y.w1, node_at(halo, node + ROW_NODES), add(q, u));
  t = sub(u, q);
}

// Along y and x, at one of three nodes along z: the sum and what its changes along x and y are made of.
__device__ __forceinline__ void along_x(
    const float4* halo, int node, const Spline& x, const Spline& y, float minus_gx, float minus_gy, Nodes& v,
    Nodes& by_x, Nodes& by_y) {
  Nodes s0, s1, s2, t0, t1, t2;
  along_y(halo, node, y, s0, t0);
  along_y(halo, node + PLANE_NODES, y, s1, t1);
  along_y(halo, node + 2 * PLANE_NODES, y, s2, t2);
  Nodes q = mul(x.w0, s0), u = mul(x.w2, s2);
  v = fma(x.w1, s1, add(q, u));
  by_x = fma(minus_gx, v, sub(u, q));
  by_y = fma(x.w2, t2, fma(x.w1, t1, mul(x.w0, t0)));
  by_y = fma(minus_gy, v, by_y);
}

// Velocity, mass and how they change along the axes at a particle.
struct Gathered {
  Nodes v, cx, cy, cz;
};

// Sum along z as the three nodes come; `node` is the lowest of the 27.
__device__ __forceinline__ Gathered gather(
    const float4* halo, int node, const Spline& x, const Spline& y, const Spline& z, float gradient_scale) {
  float minus_gx = ZERO - x.g, minus_gy = ZERO - y.g, minus_gz = ZERO - z.g;
  Nodes v, middle, by_x, by_y;
  Gathered at;
  along_x(halo, node, x, y, minus_gx, minus_gy, v, by_x, by_y);
  Nodes c = mul(z.w0, v);
  at.cx = mul(z.w0, by_x);
  at.cy = mul(z.w0, by_y);
  along_x(halo, node + 1, x, y, minus_gx, minus_gy, middle, by_x, by_y);
  at.cx = fma(z.w1, by_x, at.cx);
  at.cy = fma(z.w1, by_y, at.cy);
  along_x(halo, node + 2, x, y, minus_gx, minus_gy, v, by_x, by_y);
  at.cx = mul(gradient_scale, fma(z.w2, by_x, at.cx));
  at.cy = mul(gradient_scale, fma(z.w2, by_y, at.cy));
  Nodes d = mul(z.w2, v);
  at.v = fma(z.w1, middle, add(c, d));
  at.cz = mul(gradient_scale, fma(minus_gz, at.v, sub(d, c)));
  return at;
}

// The 6^3 nodes from a block's lowest one on; nodes of a block that is not active are 0.
__device__ __forceinline__ void copy_halo(
    long long block, int size_y, int size_z, Array<const int> slot_in, Array<const float> node_in, float4* halo) {
  for (int i = threadIdx.x; i < HALO_NODES; i += THREADS) {
    int a = i / PLANE_NODES, b = i / ROW_NODES % ROW_NODES, c = i % ROW_NODES;
    int slot = slot_in[block + ((a >> 2) * size_y + (b >> 2)) * size_z + (c >> 2)];
    int node = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3);
    float4 value = make_float4(ZERO, ZERO, ZERO, ZERO);
    if (slot >= 0) value = load4(node_in, ((long long)slot * BLOCK_NODES + node) * 4);
    halo[i] = value;
  }
}

// Which cell each of a block's particles is in; the first one stands at place `begin`.
__device__ __forceinline__ void list_cells(
    int s, int begin, Array<const int> cell_start_in, unsigned char* cell_of) {
  for (int cell = threadIdx.x; cell < BLOCK_NODES; cell += THREADS) {
    int low = cell_start_in[(long long)s * BLOCK_NODES + cell] - begin;
    int high = cell_start_in[(long long)s * BLOCK_NODES + cell + 1] - begin;
#pragma unroll 1
    for (int i = low; i < high; ++i) cell_of[i] = (unsigned char)cell;
  }
}

// Where the lowest of the 27 nodes of a base cell stands.
__device__ __forceinline__ int halo_node(int cell) {
  return (cell >> 4) * PLANE_NODES + ((cell >> 2) & 3) * ROW_NODES + (cell & 3);
}

// x + dt rate, kept between two limits; what is not a number becomes the lower one.
__device__ __forceinline__ float moved(float x, float rate, float dt, float low, float high) {
  float sum = __fmaf_rn(dt, rate, x);
  sum = sum > low ? sum : low;
  return sum < high ? sum : high;
}

__device__ __forceinline__ int peak(int bits, float value) {
  int other = float_bits(value) & 0x7FFFFFFF;
  return bits > other ? bits : other;
}

__device__ __forceinline__ int peak(int bits, Nodes value) {
  return peak(peak(peak(bits, value.x), value.y), value.z);
}

__device__ __forceinline__ int warp_most(int value) {
  for (int step = 16; step > 0; step >>= 1) value = max(value, __shfl_xor_sync(0xFFFFFFFFu, value, step));
  return value;
}

__device__ __forceinline__ int warp_least(int value) {
  for (int step = 16; step > 0; step >>= 1) value = min(value, __shfl_xor_sync(0xFFFFFFFFu, value, step));
  return value;
}

// Nothing seen yet, in each word of a block's peaks.
__device__ __forceinline__ void clear_peaks(int* peaks) {
  if (threadIdx.x < PEAKS) peaks[threadIdx.x] = threadIdx.x == PEAK_VOLUME_MIN ? 0x7FFFFFFF : 0;
}

// A block's row of peaks; `row` is its first word.
__device__ __forceinline__ void write_peaks(
    const int* peaks, float cell_size_m, long long row, Array<float> peak_out) {
  if (threadIdx.x < PEAK_WORDS) {
    float value = ZERO;
    if (threadIdx.x < PEAKS) value = bits_float(peaks[threadIdx.x]);
    if (threadIdx.x == PEAK_GRADIENT) value = value * cell_size_m;
    peak_out[row + threadIdx.x] = value;
  }
}
