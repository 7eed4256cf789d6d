#include "common.cuh"

// Loops that reach a device's limits and do nothing else; passes and work are told in roof_probe.py.

// Past the first-level cache, and each time anew: what is measured is the second level, or memory behind it.
__device__ __forceinline__ float4 from_second_level(Array<const float> a, long long word) {
  return __ldcg(reinterpret_cast<const float4*>(&a[word]));
}

__device__ __forceinline__ float4 sum_of(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

// target = source, `repeats` times in one launch; float32[n], n a multiple of 4.
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_copy(long long repeats, Array<const float> source_in, Array<float> target_out) {
  long long words = source_in.shape0 / 4, stride = (long long)gridDim.x * PROBE_THREADS;
  long long thread = blockIdx.x * (long long)PROBE_THREADS + threadIdx.x;
  for (long long repeat = 0; repeat < repeats; ++repeat) {
    long long i = thread;
    for (; i + (IN_FLIGHT - 1) * stride < words; i += IN_FLIGHT * stride) {
      float4 value[IN_FLIGHT];
#pragma unroll
      for (int n = 0; n < IN_FLIGHT; ++n) value[n] = from_second_level(source_in, (i + n * stride) * 4);
#pragma unroll
      for (int n = 0; n < IN_FLIGHT; ++n) store4(target_out, (i + n * stride) * 4, value[n]);
    }
    for (; i < words; i += stride) store4(target_out, i * 4, from_second_level(source_in, i * 4));
  }
}

// One sum a thread over float32[n], `repeats` times in one launch, n a multiple of 4; sums float32[threads].
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_read(long long repeats, Array<const float> source_in, Array<float> sums_out) {
  long long words = source_in.shape0 / 4, stride = (long long)gridDim.x * PROBE_THREADS;
  long long thread = blockIdx.x * (long long)PROBE_THREADS + threadIdx.x;
  float4 sum = make_float4(ZERO, ZERO, ZERO, ZERO);
  for (long long repeat = 0; repeat < repeats; ++repeat) {
    long long i = thread;
    for (; i + (IN_FLIGHT - 1) * stride < words; i += IN_FLIGHT * stride) {
      float4 value[IN_FLIGHT];
#pragma unroll
      for (int n = 0; n < IN_FLIGHT; ++n) value[n] = from_second_level(source_in, (i + n * stride) * 4);
#pragma unroll
      for (int n = 0; n < IN_FLIGHT; ++n) sum = sum_of(sum, value[n]);
    }
    for (; i < words; i += stride) sum = sum_of(sum, from_second_level(source_in, i * 4));
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

// `count` additions of `amount` by every thread to the block's shared memory, a warp's to 32 banks; sums int32[blocks].
// The compiler must not know the amount: it makes another, faster instruction of an addition of 1.
extern "C" __global__ void __launch_bounds__(PROBE_THREADS)
    roof_probe_shared_add(long long count, long long amount, Array<int> sums_out) {
  __shared__ int words[PROBE_SHARED_WORDS];
  __shared__ int total;
  for (int i = threadIdx.x; i < PROBE_SHARED_WORDS; i += PROBE_THREADS) words[i] = 0;
  if (threadIdx.x == 0) total = 0;
  __syncthreads();
  int rounds = (int)count, added = (int)amount;
  int at = threadIdx.x;
#pragma unroll 16
  for (int i = 0; i < rounds; ++i) {
    atomicAdd(&words[at], added);
    at = (at + 32) & (PROBE_SHARED_WORDS - 1);
  }
  __syncthreads();
  int sum = 0;
  for (int i = threadIdx.x; i < PROBE_SHARED_WORDS; i += PROBE_THREADS) sum += words[i];
  atomicAdd(&total, sum);
  __syncthreads();
  if (threadIdx.x == 0) sums_out[blockIdx.x] = total;
}
