#include "mpm_common.cuh"

// The CUDA side of mpm_lanes.py: a thread is one of its sixteen lanes.

// Offset from the nearest node and quadratic B-spline of one coordinate.
__device__ __forceinline__ Spline spline16(float x, float inverse_cell) {
  float scaled = x * inverse_cell;
  return weights((scaled - floorf(scaled - HALF)) - ONE);
}
