#include "common.cuh"
#include "mpm_common.cuh"
#include "mpm_lava.cuh"

// A thread owns a sorted place.
extern "C" __global__ void __launch_bounds__(256) mpm_rheology(
    Array<const int> counts_in, Array<const float> material_in, Array<const int> order_in,
    Array<const float> temperature_in, Array<const float> velocity_in, Array<float> temperature_out,
    Array<float> viscosity_out) {
  if (stopped(counts_in)) return;
  const long long count = counts_in[COUNT_PARTICLES];
  for (long long n = blockIdx.x * (long long)blockDim.x + threadIdx.x; n < count;
       n += (long long)gridDim.x * blockDim.x) {
    const float temperature = load(temperature_in, load(order_in, n));
    temperature_out[n] = temperature;
    viscosity_out[n] = viscosity16(temperature, strain_rate(velocity_in, n), material_in);
  }
}
