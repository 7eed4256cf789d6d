#include "common.cuh"

// Loops that reach a device's limits and do nothing else; passes and work are told in roof_probe.py.

// target = source, once; float32[n], n a multiple of 4.
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_copy(Array<const float> source_in, Array<float> target_out) {
  long long words = source_in.shape0 / 4, stride = (long long)gridDim.x * PROBE_THREADS;
  for (long long i = blockIdx.x * (long long)PROBE_THREADS + threadIdx.x; i < words; i += stride) {
    store4(target_out, i * 4, load4(source_in, i * 4));
  }
}

// One sum a thread over float32[n], n a multiple of 4; sums float32[threads].
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_read(Array<const float> source_in, Array<float> sums_out) {
  long long words = source_in.shape0 / 4, stride = (long long)gridDim.x * PROBE_THREADS;
  long long thread = blockIdx.x * (long long)PROBE_THREADS + threadIdx.x;
  float4 sum = make_float4(ZERO, ZERO, ZERO, ZERO);
  for (long long i = thread; i < words; i += stride) {
    float4 value = load4(source_in, i * 4);
    sum = make_float4(sum.x + value.x, sum.y + value.y, sum.z + value.z, sum.w + value.w);
  }
  sums_out[thread] = (sum.x + sum.y) + (sum.z + sum.w);
}

// `count` rounds of six independent fused multiply-adds on every thread, in the order of multiply_add's one lane.
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_multiply_add(long long count, Array<float> sums_out) {
  long long thread = blockIdx.x * (long long)PROBE_THREADS + threadIdx.x;
  float start = (float)thread;
  float x0 = start, x1 = start + FACTOR, x2 = start - FACTOR;
  float x3 = x0 + FACTOR, x4 = x1 + FACTOR, x5 = x2 + FACTOR;
  int rounds = (int)count;
#pragma unroll 16
  for (int i = 0; i < rounds; ++i) {
    x0 = __fmaf_rn(x0, FACTOR, ADDEND);
    x1 = __fmaf_rn(x1, FACTOR, ADDEND);
    x2 = __fmaf_rn(x2, FACTOR, ADDEND);
    x3 = __fmaf_rn(x3, FACTOR, ADDEND);
    x4 = __fmaf_rn(x4, FACTOR, ADDEND);
    x5 = __fmaf_rn(x5, FACTOR, ADDEND);
  }
  sums_out[thread] = ((x0 + x1) + (x2 + x3)) + (x4 + x5);
}

// `count` additions by every thread to the block's shared memory, a warp's to 32 banks; sums int32[blocks].
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_shared_add(long long count, Array<int> sums_out) {
  __shared__ int words[PROBE_SHARED_WORDS];
  __shared__ int total;
  for (int i = threadIdx.x; i < PROBE_SHARED_WORDS; i += PROBE_THREADS) words[i] = 0;
  if (threadIdx.x == 0) total = 0;
  __syncthreads();
  int rounds = (int)count;
  int at = threadIdx.x;
#pragma unroll 16
  for (int i = 0; i < rounds; ++i) {
    atomicAdd(&words[at], 1);
    at = (at + 32) & (PROBE_SHARED_WORDS - 1);
  }
  __syncthreads();
  int sum = 0;
  for (int i = threadIdx.x; i < PROBE_SHARED_WORDS; i += PROBE_THREADS) sum += words[i];
  atomicAdd(&total, sum);
  __syncthreads();
  if (threadIdx.x == 0) sums_out[blockIdx.x] = total;
}
