#include "common.cuh"

// The box around all bricks of a table that are not air. See surf_box.py.

extern "C" __global__ void __launch_bounds__(256) surf_box_clear(
    long long grid_x, long long grid_y, long long grid_z, Array<const int> table_in, Array<int> box_out) {
  if (threadIdx.x < 6) box_out[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(256) surf_box(
    long long grid_x, long long grid_y, long long grid_z, Array<const int> table_in, Array<int> box_out) {
  __shared__ int box[6];
  if (threadIdx.x < 6) box[threadIdx.x] = 0;
  __syncthreads();
  int gx = (int)grid_x, gy = (int)grid_y, gz = (int)grid_z;
  int own[6] = {0, 0, 0, 0, 0, 0};
  long long entries = grid_x * grid_y * grid_z;
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = gridDim.x * (long long)blockDim.x;
  for (long long entry = first; entry < entries; entry += step) {
    if (load(table_in, entry) == BRICK_OUTSIDE) continue;
    int e = (int)entry;
    int at[3] = {e / (gy * gz), (e / gz) % gy, e % gz};
    int edge[3] = {gx, gy, gz};
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
      own[axis] = own[axis] > edge[axis] - at[axis] ? own[axis] : edge[axis] - at[axis];
      own[3 + axis] = own[3 + axis] > at[axis] + 1 ? own[3 + axis] : at[axis] + 1;
    }
  }
#pragma unroll
  for (int word = 0; word < 6; ++word) {
    int most = own[word];
    for (int lane = 16; lane > 0; lane >>= 1) {
      int other = __shfl_xor_sync(0xFFFFFFFFu, most, lane);
      most = most > other ? most : other;
    }
    if ((threadIdx.x & 31) == 0 && most > 0) atomicMax(&box[word], most);
  }
  __syncthreads();
  if (threadIdx.x < 6 && box[threadIdx.x] > 0) atomicMax(&box_out[threadIdx.x], box[threadIdx.x]);
}
