#include "common.cuh"
#include "fx_source.cuh"

// A block owns a chunk; most of its particles leave after their random words.
extern "C" __global__ void __launch_bounds__(256) fx_birth_count(
    Array<const int> counts_in, long long frame, long long seed, float frame_dt_s, long long cells_x,
    long long cells_y, long long cells_z, float cell_size_m, Array<const float> effect_params_in,
    Array<const float> material_in, Array<const float> position_in, Array<const float> velocity_in,
    Array<const float> temperature_in, Array<const int> slot_in, Array<const float> node_in, Array<int> births_out) {
  __shared__ int total;
  const long long count = counts_in[COUNT_PARTICLES];
  for (long long chunk = blockIdx.x; chunk < births_out.shape0; chunk += gridDim.x) {
    if (threadIdx.x == 0) total = 0;
    __syncthreads();
    int born = 0;
    for (int n = threadIdx.x; n < CHUNK; n += blockDim.x) {
      const long long p = chunk * CHUNK + n;
      if (p >= count) break;
      const int3 kinds = births(p, frame, seed, frame_dt_s, (int)cells_x, (int)cells_y, (int)cells_z, cell_size_m,
                                effect_params_in, material_in, position_in, velocity_in, temperature_in, slot_in,
                                node_in);
      born += kinds.x + kinds.y + kinds.z;
    }
    if (born > 0) atomicAdd(&total, born);
    __syncthreads();
    if (threadIdx.x == 0) births_out[chunk] = total;
  }
}
