// What a .cu file may use, for g++ on a CPU: types, indices, intrinsics. Threads of a block are fibres (runtime.cpp).
// Nothing is included, so that a kernel's own names meet no other library's.
#pragma once

#define __global__ __attribute__((noinline))  // its caller is not checked
#define __device__
#define __constant__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static __attribute__((section("emulator_shared")))
struct EmulatorGap {
  char bytes[2048];
};
#ifdef __SANITIZE_THREAD__
// Behind each variable in shared memory a gap that nobody may touch: the checker finds all of them in their section.
#define EMULATOR_SHARED(type, name, ...)                                                             \
  __shared__ struct {                                                                                \
    type items __VA_ARGS__;                                                                          \
    EmulatorGap gap;                                                                                 \
  } emulator_of_##name;                                                                              \
  static __attribute__((section("emulator_gaps"), used)) EmulatorGap* const emulator_behind_##name = \
      &emulator_of_##name.gap;                                                                       \
  auto& name = emulator_of_##name.items;
#else
#define EMULATOR_SHARED(type, name, ...) __shared__ type name __VA_ARGS__;
#endif

struct EmulatorIndex {
  unsigned x, y, z;
};
struct EmulatorState {
  EmulatorIndex thread, block, block_size, grid;
};
extern "C" EmulatorState emulator_state;
extern "C" unsigned char emulator_dynamic[];  // dynamic shared memory of the block that runs
#define threadIdx emulator_state.thread
#define blockIdx emulator_state.block
#define blockDim emulator_state.block_size
#define gridDim emulator_state.grid
constexpr int warpSize = 32;

struct alignas(8) float2 {
  float x, y;
};
struct float3 {
  float x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct int3 {
  int x, y, z;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int3 make_int3(int x, int y, int z) { return {x, y, z}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// --- Arithmetic: each is exact or correctly rounded, on a GPU and here -----------------------------------------------
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
inline float sqrtf(float a) { return __builtin_sqrtf(a); }
inline float rintf(float a) { return __builtin_rintf(a); }
inline float floorf(float a) { return __builtin_floorf(a); }
inline float ceilf(float a) { return __builtin_ceilf(a); }
inline float truncf(float a) { return __builtin_truncf(a); }
inline float fabsf(float a) { return __builtin_fabsf(a); }
inline float copysignf(float a, float b) { return __builtin_copysignf(a, b); }
inline int __float_as_int(float a) { return __builtin_bit_cast(int, a); }
inline unsigned __float_as_uint(float a) { return __builtin_bit_cast(unsigned, a); }
inline float __int_as_float(int a) { return __builtin_bit_cast(float, a); }
inline float __uint_as_float(unsigned a) { return __builtin_bit_cast(float, a); }
inline int __popc(unsigned a) { return __builtin_popcount(a); }
inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
inline int __ffs(int a) { return __builtin_ffs(a); }
inline int __ffsll(long long a) { return __builtin_ffsll(a); }
inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz((unsigned)a); }
inline int __clzll(long long a) { return a == 0 ? 64 : __builtin_clzll((unsigned long long)a); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
inline unsigned __brev(unsigned a) {
  a = ((a >> 1) & 0x55555555u) | ((a & 0x55555555u) << 1);
  a = ((a >> 2) & 0x33333333u) | ((a & 0x33333333u) << 2);
  a = ((a >> 4) & 0x0F0F0F0Fu) | ((a & 0x0F0F0F0Fu) << 4);
  return __builtin_bswap32(a);
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline int abs(int a) { return a < 0 ? -a : a; }

template <class T>
inline T __ldg(const T* p) {
  return *p;
}
template <class T>
inline T __ldcs(const T* p) {
  return *p;
}
template <class T>
inline T __ldcg(const T* p) {
  return *p;
}
template <class T>
inline void __stcs(T* p, T value) {
  *p = value;
}
template <class T>
inline void __stcg(T* p, T value) {
  *p = value;
}

// --- Bounds of arrays ------------------------------------------------------------------------------------------------
extern "C" [[noreturn]] void emulator_index_fail(const void* data, long long index, long long size);
template <class A>
inline auto& emulator_at(const A& array, long long i) {
  long long size = array.shape0 * array.shape1 * array.shape2;
  if (__builtin_expect((unsigned long long)i >= (unsigned long long)size, 0)) {
    emulator_index_fail(array.data, i, size);
  }
  return array.data[i];
}
#define ARRAY_AT(array, i) emulator_at(array, i)

// --- Atomics: one after another, in the order in which fibres come ---------------------------------------------------
#define EMULATOR_ATOMICS(T)                   \
  T atomicAdd(T* address, T value);           \
  T atomicMax(T* address, T value);           \
  T atomicMin(T* address, T value);           \
  T atomicOr(T* address, T value);            \
  T atomicAnd(T* address, T value);           \
  T atomicExch(T* address, T value);          \
  T atomicCAS(T* address, T compare, T value);
EMULATOR_ATOMICS(int)
EMULATOR_ATOMICS(unsigned)
EMULATOR_ATOMICS(unsigned long long)
inline int atomicSub(int* address, int value) { return atomicAdd(address, (int)(0u - (unsigned)value)); }
extern "C" void __threadfence();
extern "C" void __threadfence_block();

// --- Barriers and warps ----------------------------------------------------------------------------------------------
enum EmulatorOperation {
  EMULATOR_SHUFFLE,
  EMULATOR_SHUFFLE_UP,
  EMULATOR_SHUFFLE_DOWN,
  EMULATOR_SHUFFLE_XOR,
  EMULATOR_BALLOT,
  EMULATOR_ANY,
  EMULATOR_ALL,
  EMULATOR_MATCH_ANY,
  EMULATOR_SYNCWARP,
  EMULATOR_ACTIVE,
  EMULATOR_BARRIER,
  EMULATOR_BARRIER_OR,
  EMULATOR_BARRIER_AND,
  EMULATOR_BARRIER_COUNT,
};
extern "C" int emulator_barrier(const char* file, int line, int operation, int predicate);
extern "C" unsigned long long emulator_warp(const char* file, int line, int operation, unsigned mask,
                                            unsigned long long value, int argument, int width);

#define EMULATOR_FENCE() asm volatile("" ::: "memory")
inline int emulator_block(const char* file, int line, int operation, int predicate = 0) {
  EMULATOR_FENCE();
  int result = emulator_barrier(file, line, operation, predicate);
  EMULATOR_FENCE();
  return result;
}
template <class T>
inline T emulator_shuffle(const char* file, int line, int operation, unsigned mask, T value, int argument,
                          int width = 32) {
  static_assert(sizeof(T) <= 8, "a shuffle moves up to eight bytes");
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof(T));
  EMULATOR_FENCE();
  word = emulator_warp(file, line, operation, mask, word, argument, width);
  EMULATOR_FENCE();
  __builtin_memcpy(&value, &word, sizeof(T));
  return value;
}
inline unsigned emulator_vote(const char* file, int line, int operation, unsigned mask, int predicate) {
  return (unsigned)emulator_shuffle<unsigned long long>(file, line, operation, mask, predicate != 0, 0);
}
template <class T>
inline unsigned emulator_match(const char* file, int line, unsigned mask, T value) {
  unsigned long long word = 0;
  __builtin_memcpy(&word, &value, sizeof(T));
  return (unsigned)emulator_shuffle(file, line, EMULATOR_MATCH_ANY, mask, word, 0);
}
inline void emulator_syncwarp(const char* file, int line, unsigned mask = 0xFFFFFFFFu) {
  emulator_shuffle(file, line, EMULATOR_SYNCWARP, mask, 0, 0);
}

#define __syncthreads() emulator_block(__FILE__, __LINE__, EMULATOR_BARRIER)
#define __syncthreads_or(p) emulator_block(__FILE__, __LINE__, EMULATOR_BARRIER_OR, (p) != 0)
#define __syncthreads_and(p) emulator_block(__FILE__, __LINE__, EMULATOR_BARRIER_AND, (p) != 0)
#define __syncthreads_count(p) emulator_block(__FILE__, __LINE__, EMULATOR_BARRIER_COUNT, (p) != 0)
#define __syncwarp(...) emulator_syncwarp(__FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(m, v, ...) emulator_shuffle(__FILE__, __LINE__, EMULATOR_SHUFFLE, m, v, __VA_ARGS__)
#define __shfl_up_sync(m, v, ...) emulator_shuffle(__FILE__, __LINE__, EMULATOR_SHUFFLE_UP, m, v, __VA_ARGS__)
#define __shfl_down_sync(m, v, ...) emulator_shuffle(__FILE__, __LINE__, EMULATOR_SHUFFLE_DOWN, m, v, __VA_ARGS__)
#define __shfl_xor_sync(m, v, ...) emulator_shuffle(__FILE__, __LINE__, EMULATOR_SHUFFLE_XOR, m, v, __VA_ARGS__)
#define __ballot_sync(m, p) emulator_vote(__FILE__, __LINE__, EMULATOR_BALLOT, m, p)
#define __any_sync(m, p) ((int)emulator_vote(__FILE__, __LINE__, EMULATOR_ANY, m, p))
#define __all_sync(m, p) ((int)emulator_vote(__FILE__, __LINE__, EMULATOR_ALL, m, p))
#define __match_any_sync(m, v) emulator_match(__FILE__, __LINE__, m, v)
#define __activemask() ((unsigned)emulator_shuffle(__FILE__, __LINE__, EMULATOR_ACTIVE, 0u, 0ull, 0))
