#include "mpm_lanes.cuh"
#include "mpm_volume.cuh"

// Grid to particles. See mpm_g2p.py for equations and the order of operations.
//
// A block of threads takes an active block: its 6^3 nodes come to shared memory, then a thread is a particle, at its
// sorted place. A warp's velocities leave through shared memory, so that they are written in whole lines.

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

// x + dt rate, kept between two limits; what is not a number becomes the lower one.
__device__ __forceinline__ float moved(float x, float rate, float dt, float low, float high) {
  float sum = __fmaf_rn(dt, rate, x);
  sum = sum > low ? sum : low;
  return sum < high ? sum : high;
}

__device__ __forceinline__ int base_of(float x, float inverse_cell) { return (int)floorf(x * inverse_cell - HALF); }

__device__ __forceinline__ int peak(int bits, float value) {
  int other = float_bits(value) & 0x7FFFFFFF;
  return bits > other ? bits : other;
}

__device__ __forceinline__ int peak(int bits, Nodes value) {
  return peak(peak(peak(bits, value.x), value.y), value.z);
}

extern "C" __global__ void __launch_bounds__(128, 5) mpm_g2p(
    long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m, Array<const int> counts_in,
    Array<const float> step_in, Array<const int> walls_in, Array<const float> position_in, Array<const int> order_in,
    Array<const int> cell_start_in, Array<const int> block_id_in, Array<const int> slot_in, Array<const float> node_in,
    Array<float> position_out, Array<float> velocity_out, Array<int> key_out, Array<float> peak_out) {
  __shared__ float4 halo[HALO_NODES];
  __shared__ float4 staged[WARPS * 96];
  __shared__ unsigned char cell_of[PARTICLES_MAX];
  __shared__ int peaks[PEAKS];
  int lane = threadIdx.x & 31;
  float4* own = staged + (threadIdx.x >> 5) * 96;
  int size_y = (int)blocks_y, size_z = (int)blocks_z;
  float inverse_cell = ONE / cell_size_m;
  float gradient_scale = FOUR * inverse_cell;
  float per_full_cell = ONE / step_in[STEP_FULL];
  float slope_share = SLOPE_SHARE * per_full_cell * cell_size_m;
  float dt = step_in[STEP_DT];
  float2 limit_x = position_limits(walled_cells(walls_in, 0), cell_size_m);
  float2 limit_y = position_limits(walled_cells(walls_in, 1), cell_size_m);
  float2 limit_z = position_limits(walled_cells(walls_in, 2), cell_size_m);
  int blocks = counts_in[COUNT_BLOCKS];
  for (int s = blockIdx.x; s < blocks; s += gridDim.x) {
    long long row = (long long)s * PEAK_WORDS;
    int begin = cell_start_in[(long long)s * BLOCK_NODES];
    int count = cell_start_in[(long long)(s + 1) * BLOCK_NODES] - begin;
    if (count == 0) {
      if (threadIdx.x < PEAK_WORDS) peak_out[row + threadIdx.x] = ZERO;
      continue;
    }
    // The 6^3 nodes from the block's lowest one on; nodes of a block that is not active are 0
    long long block = block_id_in[s];
    for (int i = threadIdx.x; i < HALO_NODES; i += THREADS) {
      int a = i / PLANE_NODES, b = i / ROW_NODES % ROW_NODES, c = i % ROW_NODES;
      int slot = slot_in[block + ((a >> 2) * size_y + (b >> 2)) * size_z + (c >> 2)];
      int node = ((a & 3) * 4 + (b & 3)) * 4 + (c & 3);
      float4 value = make_float4(ZERO, ZERO, ZERO, ZERO);
      if (slot >= 0) value = load4(node_in, ((long long)slot * BLOCK_NODES + node) * 4);
      halo[i] = value;
    }
    for (int cell = threadIdx.x; cell < BLOCK_NODES; cell += THREADS) {
      int low = cell_start_in[(long long)s * BLOCK_NODES + cell] - begin;
      int high = cell_start_in[(long long)s * BLOCK_NODES + cell + 1] - begin;
#pragma unroll 1
      for (int i = low; i < high; ++i) cell_of[i] = (unsigned char)cell;
    }
    if (threadIdx.x < PEAKS) peaks[threadIdx.x] = threadIdx.x == PEAK_VOLUME_MIN ? 0x7FFFFFFF : 0;
    __syncthreads();
    int fast_x = 0, fast_y = 0, fast_z = 0, steep = 0, wide = 0, tight = 0x7FFFFFFF;
    // A warp's particles stand in a row
    for (int warp_first = (int)threadIdx.x - lane; warp_first < count; warp_first += THREADS) {
      int i = warp_first + lane;
      int number = count - warp_first < 32 ? count - warp_first : 32;
      if (lane < number) {
        int p = order_in[begin + i];
        float4 old = load4(position_in, (long long)p * 4);
        Spline x = spline16(old.x, inverse_cell);
        Spline y = spline16(old.y, inverse_cell);
        Spline z = spline16(old.z, inverse_cell);
        float minus_gx = ZERO - x.g, minus_gy = ZERO - y.g, minus_gz = ZERO - z.g;
        int cell = cell_of[i];
        int node = (cell >> 4) * PLANE_NODES + ((cell >> 2) & 3) * ROW_NODES + (cell & 3);
        // Sum along z as the three nodes come
        Nodes v, by_x, by_y;
        along_x(halo, node, x, y, minus_gx, minus_gy, v, by_x, by_y);
        Nodes c = mul(z.w0, v), cx = mul(z.w0, by_x), cy = mul(z.w0, by_y);
        Nodes middle;
        along_x(halo, node + 1, x, y, minus_gx, minus_gy, middle, by_x, by_y);
        cx = fma(z.w1, by_x, cx);
        cy = fma(z.w1, by_y, cy);
        along_x(halo, node + 2, x, y, minus_gx, minus_gy, v, by_x, by_y);
        cx = mul(gradient_scale, fma(z.w2, by_x, cx));
        cy = mul(gradient_scale, fma(z.w2, by_y, cy));
        Nodes d = mul(z.w2, v);
        v = fma(z.w1, middle, add(c, d));
        Nodes cz = mul(gradient_scale, fma(minus_gz, v, sub(d, c)));
        own[lane * 3] = make_float4(v.x, v.y, v.z, cx.x);
        own[lane * 3 + 1] = make_float4(cx.y, cx.z, cy.x, cy.y);
        own[lane * 3 + 2] = make_float4(cy.z, cz.x, cz.y, cz.z);
        // Move
        float4 place;
        place.x = moved(old.x, v.x, dt, limit_x.x, limit_x.y);
        place.y = moved(old.y, v.y, dt, limit_y.x, limit_y.y);
        place.z = moved(old.z, v.z, dt, limit_z.x, limit_z.y);
        place.w = moved(old.w, old.w * ((cx.x + cy.y) + cz.z), dt, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX);
        place.w = corrected(place.w, per_full_cell, slope_share, v.mass, cx.mass, cy.mass, cz.mass);
        store4(position_out, (long long)(begin + i) * 4, place);
        int bx = base_of(place.x, inverse_cell), by = base_of(place.y, inverse_cell);
        key_out[begin + i] = key_of(bx, by, base_of(place.z, inverse_cell), size_y, size_z);
        // Peaks, as bits of non-negative floats
        fast_x = peak(fast_x, v.x);
        fast_y = peak(fast_y, v.y);
        fast_z = peak(fast_z, v.z);
        steep = peak(peak(peak(steep, cx), cy), cz);
        int volume = float_bits(place.w);
        wide = wide > volume ? wide : volume;
        tight = tight < volume ? tight : volume;
      }
      __syncwarp();
      long long to = (long long)(begin + warp_first) * 12 + 4 * lane;
      for (int part = 0; part < 3; ++part) {
        if (lane + 32 * part < 3 * number) store4(velocity_out, to + 128 * part, own[lane + 32 * part]);
      }
      __syncwarp();
    }
    // Join the threads' peaks
    for (int step = 16; step > 0; step >>= 1) {
      fast_x = max(fast_x, __shfl_xor_sync(0xFFFFFFFFu, fast_x, step));
      fast_y = max(fast_y, __shfl_xor_sync(0xFFFFFFFFu, fast_y, step));
      fast_z = max(fast_z, __shfl_xor_sync(0xFFFFFFFFu, fast_z, step));
      steep = max(steep, __shfl_xor_sync(0xFFFFFFFFu, steep, step));
      wide = max(wide, __shfl_xor_sync(0xFFFFFFFFu, wide, step));
      tight = min(tight, __shfl_xor_sync(0xFFFFFFFFu, tight, step));
    }
    if (lane == 0) {
      atomicMax(&peaks[PEAK_SPEED_X], fast_x);
      atomicMax(&peaks[PEAK_SPEED_Y], fast_y);
      atomicMax(&peaks[PEAK_SPEED_Z], fast_z);
      atomicMax(&peaks[PEAK_GRADIENT], steep);
      atomicMax(&peaks[PEAK_VOLUME_MAX], wide);
      atomicMin(&peaks[PEAK_VOLUME_MIN], tight);
    }
    __syncthreads();
    if (threadIdx.x < PEAK_WORDS) {
      float value = ZERO;
      if (threadIdx.x < PEAKS) value = bits_float(peaks[threadIdx.x]);
      if (threadIdx.x == PEAK_GRADIENT) value = value * cell_size_m;
      peak_out[row + threadIdx.x] = value;
    }
    __syncthreads();
  }
}
