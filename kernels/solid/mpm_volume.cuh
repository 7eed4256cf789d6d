#include "common.cuh"

// The volume ratio against the density of particles. See mpm_volume.py.

// The second one where it is not below or above: what is not a number becomes that one.
__device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }
__device__ __forceinline__ float smaller(float a, float b) { return a < b ? a : b; }

// A volume ratio after a step towards what the density at its particle leaves possible: `mass` of the nodes there
// (particle masses) and its gradient (1/m).
__device__ __forceinline__ float corrected(
    float volume, float per_full_cell, float slope_share, float mass, float x, float y, float z) {
  float fill = mass * per_full_cell;
  float steep = sqrtf((x * x + y * y) + z * z);
  float full = larger(__fmaf_rn(steep, slope_share, fill + THIN_MARGIN), FILL_MIN);
  float dense = larger(fill - DENSE_MARGIN, smaller(full, ONE));
  float high = ONE / dense, low = ONE / full;
  float step = smaller(high - volume, ZERO) + larger(low - volume, ZERO);
  volume = __fmaf_rn(step, CORRECTION, volume);
  return smaller(larger(volume, VOLUME_RATIO_MIN), VOLUME_RATIO_MAX);
}
