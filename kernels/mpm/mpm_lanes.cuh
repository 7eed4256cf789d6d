#include "mpm_common.cuh"

// The CUDA side of mpm_lanes.py: a thread is one of its sixteen lanes.

// Offset from the nearest node and quadratic B-spline of one coordinate.
__device__ __forceinline__ Spline spline16(float x, float inverse_cell) {
  float scaled = x * inverse_cell;
  return weights((scaled - floorf(scaled - HALF)) - ONE);
}

// Weights of the three nodes along an axis, and these times the distance to the node in cells.
struct Slopes {
  float w0, w1, w2, u0, u1, u2;
};

__device__ __forceinline__ Slopes slopes16(float x, float inverse_cell) {
  Spline spline = spline16(x, inverse_cell);
  float middle = ZERO - spline.g;
  return Slopes{spline.w0, spline.w1, spline.w2, spline.w0 * (middle - ONE), spline.w1 * middle,
                spline.w2 * (middle + ONE)};
}
