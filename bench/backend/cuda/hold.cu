// One thread that waits: what is queued behind it lies ready when it ends. No kernel of the pipeline.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(32) hold_stream(long long cycles) {
  long long start = clock64();
  while (clock64() - start < cycles) {
  }
}
