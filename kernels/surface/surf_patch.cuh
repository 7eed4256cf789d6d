#include "surf_bricks.cuh"

// A patch: 3^3 nodes of a brick, a lane of a warp each. 27 patches are a brick. All particles that reach a patch are
// found by the whole warp, 32 at a time, and added by every lane in their order: cells in ascending order, then place.

constexpr int PATCHES = 27;     // of a brick
constexpr int PATCH_WARPS = 8;  // of a block; each works on a patch of its own
constexpr unsigned WHOLE_WARP = 0xFFFFFFFFu;
constexpr float PATCH_SLACK = 1.01f;  // of the reach: particles beyond it are left out; no rounding comes near it

// Particles that were found, one queue a warp.
struct PatchQueue {
  float4 row[32];
  float extra[32];
};

// The patch's box (m).
struct PatchBox {
  float x0, x1, y0, y1, z0, z1;
};

// Node 0..8 on one axis that a lane stands for; lanes 27 to 31 repeat the last node.
__device__ __forceinline__ int patch_node(int patch, int lane, int axis) {
  int n = lane < 27 ? lane : 26;
  int divisor = axis == 0 ? 9 : axis == 1 ? 3 : 1;
  return 3 * ((patch / divisor) % 3) + (n / divisor) % 3;
}

__device__ __forceinline__ float least_of_warp(float x) {
  for (int step = 16; step > 0; step >>= 1) {
    float other = __shfl_xor_sync(WHOLE_WARP, x, step);
    x = other < x ? other : x;
  }
  return x;
}

__device__ __forceinline__ float most_of_warp(float x) {
  for (int step = 16; step > 0; step >>= 1) {
    float other = __shfl_xor_sync(WHOLE_WARP, x, step);
    x = other > x ? other : x;
  }
  return x;
}

__device__ __forceinline__ PatchBox patch_box(float x, float y, float z) {
  return PatchBox{
      least_of_warp(x), most_of_warp(x), least_of_warp(y), most_of_warp(y), least_of_warp(z), most_of_warp(z)};
}

// Whether a particle may reach a node of the box. `far_square`: square of the reach, with PATCH_SLACK.
__device__ __forceinline__ bool reaches(const PatchBox& box, float4 row, float far_square) {
  float dx = row.x < box.x0 ? box.x0 - row.x : row.x > box.x1 ? row.x - box.x1 : ZERO;
  float dy = row.y < box.y0 ? box.y0 - row.y : row.y > box.y1 ? row.y - box.y1 : ZERO;
  float dz = row.z < box.z0 ? box.z0 - row.z : row.z > box.z1 ? row.z - box.z1 : ZERO;
  return dx * dx + dy * dy + dz * dz < far_square;
}

// The part of `brick`, cells that the whole brick looks into, that the patch looks into.
__device__ __forceinline__ CellRange narrowed(
    CellRange brick, float low, float high, float far, float inverse_cell, long long cells) {
  CellRange own = cell_range(low - far, high + far, inverse_cell, cells);
  return CellRange{own.first > brick.first ? own.first : brick.first, own.last < brick.last ? own.last : brick.last};
}

// Add to `sums` every particle of a box of cells. sums.stage(p, row, extra) loads particle p and tells whether it
// counts; sums.add(row, extra) adds it to the lane's node. All lanes take part.
template <class Sums>
__device__ __forceinline__ void add_cells(
    Sums& sums, CellRange i, CellRange j, CellRange k, long long cells_y, long long cells_z, Array<const int> start_in,
    PatchQueue& queue) {
  int lane = threadIdx.x & 31;
  int columns = j.last - j.first + 1, rows = (i.last - i.first + 1) * columns;
  for (int first_row = 0; first_row < rows; first_row += 32) {
    // A row's particles stand together; each lane looks up one row
    int r = first_row + lane, begin = 0, end = 0;
    if (r < rows) {
      long long cell = ((i.first + r / columns) * cells_y + j.first + r % columns) * cells_z;
      begin = load(start_in, cell + k.first);
      end = load(start_in, cell + k.last + 1);
    }
    int batch = rows - first_row < 32 ? rows - first_row : 32;
    for (int n = 0; n < batch; ++n) {
      int low = __shfl_sync(WHOLE_WARP, begin, n), high = __shfl_sync(WHOLE_WARP, end, n);
      for (; low < high; low += 32) {
        float4 row = make_float4(ZERO, ZERO, ZERO, ZERO);
        float extra = ZERO;
        bool counts = low + lane < high && sums.stage(low + lane, row, extra);
        unsigned found = __ballot_sync(WHOLE_WARP, counts);
        if (counts) {
          int place = __popc(found & ((1u << lane) - 1u));
          queue.row[place] = row;
          queue.extra[place] = extra;
        }
        __syncwarp();
        int number = __popc(found);
        for (int m = 0; m < number; ++m) sums.add(queue.row[m], queue.extra[m]);
        __syncwarp();
      }
    }
  }
}
