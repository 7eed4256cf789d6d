#include "block_scan.cuh"
#include "mpm_common.cuh"

// Active blocks, and the stable order of particles by block and cell of their base node. See mpm_sort.py.
//
// Tables are worked through in chunks, as many as there is room for in scratch; a chunk's first number is the sum of
// what all chunks before it hold. cell_start_out holds in turn: counts, ends, starts. Particles come to their cell's
// places in any order, but not far from the right one; the last pass puts each cell's few in order.
// scratch_inout: HEAD_BLOCKS, HEAD_LARGEST, HEAD_STOPPED; from DEVICE_HEAD on sums by chunk of the block table, then of the cells.

constexpr int THREADS = 256;
constexpr int TILE = 4 * THREADS;   // elements that a block of threads scans at a time
constexpr int ORDER_THREADS = 64;   // of a block of the last pass
constexpr int LIST = 1536;          // particles that are put in order at a time
constexpr int HEAD_BLOCKS = 0, HEAD_LARGEST = 1;
constexpr int HEAD_STOPPED = 2;  // whether an earlier sort has stopped: what this one sets is no word for its own passes
constexpr int BLOCK_SUMS = DEVICE_HEAD, CELL_SUMS = DEVICE_HEAD + DEVICE_CHUNKS;

// Elements per chunk of a table: whole tiles, so that a small table is one chunk.
__device__ __forceinline__ long long chunk_length(long long size) {
  long long length = (size + DEVICE_CHUNKS - 1) / DEVICE_CHUNKS;
  return (length + TILE - 1) / TILE * TILE;
}

// Sum over all threads, for all threads; `share` has THREADS / 32 words.
__device__ __forceinline__ int sum_of_block(int value, int* share) {
  for (int step = 16; step > 0; step >>= 1) value += __shfl_xor_sync(0xFFFFFFFFu, value, step);
  if ((threadIdx.x & 31) == 0) share[threadIdx.x >> 5] = value;
  __syncthreads();
  int total = 0;
  for (int warp = 0; warp < THREADS / 32; ++warp) total += share[warp];
  __syncthreads();
  return total;
}

// What all chunks before `chunk` hold; `total` becomes what all of `chunks` hold.
__device__ __forceinline__ int chunks_before(
    Array<int> scratch_inout, int sums_at, int chunk, int chunks, int* share, int& total) {
  int before = 0, all = 0;
  for (int c = threadIdx.x; c < chunks; c += THREADS) {
    int sum = scratch_inout[sums_at + c];
    all += sum;
    if (c < chunk) before += sum;
  }
  total = sum_of_block(all, share);
  return sum_of_block(before, share);
}

// Clear.
extern "C" __global__ void __launch_bounds__(256) mpm_sort(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  long long table = blocks_x * blocks_y * blocks_z;
  long long start = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  bool stop = stopped(counts_inout);
  if (start == 0) {
    scratch_inout[HEAD_STOPPED] = stop ? 1 : 0;
    scratch_inout[HEAD_LARGEST] = 0;
    scratch_inout[HEAD_BLOCKS] = 0;
    if (stop) counts_inout[COUNT_BLOCKS] = 0;
  }
  if (stop) return;
  for (long long block = start; block < table; block += (long long)gridDim.x * blockDim.x) slot_out[block] = -1;
}

// Touch the eight blocks that each particle's nodes may lie in; every thread writes the same value.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_mark(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  if (scratch_inout[HEAD_STOPPED] != 0) return;
  long long particles = counts_inout[COUNT_PARTICLES];
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long base = blockIdx.x * (long long)blockDim.x; base < particles; base += stride) {
    long long p = base + threadIdx.x;
    int block = p < particles ? key_in[p] >> 6 : -1;
    int previous = __shfl_up_sync(0xFFFFFFFFu, block, 1);
    if (block >= 0 && ((threadIdx.x & 31) == 0 || block != previous)) {
      for (int corner = 0; corner < 4; ++corner) {
        long long at = block + ((corner >> 1) * blocks_y + (corner & 1)) * blocks_z;
        slot_out[at] = 0;
        slot_out[at + 1] = 0;
      }
    }
  }
}

// Count the touched blocks of each chunk.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_touched(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  __shared__ int share[THREADS / 32];
  if (scratch_inout[HEAD_STOPPED] != 0) return;
  long long table = blocks_x * blocks_y * blocks_z;
  long long length = chunk_length(table);
  for (long long chunk = blockIdx.x; chunk * length < table; chunk += gridDim.x) {
    long long end = (chunk + 1) * length < table ? (chunk + 1) * length : table;
    int touched = 0;
    for (long long block = chunk * length + threadIdx.x; block < end; block += THREADS) {
      touched += slot_out[block] >= 0 ? 1 : 0;
    }
    touched = sum_of_block(touched, share);
    if (threadIdx.x == 0) scratch_inout[BLOCK_SUMS + chunk] = touched;
  }
}

// Number the touched blocks, and clear the counts of their cells.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_number(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  __shared__ int share[THREADS / 32];
  if (scratch_inout[HEAD_STOPPED] != 0) return;
  long long table = blocks_x * blocks_y * blocks_z;
  long long length = chunk_length(table);
  int chunks = (int)((table + length - 1) / length);
  long long capacity = block_id_out.shape0;
  int total;
  chunks_before(scratch_inout, BLOCK_SUMS, 0, chunks, share, total);
  long long blocks = total > capacity ? 0 : total;
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    if (total > capacity) counts_inout[COUNT_BLOCKS_NEEDED] = total;
    counts_inout[COUNT_BLOCKS] = (int)blocks;
    scratch_inout[HEAD_BLOCKS] = (int)blocks;
  }
  long long start = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  for (long long cell = start; cell <= blocks * BLOCK_NODES; cell += (long long)gridDim.x * blockDim.x) {
    cell_start_out[cell] = 0;
  }
  for (int chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    int number = chunks_before(scratch_inout, BLOCK_SUMS, chunk, chunks, share, total);
    long long end = (chunk + 1) * length < table ? (chunk + 1) * length : table;
    for (long long tile = chunk * length; tile < end; tile += THREADS) {
      long long block = tile + threadIdx.x;
      int touched = block < end && slot_out[block] >= 0 ? 1 : 0;
      int in_tile;
      long long slot = number + sum_up_to<THREADS>(touched, share, in_tile) - touched;
      if (touched) {
        if (slot < capacity) block_id_out[slot] = (int)block;
        slot_out[block] = slot < capacity ? (int)slot : 0;
      }
      number += in_tile;
    }
  }
}

// A run of equal cells among the lanes of a warp: the lane that it starts at, and its length. -1 is no cell.
__device__ __forceinline__ int2 run_of(int cell) {
  int lane = threadIdx.x & 31;
  int previous = __shfl_up_sync(0xFFFFFFFFu, cell, 1);
  unsigned heads = __ballot_sync(0xFFFFFFFFu, lane == 0 || cell != previous);
  int first = 31 - __clz((int)(heads & (0xFFFFFFFFu >> (31 - lane))));
  unsigned after = lane == 31 ? 0u : heads & (0xFFFFFFFFu << (lane + 1));
  int next = after != 0u ? __ffs((int)after) - 1 : 32;
  return make_int2(first, next - first);
}

// Count the particles of each cell; one add for each run of them.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_count(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  long long particles = scratch_inout[HEAD_BLOCKS] > 0 ? counts_inout[COUNT_PARTICLES] : 0;
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long base = blockIdx.x * (long long)blockDim.x; base < particles; base += stride) {
    long long p = base + threadIdx.x;
    int key = p < particles ? key_in[p] : -1;
    int2 run = run_of(key);
    if (key >= 0 && run.x == (int)(threadIdx.x & 31)) {
      atomicAdd(&cell_start_out[(long long)slot_out[key >> 6] * BLOCK_NODES + (key & 63)], run.y);
    }
  }
}

// Sum the counts of each chunk, find the largest.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_sum(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  __shared__ int share[THREADS / 32];
  long long cells = (long long)scratch_inout[HEAD_BLOCKS] * BLOCK_NODES;
  long long length = chunk_length(cells);
  for (long long chunk = blockIdx.x; chunk * length < cells; chunk += gridDim.x) {
    long long end = (chunk + 1) * length < cells ? (chunk + 1) * length : cells;
    int sum = 0, largest = 0;
    for (long long cell = chunk * length + 4 * threadIdx.x; cell < end; cell += TILE) {
      int4 count = load4(cell_start_out, cell);
      sum += (count.x + count.y) + (count.z + count.w);
      largest = max(largest, max(max(count.x, count.y), max(count.z, count.w)));
    }
    sum = sum_of_block(sum, share);
    if (threadIdx.x == 0) scratch_inout[CELL_SUMS + chunk] = sum;
    for (int step = 16; step > 0; step >>= 1) largest = max(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, step));
    if ((threadIdx.x & 31) == 0) atomicMax(&scratch_inout[HEAD_LARGEST], largest);
  }
}

// Turn counts into the ends of cells. One block of threads also says what the largest count means.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_scan(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  __shared__ int share[THREADS / 32];
  if (scratch_inout[HEAD_STOPPED] != 0) return;
  long long cells = (long long)scratch_inout[HEAD_BLOCKS] * BLOCK_NODES;
  long long length = chunk_length(cells);
  int chunks = cells > 0 ? (int)((cells + length - 1) / length) : 0;
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    int largest = scratch_inout[HEAD_LARGEST];
    counts_inout[COUNT_CELL_MAX] = largest;
    if (largest > CELL_COUNT_MAX) {
      counts_inout[COUNT_ERROR] |= ERROR_CELL_OVERFLOW;
      counts_inout[COUNT_BLOCKS] = 0;
    }
    cell_start_out[cells] = cells > 0 ? counts_inout[COUNT_PARTICLES] : 0;
  }
  for (int chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    int total;
    int before = chunks_before(scratch_inout, CELL_SUMS, chunk, chunks, share, total);
    long long end = (chunk + 1) * length < cells ? (chunk + 1) * length : cells;
    for (long long tile = chunk * length; tile < end; tile += TILE) {
      long long cell = tile + 4 * threadIdx.x;
      int4 count = cell < end ? load4(cell_start_out, cell) : make_int4(0, 0, 0, 0);
      count.y += count.x;
      count.z += count.y;
      count.w += count.z;
      int in_tile;
      int place = before + sum_up_to<THREADS>(count.w, share, in_tile) - count.w;
      if (cell < end) {
        store4(cell_start_out, cell, make_int4(place + count.x, place + count.y, place + count.z, place + count.w));
      }
      before += in_tile;
    }
  }
}

// Put particles into their cells, from the ends down: ends become starts. Warps that most likely come first take the
// last particles, so that a cell's runs stand nearly in order.
extern "C" __global__ void __launch_bounds__(256) mpm_sort_place(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  int particles = scratch_inout[HEAD_BLOCKS] > 0 ? counts_inout[COUNT_PARTICLES] : 0;
  int tiles = (int)(((long long)particles + THREADS - 1) / THREADS);
  int lane = threadIdx.x & 31, in_tile = THREADS - 32 - (threadIdx.x - lane) + lane;
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    long long p = (long long)(tiles - 1 - tile) * THREADS + in_tile;
    int key = p < particles ? key_in[p] : -1;
    int2 run = run_of(key);
    int place = 0;
    if (key >= 0 && run.x == lane) {
      place = atomicAdd(&cell_start_out[(long long)slot_out[key >> 6] * BLOCK_NODES + (key & 63)], -run.y) - run.y;
    }
    place = __shfl_sync(0xFFFFFFFFu, place, run.x);
    if (key >= 0) order_out[place + (lane - run.x)] = (int)p;
  }
}

// Put each cell's particles in ascending order: they nearly are, so insert one after the other. A thread takes a cell.
extern "C" __global__ void __launch_bounds__(ORDER_THREADS) mpm_sort_order(
    long long blocks_x, long long blocks_y, long long blocks_z, Array<int> counts_inout, Array<const int> key_in,
    Array<int> scratch_inout, Array<int> order_out, Array<int> block_id_out, Array<int> slot_out,
    Array<int> cell_start_out) {
  __shared__ int list[LIST];
  __shared__ int first_of[BLOCK_NODES + 1];
  int blocks = scratch_inout[HEAD_BLOCKS];
  for (int s = blockIdx.x; s < blocks; s += gridDim.x) {
    __syncthreads();
    for (int cell = threadIdx.x; cell <= BLOCK_NODES; cell += ORDER_THREADS) {
      first_of[cell] = cell_start_out[(long long)s * BLOCK_NODES + cell];
    }
    __syncthreads();
    int cell = 0;
    while (cell < BLOCK_NODES) {
      // As many whole cells as the list holds
      int begin = first_of[cell], end_cell = BLOCK_NODES;
      while (end_cell > cell + 1 && first_of[end_cell] - begin > LIST) --end_cell;
      int count = first_of[end_cell] - begin;
      // A cell that the list does not hold has failed the run
      if (count > 0 && count <= LIST) {
#pragma unroll 4
        for (int i = threadIdx.x; i < count; i += ORDER_THREADS) list[i] = order_out[begin + i];
        __syncthreads();
        int c = cell + threadIdx.x;
        if (c < end_cell) {
          int low = first_of[c] - begin, high = first_of[c + 1] - begin;
#pragma unroll 1
          for (int i = low + 1; i < high; ++i) {
            int p = list[i], at = i;
#pragma unroll 1
            for (; at > low && list[at - 1] > p; --at) list[at] = list[at - 1];
            list[at] = p;
          }
        }
        __syncthreads();
#pragma unroll 4
        for (int i = threadIdx.x; i < count; i += ORDER_THREADS) order_out[begin + i] = list[i];
        __syncthreads();
      }
      cell = end_cell;
    }
  }
}
