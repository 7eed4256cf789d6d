#include "mpm_halo.cuh"
#include "mpm_volume.cuh"

// Grid to particles. See mpm_g2p.py for equations and the order of operations.
//
// A block of threads takes an active block, a thread is a particle (mpm_halo.cuh). A warp's velocities leave through
// shared memory, so that they are written in whole lines.

__device__ __forceinline__ int base_of(float x, float inverse_cell) { return (int)floorf(x * inverse_cell - HALF); }

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
  float dt = step_in[STEP_DT], flight = dt * step_in[STEP_SOUND_STEPS];
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
    copy_halo(block_id_in[s], size_y, size_z, slot_in, node_in, halo);
    list_cells(s, begin, cell_start_in, cell_of);
    clear_peaks(peaks);
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
        Gathered at = gather(halo, halo_node(cell_of[i]), x, y, z, gradient_scale);
        Nodes v = at.v, cx = at.cx, cy = at.cy, cz = at.cz;
        own[lane * 3] = make_float4(v.x, v.y, v.z, cx.x);
        own[lane * 3 + 1] = make_float4(cx.y, cx.z, cy.x, cy.y);
        own[lane * 3 + 2] = make_float4(cy.z, cz.x, cz.y, cz.z);
        // Move
        float4 place;
        place.x = moved(old.x, v.x, flight, limit_x.x, limit_x.y);
        place.y = moved(old.y, v.y, flight, limit_y.x, limit_y.y);
        place.z = moved(old.z, v.z, flight, limit_z.x, limit_z.y);
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
    fast_x = warp_most(fast_x);
    fast_y = warp_most(fast_y);
    fast_z = warp_most(fast_z);
    steep = warp_most(steep);
    wide = warp_most(wide);
    tight = warp_least(tight);
    if (lane == 0) {
      atomicMax(&peaks[PEAK_SPEED_X], fast_x);
      atomicMax(&peaks[PEAK_SPEED_Y], fast_y);
      atomicMax(&peaks[PEAK_SPEED_Z], fast_z);
      atomicMax(&peaks[PEAK_GRADIENT], steep);
      atomicMax(&peaks[PEAK_VOLUME_MAX], wide);
      atomicMin(&peaks[PEAK_VOLUME_MIN], tight);
    }
    __syncthreads();
    write_peaks(peaks, cell_size_m, row, peak_out);
    __syncthreads();
  }
}
