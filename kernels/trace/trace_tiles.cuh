#include "trace_math.cuh"
// Which pixels a launch traces, and which of them a warp takes next: the CUDA side of trace_tiles.py.

// What a launch traces of a picture: pixels of a window, and the comb of its strips.
struct Region {
  int x_low, y_low, x_high, y_high, strip_low, strip_high, strip_period;
};

// A region that ends where the picture does.
__device__ __forceinline__ Region region_of(long long x_low, long long y_low, long long x_high, long long y_high,
                                            long long strip_low, long long strip_high, long long strip_period,
                                            int width, int height) {
  x_high = min(x_high, (long long)width);
  y_high = min(y_high, (long long)height);
  return Region{(int)x_low,     (int)y_low,      (int)max(x_low, x_high), (int)max(y_low, y_high),
                (int)strip_low, (int)strip_high, (int)strip_period};
}

// How many strips a region has.
__device__ __forceinline__ int strips_of(const Region& region) {
  int strips = (region.y_high - region.y_low + STRIP - 1) / STRIP;
  int each = region.strip_high - region.strip_low;
  int last = max(0, min(strips % region.strip_period - region.strip_low, each));
  return strips / region.strip_period * each + last;
}

// First row of the n-th strip of a region.
__device__ __forceinline__ int strip_row(const Region& region, int n) {
  int each = region.strip_high - region.strip_low;
  return region.y_low + STRIP * (n / each * region.strip_period + region.strip_low + n % each);
}

// The pixels that a warp takes at a time, and how they lie in the region's strips.
struct Tiling {
  int across, down;  // pixels of a tile
  int in_row, in_strip;
  int count;
};

// Lanes are (pixel, chunk): `chunks`, a power of two up to 32, leave 32 / chunks pixels, as square as can be.
__device__ __forceinline__ Tiling tiling_of(const Region& region, int chunks) {
  Tiling tiling;
  tiling.across = 8;
  tiling.down = 4;
  for (int c = chunks; c > 1; c >>= 1) {
    if (tiling.across > tiling.down) {
      tiling.across >>= 1;
    } else {
      tiling.down >>= 1;
    }
  }
  tiling.in_row = (region.x_high - region.x_low + tiling.across - 1) / tiling.across;
  tiling.in_strip = tiling.in_row * (STRIP / tiling.down);
  tiling.count = tiling.in_strip * strips_of(region);
  return tiling;
}

// The next tile that no warp has taken; a whole warp calls it. No tile belongs to a warp: whatever divides the number of
// tiles and of warps, and however unlike tiles are, all are at work until the last ones are taken. In order of rows,
// neighbours are traced at the same time: they meet the same bricks.
__device__ __forceinline__ int draw_tile(Array<int> tiles_drawn_inout, int lane) {
  int tile = 0;
  if (lane == 0) tile = atomicAdd(&tiles_drawn_inout[0], 1);
  return __shfl_sync(0xffffffffu, tile, 0);
}
