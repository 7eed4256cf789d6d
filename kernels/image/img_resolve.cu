#include "common.cuh"
// Pixel sums to picture: the CUDA side of img_resolve.py. A thread takes a pixel: its sums in two loads.

extern "C" __global__ void __launch_bounds__(256) img_resolve(long long samples, Array<const float> pixel_sums_in,
                                                              Array<float> rgb_out, Array<float> variance_out) {
  float inverse_n = ONE / (float)samples;
  float inverse_pairs = ZERO;
  if (samples > 1) inverse_pairs = ONE / ((float)samples * (float)(samples - 1));
  long long pixels = pixel_sums_in.shape0 * pixel_sums_in.shape1;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < pixels;
       i += (long long)gridDim.x * blockDim.x) {
    float4 a = load4(pixel_sums_in, i * PIXEL_WORDS), b = load4(pixel_sums_in, i * PIXEL_WORDS + 4);
    float sum[3] = {a.x, a.y, a.z}, square[3] = {a.w, b.x, b.y};
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      float mean = sum[c] * inverse_n;
      float deviation = square[c] - sum[c] * mean;
      if (!(deviation > ZERO)) deviation = ZERO;
      rgb_out[i * 3 + c] = mean;
      variance_out[i * 3 + c] = deviation * inverse_pairs;
    }
  }
}
