#include "common.cuh"

// Quadratic B-spline weights of three nodes for the offset g to the middle one, in cells.
__device__ __forceinline__ void weight_row(float g, float (&w)[3]) {
  w[0] = HALF * (HALF - g) * (HALF - g);
  w[1] = THREE_QUARTERS - g * g;
  w[2] = HALF * (HALF + g) * (HALF + g);
}
