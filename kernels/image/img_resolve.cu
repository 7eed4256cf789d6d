#include "common.cuh"
// Film to picture: the CUDA side of img_resolve.py. A thread takes a pixel: one film row in two loads.

extern "C" __global__ void __launch_bounds__(256) img_resolve(long long samples, Array<const float> film_in,
                                                              Array<float> rgb_out, Array<float> variance_out) {
  float inverse_n = ONE / (float)samples;
  float inverse_pairs = ZERO;
  if (samples > 1) inverse_pairs = ONE / ((float)samples * (float)(samples - 1));
  long long pixels = film_in.shape0 * film_in.shape1;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < pixels;
       i += (long long)gridDim.x * blockDim.x) {
    float4 a = load4(film_in, i * FILM_WORDS), b = load4(film_in, i * FILM_WORDS + 4);
    float sum[3] = {a.x, a.y, a.z}, square[3] = {a.w, b.x, b.y};
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      float mean = sum[c] * inverse_n;
      float spread = square[c] - sum[c] * mean;
      if (!(spread > ZERO)) spread = ZERO;
      rgb_out[i * 3 + c] = mean;
      variance_out[i * 3 + c] = spread * inverse_pairs;
    }
  }
}
