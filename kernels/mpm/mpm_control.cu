#include "mpm_common.cuh"

// Between substeps. See mpm_control.py. First all blocks' rows of peaks join in the last row, then one thread decides.
// Words of the last row that carry the joined rows' volumes: complement of the smallest one's bits (0: none), largest.

constexpr int JOINED_MIN = 6, JOINED_MAX = 7;
constexpr int NOTHING = 0x7FFFFFFF;

__device__ __forceinline__ int warp_max(int value) {
  for (int step = 16; step > 0; step >>= 1) {
    int other = __shfl_xor_sync(0xFFFFFFFFu, value, step);
    value = value > other ? value : other;
  }
  return value;
}

// Raise a word of the last row, as bits of a non-negative float.
__device__ __forceinline__ void raise_to(Array<float> peak_inout, long long at, int bits) {
  if (bits > 0) atomicMax(reinterpret_cast<int*>(&peak_inout[at]), bits);
}

extern "C" __global__ void __launch_bounds__(256) mpm_control(
    long long completed_steps, float cell_size_m, Array<int> counts_inout, Array<const float> material_in,
    Array<float> peak_inout, Array<float> step_inout) {
  __shared__ int joined[PEAK_WORDS];
  int rows = counts_inout[COUNT_BLOCKS];
  if (stopped(counts_inout) || (long long)blockIdx.x * blockDim.x >= rows) return;
  if (threadIdx.x < PEAK_WORDS) joined[threadIdx.x] = 0;
  __syncthreads();
  int speed = 0, gradient = 0, volume_max = 0, volume_min = NOTHING;
  long long start = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  for (long long row = start; row < rows; row += (long long)gridDim.x * blockDim.x) {
    float4 first = load4(peak_inout, row * PEAK_WORDS);
    float2 volume = load2(peak_inout, row * PEAK_WORDS + PEAK_VOLUME_MIN);
    if (volume.y == ZERO) continue;
    speed = max(speed, max(max(float_bits(first.x), float_bits(first.y)), float_bits(first.z)));
    gradient = max(gradient, float_bits(first.w));
    volume_min = min(volume_min, float_bits(volume.x));
    volume_max = max(volume_max, float_bits(volume.y));
  }
  speed = warp_max(speed);
  gradient = warp_max(gradient);
  volume_max = warp_max(volume_max);
  int complement = warp_max(NOTHING - volume_min);
  if ((threadIdx.x & 31) == 0) {
    atomicMax(&joined[PEAK_SPEED_X], speed);
    atomicMax(&joined[PEAK_GRADIENT], gradient);
    atomicMax(&joined[JOINED_MIN], complement);
    atomicMax(&joined[JOINED_MAX], volume_max);
  }
  __syncthreads();
  if (threadIdx.x < PEAK_WORDS) {
    raise_to(peak_inout, (peak_inout.shape0 - 1) * PEAK_WORDS + threadIdx.x, joined[threadIdx.x]);
  }
}

// J^-6 - J, the pressure's factor at a volume ratio; 0 where it would be tension.
__device__ __forceinline__ float excess_of(float volume) {
  float r = ONE / volume;
  float r2 = r * r;
  float excess = r2 * r2 * r2 - volume;
  return excess < ZERO ? ZERO : excess;
}

extern "C" __global__ void __launch_bounds__(32) mpm_control_step(
    long long completed_steps, float cell_size_m, Array<int> counts_inout, Array<const float> material_in,
    Array<float> peak_inout, Array<float> step_inout) {
  if (blockIdx.x != 0 || threadIdx.x != 0 || stopped(counts_inout)) return;
  counts_inout[COUNT_SUBSTEPS] += (int)completed_steps;
  long long last = (peak_inout.shape0 - 1) * PEAK_WORDS;
  int word[PEAK_WORDS];
  for (int i = 0; i < PEAK_WORDS; ++i) {
    word[i] = float_bits(peak_inout[last + i]);
    peak_inout[last + i] = ZERO;
  }
  int speed = max(max(word[PEAK_SPEED_X], word[PEAK_SPEED_Y]), word[PEAK_SPEED_Z]);
  int gradient = word[PEAK_GRADIENT];
  int volume_max = max(word[PEAK_VOLUME_MAX], word[JOINED_MAX]);
  int volume_min = 0x7F7FFFFF;
  if (word[PEAK_VOLUME_MAX] != 0) volume_min = min(volume_min, word[PEAK_VOLUME_MIN]);
  if (word[JOINED_MIN] != 0) volume_min = min(volume_min, NOTHING - word[JOINED_MIN]);
  if (volume_max == 0) {  // no peaks since they were used last
    if (step_inout[STEP_VELOCITY_SCALE] != ZERO) return;
    volume_max = float_bits(ONE);
    volume_min = volume_max;
  }
  if (max(max(speed, gradient), volume_max) >= INFINITE) {
    counts_inout[COUNT_ERROR] |= ERROR_NOT_FINITE;
    return;
  }
  // Bound what a particle gives to a node per unit of mass
  float dt = step_inout[STEP_DT], flight = dt * step_inout[STEP_SOUND_STEPS];
  float v = bits_float(speed), c = bits_float(gradient);
  float stress_scale = FOUR * dt / (cell_size_m * material_in[MATERIAL_DENSITY]);
  float low = bits_float(volume_min), high = bits_float(volume_max);
  float push = stress_scale * material_in[MATERIAL_BULK_MODULUS] * excess_of(low);
  float viscosity = material_in[MATERIAL_VISCOSITY];
  if (material_in[MATERIAL_VISCOSITY_MAX] > viscosity) viscosity = material_in[MATERIAL_VISCOSITY_MAX];
  float drag = stress_scale * high * viscosity / cell_size_m;
  float bound = SLACK * (v + REACH * (ROW_OF_GRADIENT * c + push + ROW_OF_STRESS * drag * c));
  if (completed_steps > 0) {
    if (v > step_inout[STEP_SPEED_MOST]) step_inout[STEP_SPEED_MOST] = v;
    if (high > step_inout[STEP_VOLUME_MOST]) step_inout[STEP_VOLUME_MOST] = high;
    if (step_inout[STEP_VOLUME_LEAST] == ZERO || low < step_inout[STEP_VOLUME_LEAST]) {
      step_inout[STEP_VOLUME_LEAST] = low;
    }
  }
  if (!(bound < BOUND_MAX)) {
    counts_inout[COUNT_ERROR] |= ERROR_NOT_FINITE;
    return;
  }
  if (bound < SPEED_FLOOR) bound = SPEED_FLOOR;
  if (completed_steps > 0 && v * flight >= cell_size_m) counts_inout[COUNT_ERROR] |= ERROR_TOO_FAST;
  // The next power of two above it
  int exponent = (float_bits(bound) >> 23) - 127 + 1;
  step_inout[STEP_VELOCITY_UNIT] = bits_float((exponent + 127) << 23);
  step_inout[STEP_VELOCITY_SCALE] = bits_float((MASS_BITS - exponent + 127) << 23);
  step_inout[STEP_TIME] = step_inout[STEP_TIME] + (float)completed_steps * flight;
}
