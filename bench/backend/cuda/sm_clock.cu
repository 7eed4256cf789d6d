// The clock of one multiprocessor inside a timed region: cycles and nanoseconds, read twice. No kernel of the pipeline.
#include "common.cuh"

// reading_inout: for each of two slots cycles, nanoseconds, and whether it was written; zeros before.
// Only blocks of multiprocessor 0 write, the first of them: the cycles of two multiprocessors have nothing in common.
extern "C" __global__ void sm_clock(long long slot, Array<long long> reading_inout) {
  unsigned multiprocessor;
  long long cycles, nanoseconds;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(multiprocessor));
  if (threadIdx.x != 0 || multiprocessor != 0) return;
  unsigned long long* written = reinterpret_cast<unsigned long long*>(&reading_inout[3 * slot + 2]);
  if (atomicCAS(written, 0ull, 1ull) != 0ull) return;
  asm volatile("mov.u64 %0, %%clock64;" : "=l"(cycles));
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
  reading_inout[3 * slot] = cycles;
  reading_inout[3 * slot + 1] = nanoseconds;
}
