#include "mpm_common.cuh"

constexpr int THREADS = 256;
constexpr int PEAKS = PEAK_VOLUME_MAX + 1;

__device__ __forceinline__ int size_bits(float x) { return float_bits(x) & 0x7FFFFFFF; }
__device__ __forceinline__ int larger(int a, int b) { return a > b ? a : b; }
__device__ __forceinline__ int smaller(int a, int b) { return a < b ? a : b; }

struct Base {
  int node;
  bool outside;
};
__device__ __forceinline__ Base base_of(float x, float2 limits, float inverse_cell) {
  bool outside = !(x >= limits.x && x <= limits.y);
  if (!(x >= limits.x)) x = limits.x;
  if (x > limits.y) x = limits.y;
  return Base{(int)base_node(x, inverse_cell), outside};
}

// Lower a least value in which 0 stands for none yet.
__device__ __forceinline__ void lower_to(int* least, int bits) {
  atomicCAS(least, 0, bits);
  atomicMin(least, bits);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    mpm_key(long long first_particle, long long blocks_x, long long blocks_y, long long blocks_z, float cell_size_m,
            Array<int> counts_inout, Array<const int> walls_in, Array<const float> position_in,
            Array<const float> velocity_in, Array<float> peak_inout, Array<int> key_out) {
  __shared__ int peaks[PEAKS];
  if (stopped(counts_inout)) return;
  long long count = counts_inout[COUNT_PARTICLES];
  // A block without particles changes nothing
  if (first_particle + blockIdx.x * (long long)THREADS >= count) return;
  if (threadIdx.x < PEAKS) peaks[threadIdx.x] = threadIdx.x == PEAK_VOLUME_MIN ? 0x7F7FFFFF : 0;
  __syncthreads();

  float inverse_cell = ONE / cell_size_m;
  float2 limits_x = position_limits(walled_cells(walls_in, 0), cell_size_m);
  float2 limits_y = position_limits(walled_cells(walls_in, 1), cell_size_m);
  float2 limits_z = position_limits(walled_cells(walls_in, 2), cell_size_m);
  int own[PEAKS] = {0, 0, 0, 0, 0x7F7FFFFF, 0};
  bool outside = false;
  long long first = first_particle + blockIdx.x * (long long)THREADS + threadIdx.x;
  for (long long p = first; p < count; p += (long long)gridDim.x * THREADS) {
    float4 position = load4(position_in, p * 4);
    Base x = base_of(position.x, limits_x, inverse_cell);
    Base y = base_of(position.y, limits_y, inverse_cell);
    Base z = base_of(position.z, limits_z, inverse_cell);
    outside = outside || x.outside || y.outside || z.outside;
    key_out[p] = key_of(x.node, y.node, z.node, (int)blocks_y, (int)blocks_z);

    float4 a = load4(velocity_in, p * 12), b = load4(velocity_in, p * 12 + 4), c = load4(velocity_in, p * 12 + 8);
    own[PEAK_SPEED_X] = larger(own[PEAK_SPEED_X], size_bits(a.x));
    own[PEAK_SPEED_Y] = larger(own[PEAK_SPEED_Y], size_bits(a.y));
    own[PEAK_SPEED_Z] = larger(own[PEAK_SPEED_Z], size_bits(a.z));
    int steep = larger(size_bits(a.w * cell_size_m), size_bits(b.x * cell_size_m));
    steep = larger(steep, larger(size_bits(b.y * cell_size_m), size_bits(b.z * cell_size_m)));
    steep = larger(steep, larger(size_bits(b.w * cell_size_m), size_bits(c.x * cell_size_m)));
    steep = larger(steep, larger(size_bits(c.y * cell_size_m), size_bits(c.z * cell_size_m)));
    own[PEAK_GRADIENT] = larger(own[PEAK_GRADIENT], larger(steep, size_bits(c.w * cell_size_m)));
    int volume = size_bits(position.w);
    own[PEAK_VOLUME_MAX] = larger(own[PEAK_VOLUME_MAX], volume);
    own[PEAK_VOLUME_MIN] = smaller(own[PEAK_VOLUME_MIN], larger(volume, LEAST_VOLUME));
  }

  // The warp's, the block's, then everybody's
  for (int word = 0; word < PEAKS; ++word) {
    int value = own[word];
    for (int step = 16; step > 0; step >>= 1) {
      int other = __shfl_xor_sync(0xFFFFFFFFu, value, step);
      value = word == PEAK_VOLUME_MIN ? smaller(value, other) : larger(value, other);
    }
    if (threadIdx.x % 32 == 0) {
      if (word == PEAK_VOLUME_MIN) atomicMin(&peaks[word], value);
      else atomicMax(&peaks[word], value);
    }
  }
  if (__syncthreads_or(outside) && threadIdx.x == 0) atomicOr(&counts_inout[COUNT_ERROR], ERROR_OUTSIDE);
  if (threadIdx.x < PEAKS) {
    int* peak = reinterpret_cast<int*>(&peak_inout[(peak_inout.shape0 - 1) * PEAK_WORDS + threadIdx.x]);
    if (threadIdx.x == PEAK_VOLUME_MIN) lower_to(peak, peaks[threadIdx.x]);
    else atomicMax(peak, peaks[threadIdx.x]);
  }
}
