#include "mpm_halo.cuh"
#include "mpm_volume.cuh"

// Volume ratios between the sound steps of a substep. See mpm_strain.py for equations and the order of operations.
//
// A block of threads takes an active block, a thread is a particle (mpm_halo.cuh). Liquids without viscosity have a pass
// of their own, which needs few registers; the other one's rows of velocity leave through shared memory, three lanes to
// a particle, so that few lines are written in parts.

__device__ __forceinline__ bool is_viscous(Array<const float> material_in, Array<const float> viscosity_in) {
  return viscosity_in.shape0 > 1 || material_in[MATERIAL_VISCOSITY] != ZERO;
}

// A sum of velocities whose weights hold the distance to the node, each along its own axis.
struct Sums {
  float x, y, z;
};

// Along y, at one plane: v_y by the slopes, the others by the weights.
__device__ __forceinline__ Sums slope_y(const float4* halo, int node, const Slopes& y) {
  float4 r0 = halo[node], r1 = halo[node + ROW_NODES], r2 = halo[node + 2 * ROW_NODES];
  Sums s;
  s.x = __fmaf_rn(y.w2, r2.x, __fmaf_rn(y.w1, r1.x, y.w0 * r0.x));
  s.y = __fmaf_rn(y.u2, r2.y, __fmaf_rn(y.u1, r1.y, y.u0 * r0.y));
  s.z = __fmaf_rn(y.w2, r2.z, __fmaf_rn(y.w1, r1.z, y.w0 * r0.z));
  return s;
}

// Along y and x, at one of three nodes along z: v_x by the slopes along x.
__device__ __forceinline__ Sums slope_x(const float4* halo, int node, const Slopes& x, const Slopes& y) {
  Sums s = slope_y(halo, node, y);
  Sums t = {x.u0 * s.x, x.w0 * s.y, x.w0 * s.z};
  s = slope_y(halo, node + PLANE_NODES, y);
  t = Sums{__fmaf_rn(x.u1, s.x, t.x), __fmaf_rn(x.w1, s.y, t.y), __fmaf_rn(x.w1, s.z, t.z)};
  s = slope_y(halo, node + 2 * PLANE_NODES, y);
  return Sums{__fmaf_rn(x.u2, s.x, t.x), __fmaf_rn(x.w2, s.y, t.y), __fmaf_rn(x.w2, s.z, t.z)};
}

// dx / 4 times dv_x/dx, dv_y/dy, dv_z/dz.
__device__ __forceinline__ Sums diverge(
    const float4* halo, int node, const Slopes& x, const Slopes& y, const Slopes& z) {
  Sums t = slope_x(halo, node, x, y);
  Sums u = {z.w0 * t.x, z.w0 * t.y, z.u0 * t.z};
  t = slope_x(halo, node + 1, x, y);
  u = Sums{__fmaf_rn(z.w1, t.x, u.x), __fmaf_rn(z.w1, t.y, u.y), __fmaf_rn(z.u1, t.z, u.z)};
  t = slope_x(halo, node + 2, x, y);
  return Sums{__fmaf_rn(z.w2, t.x, u.x), __fmaf_rn(z.w2, t.y, u.y), __fmaf_rn(z.u2, t.z, u.z)};
}

// A volume ratio after a step, and what it makes of a thread's peaks.
__device__ __forceinline__ float strained(float volume, float divergence, float dt, int& wide, int& tight) {
  volume = moved(volume, volume * divergence, dt, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX);
  wide = max(wide, float_bits(volume));
  tight = min(tight, float_bits(volume));
  return volume;
}

// Join the threads' peaks.
__device__ __forceinline__ void join_peaks(int steep, int wide, int tight, int* peaks) {
  steep = warp_most(steep);
  wide = warp_most(wide);
  tight = warp_least(tight);
  if ((threadIdx.x & 31) == 0) {
    atomicMax(&peaks[PEAK_GRADIENT], steep);
    atomicMax(&peaks[PEAK_VOLUME_MAX], wide);
    atomicMin(&peaks[PEAK_VOLUME_MIN], tight);
  }
}

// Without a least number of blocks: told one, the compiler spills where registers would do.
extern "C" __global__ void __launch_bounds__(128) mpm_strain(
    long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m, Array<const int> counts_in,
    Array<const float> step_in, Array<const float> material_in, Array<const float> viscosity_in,
    Array<const int> order_in, Array<const int> cell_start_in, Array<const int> block_id_in, Array<const int> slot_in,
    Array<const float> node_in, Array<float> position_inout, Array<float> velocity_inout, Array<float> peak_out) {
  __shared__ float4 halo[HALO_NODES];
  __shared__ unsigned char cell_of[PARTICLES_MAX];
  __shared__ int peaks[PEAKS];
  if (stopped(counts_in) || is_viscous(material_in, viscosity_in)) return;
  float inverse_cell = ONE / cell_size_m;
  float gradient_scale = FOUR * inverse_cell;
  float dt = step_in[STEP_DT];
  for (int s = blockIdx.x; s < counts_in[COUNT_BLOCKS]; s += gridDim.x) {
    long long row = (long long)s * PEAK_WORDS;
    int begin = cell_start_in[(long long)s * BLOCK_NODES];
    int end = cell_start_in[(long long)(s + 1) * BLOCK_NODES];
    if (begin == end) {
      if (threadIdx.x < PEAK_WORDS) peak_out[row + threadIdx.x] = ZERO;
      continue;
    }
    copy_halo(block_id_in[s], (int)blocks_y, (int)blocks_z, slot_in, node_in, halo);
    list_cells(s, begin, cell_start_in, cell_of);
    clear_peaks(peaks);
    __syncthreads();
    int wide = 0, tight = 0x7FFFFFFF;
#pragma unroll 1
    for (int i = begin + (int)threadIdx.x; i < end; i += THREADS) {
      int p = order_in[i];
      float4 place = load4(position_inout, (long long)p * 4);
      Slopes x = slopes16(place.x, inverse_cell);
      Slopes y = slopes16(place.y, inverse_cell);
      Slopes z = slopes16(place.z, inverse_cell);
      Sums sums = diverge(halo, halo_node(cell_of[i - begin]), x, y, z);
      float divergence = gradient_scale * ((sums.x + sums.y) + sums.z);
      position_inout[(long long)p * 4 + 3] = strained(place.w, divergence, dt, wide, tight);
    }
    join_peaks(0, wide, tight, peaks);
    __syncthreads();
    write_peaks(peaks, cell_size_m, row, peak_out);
    __syncthreads();
  }
}

extern "C" __global__ void __launch_bounds__(128, 5) mpm_strain_viscous(
    long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m, Array<const int> counts_in,
    Array<const float> step_in, Array<const float> material_in, Array<const float> viscosity_in,
    Array<const int> order_in, Array<const int> cell_start_in, Array<const int> block_id_in, Array<const int> slot_in,
    Array<const float> node_in, Array<float> position_inout, Array<float> velocity_inout, Array<float> peak_out) {
  __shared__ float4 halo[HALO_NODES];
  __shared__ float4 staged[WARPS * 96];
  __shared__ unsigned char cell_of[PARTICLES_MAX];
  __shared__ int peaks[PEAKS];
  if (stopped(counts_in) || !is_viscous(material_in, viscosity_in)) return;
  int lane = threadIdx.x & 31;
  float4* own = staged + (threadIdx.x >> 5) * 96;
  float inverse_cell = ONE / cell_size_m;
  float gradient_scale = FOUR * inverse_cell;
  float dt = step_in[STEP_DT];
  int blocks = counts_in[COUNT_BLOCKS];
  for (int s = blockIdx.x; s < blocks; s += gridDim.x) {
    long long row = (long long)s * PEAK_WORDS;
    int begin = cell_start_in[(long long)s * BLOCK_NODES];
    int count = cell_start_in[(long long)(s + 1) * BLOCK_NODES] - begin;
    if (count == 0) {
      if (threadIdx.x < PEAK_WORDS) peak_out[row + threadIdx.x] = ZERO;
      continue;
    }
    copy_halo(block_id_in[s], (int)blocks_y, (int)blocks_z, slot_in, node_in, halo);
    list_cells(s, begin, cell_start_in, cell_of);
    clear_peaks(peaks);
    __syncthreads();
    int steep = 0, wide = 0, tight = 0x7FFFFFFF;
    // A warp's particles stand in a row
    for (int warp_first = (int)threadIdx.x - lane; warp_first < count; warp_first += THREADS) {
      int i = warp_first + lane, p = 0;
      int number = count - warp_first < 32 ? count - warp_first : 32;
      if (lane < number) {
        p = order_in[begin + i];
        float4 place = load4(position_inout, (long long)p * 4);
        Spline x = spline16(place.x, inverse_cell);
        Spline y = spline16(place.y, inverse_cell);
        Spline z = spline16(place.z, inverse_cell);
        Gathered at = gather(halo, halo_node(cell_of[i]), x, y, z, gradient_scale);
        Nodes v = at.v, cx = at.cx, cy = at.cy, cz = at.cz;
        own[lane * 3] = make_float4(v.x, v.y, v.z, cx.x);
        own[lane * 3 + 1] = make_float4(cx.y, cx.z, cy.x, cy.y);
        own[lane * 3 + 2] = make_float4(cy.z, cz.x, cz.y, cz.z);
        position_inout[(long long)p * 4 + 3] = strained(place.w, (cx.x + cy.y) + cz.z, dt, wide, tight);
        steep = peak(peak(peak(steep, cx), cy), cz);
      }
      __syncwarp();
      for (int part = 0; part < 3; ++part) {
        int word = lane + 32 * part;
        long long whose = __shfl_sync(0xFFFFFFFFu, p, word / 3);
        if (word < 3 * number) store4(velocity_inout, whose * 12 + word % 3 * 4, own[word]);
      }
      __syncwarp();
    }
    join_peaks(steep, wide, tight, peaks);
    __syncthreads();
    write_peaks(peaks, cell_size_m, row, peak_out);
    __syncthreads();
  }
}
