#include "mpm_lanes.cuh"

// What the kernels that go from particles to grid share. See mpm_p2g.py for equations, units, the order of operations.
//
// A block of threads takes an active block. In rounds of up to sixteen base cells: first a thread prepares a particle,
// then twelve threads sum a cell, one for each of three nodes along z and four channels; a thread's nine sums, over x
// and y, stay in registers. Rounded to fixed point they join the arena in shared memory, which is written out once.
// A warp waits for the fullest of its three or four cells: so cells take their threads in order of their number.

constexpr int THREADS = 192;
constexpr int CELLS = 16;  // base cells of a round: THREADS / 12
// Particles of a round, at least CELL_COUNT_MAX: shared memory for so many bounds the blocks of a multiprocessor where it
// is small. A cell is summed whole whatever the rounds are: the bits are the same.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int ROUND = 156;  // 64 KB: three blocks
#elif defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200)
constexpr int ROUND = 136;  // 100 KB: five
#else
constexpr int ROUND = 192;  // 164 KB and more: six, which registers bound as well
#endif
static_assert(ROUND >= CELL_COUNT_MAX, "a cell fits a round");
constexpr int WORDS = 28;        // per particle: four channels of b, A_x, A_y, A_z; nine w_i w_j; three w_k
constexpr int AT_SHARE = 16, AT_WEIGHT = 25;
constexpr float TWO_THIRDS = 0.666666686534881591796875f;

struct Scales {
  float inverse_cell, scale, size, stress, pressure, viscosity;
  bool per_particle, viscous;
};

// `momentum`: 1, or 0 to leave out v and C d.
__device__ __forceinline__ Scales scales_of(
    float momentum, float cell_size_m, Array<const float> step_in, Array<const float> material_in,
    Array<const float> viscosity_in) {
  Scales scales;
  float scale = step_in[STEP_VELOCITY_SCALE];
  scales.inverse_cell = ONE / cell_size_m;
  scales.scale = scale * momentum;
  scales.size = cell_size_m * scale * momentum;
  float stress = FOUR * step_in[STEP_DT] / (cell_size_m * material_in[MATERIAL_DENSITY]);
  scales.stress = stress * scale;
  scales.pressure = stress * material_in[MATERIAL_BULK_MODULUS] * scale;
  scales.viscosity = material_in[MATERIAL_VISCOSITY];
  scales.per_particle = viscosity_in.shape0 > 1;
  scales.viscous = scales.per_particle || scales.viscosity != ZERO;
  return scales;
}

// scale max(J^-6 - J, 0): no tension.
__device__ __forceinline__ float pressure_of(float volume, float scale) {
  float r = ONE / volume;
  float r2 = r * r;
  float excess = r2 * r2 * r2 - volume;
  return scale * (excess > ZERO ? excess : ZERO);
}

__device__ __forceinline__ void put4(float* at, float x, float y, float z, float w) {
  *reinterpret_cast<float4*>(at) = make_float4(x, y, z, w);
}

// What a cell's threads need of one particle.
__device__ __forceinline__ void prepare(
    int p, const Scales& s, Array<const float> position_in, Array<const float> velocity_in,
    Array<const float> viscosity_in, float* field) {
  float4 place = load4(position_in, (long long)p * 4);
  float4 v = load4(velocity_in, (long long)p * 12);        // v, xx; xy: dv_y/dx
  float4 c = load4(velocity_in, (long long)p * 12 + 4);    // xy xz yx yy
  float4 d = load4(velocity_in, (long long)p * 12 + 8);    // yz zx zy zz
  // Affine field, in units of fixed point
  float volume = place.w;
  float diagonal = pressure_of(volume, s.pressure);
  float axx, axy, axz, ayx, ayy, ayz, azx, azy, azz;
  if (s.viscous) {
    float mu = s.per_particle ? viscosity_in[p] : s.viscosity;
    float drag = s.stress * (volume * mu);
    float trace = v.w + c.w + d.w;
    diagonal = __fmaf_rn(drag * TWO_THIRDS, trace, diagonal);
    float against = ZERO - drag;
    axx = __fmaf_rn(v.w + v.w, against, __fmaf_rn(v.w, s.size, diagonal));
    axy = __fmaf_rn(c.x + c.z, against, c.x * s.size);
    axz = __fmaf_rn(c.y + d.y, against, c.y * s.size);
    ayx = __fmaf_rn(c.z + c.x, against, c.z * s.size);
    ayy = __fmaf_rn(c.w + c.w, against, __fmaf_rn(c.w, s.size, diagonal));
    ayz = __fmaf_rn(d.x + d.z, against, d.x * s.size);
    azx = __fmaf_rn(d.y + c.y, against, d.y * s.size);
    azy = __fmaf_rn(d.z + d.x, against, d.z * s.size);
    azz = __fmaf_rn(d.w + d.w, against, __fmaf_rn(d.w, s.size, diagonal));
  } else {
    axx = __fmaf_rn(v.w, s.size, diagonal);
    axy = c.x * s.size;
    axz = c.y * s.size;
    ayx = c.z * s.size;
    ayy = __fmaf_rn(c.w, s.size, diagonal);
    ayz = d.x * s.size;
    azx = d.y * s.size;
    azy = d.z * s.size;
    azz = __fmaf_rn(d.w, s.size, diagonal);
  }
  // Weights
  Spline x = spline16(place.x, s.inverse_cell);
  Spline y = spline16(place.y, s.inverse_cell);
  Spline z = spline16(place.z, s.inverse_cell);
  put4(field + AT_SHARE, x.w0 * y.w0, x.w0 * y.w1, x.w0 * y.w2, x.w1 * y.w0);
  put4(field + AT_SHARE + 4, x.w1 * y.w1, x.w1 * y.w2, x.w2 * y.w0, x.w2 * y.w1);
  put4(field + AT_SHARE + 8, x.w2 * y.w2, z.w0, z.w1, z.w2);
  // Velocity at the nearest node
  float gx = ZERO - x.g, gy = ZERO - y.g, gz = ZERO - z.g;
  float bx = __fmaf_rn(gz, azx, __fmaf_rn(gy, ayx, __fmaf_rn(gx, axx, v.x * s.scale)));
  float by = __fmaf_rn(gz, azy, __fmaf_rn(gy, ayy, __fmaf_rn(gx, axy, v.y * s.scale)));
  float bz = __fmaf_rn(gz, azz, __fmaf_rn(gy, ayz, __fmaf_rn(gx, axz, v.z * s.scale)));
  put4(field, bx, axx, ayx, azx);
  put4(field + 4, by, axy, ayy, azy);
  put4(field + 8, bz, axz, ayz, azz);
  put4(field + 12, MASS_SCALE, ZERO, ZERO, ZERO);
}

// The cells of a round, fullest first. A whole warp calls it.
__device__ __forceinline__ void rank_cells(int cell, int end_cell, const int* first_of, int* turn) {
  int lane = threadIdx.x & 31, c = cell + lane;
  int number = c < end_cell ? first_of[c + 1] - first_of[c] : 0;
  int mine = number * CELLS + lane, rank = 0;
  for (int other = 0; other < CELLS; ++other) rank += __shfl_sync(0xFFFFFFFFu, mine, other) > mine ? 1 : 0;
  if (lane < CELLS) turn[rank] = c;
}

// Add a thread's nine sums to the arena, from `node` on.
__device__ __forceinline__ void add_sums(
    int* node, float a00, float a01, float a02, float a10, float a11, float a12, float a20, float a21, float a22) {
  // Sums fit int by the scale of mpm_control; of a velocity that is not finite they are anything, in a refused state
  atomicAdd(node, (int)rintf(a00));
  atomicAdd(node + ARENA_ROW, (int)rintf(a01));
  atomicAdd(node + 2 * ARENA_ROW, (int)rintf(a02));
  node += ARENA_PLANE;
  atomicAdd(node, (int)rintf(a10));
  atomicAdd(node + ARENA_ROW, (int)rintf(a11));
  atomicAdd(node + 2 * ARENA_ROW, (int)rintf(a12));
  node += ARENA_PLANE;
  atomicAdd(node, (int)rintf(a20));
  atomicAdd(node + ARENA_ROW, (int)rintf(a21));
  atomicAdd(node + 2 * ARENA_ROW, (int)rintf(a22));
}

// Sum particles low <= i < high of a round at node k of nine rows, for one channel; add to the arena from `node` on.
__device__ __forceinline__ void scatter(int low, int high, int k, int channel, const float* field, int* node) {
  float below = (float)(k - 1);
  float a00 = ZERO, a01 = ZERO, a02 = ZERO, a10 = ZERO, a11 = ZERO, a12 = ZERO, a20 = ZERO, a21 = ZERO, a22 = ZERO;
  const float* at = field + low * WORDS;
  const float* own = at + 4 * channel;
  const float* weight = at + AT_WEIGHT + k;
#pragma unroll 1  // unrolled, cells of unlike counts in a warp would wait for each other twice
  for (int left = high - low; left > 0; --left) {
    float4 a = *reinterpret_cast<const float4*>(own);
    float4 share = *reinterpret_cast<const float4*>(at + AT_SHARE);
    float4 more = *reinterpret_cast<const float4*>(at + AT_SHARE + 4);
    float last = at[AT_SHARE + 8], w = *weight;
    float zx = w * a.y, zy = w * a.z;
    float middle = w * __fmaf_rn(a.w, below, a.x);
    float lower = middle - zx, upper = middle + zx;
    a00 = __fmaf_rn(share.x, lower - zy, a00);
    a01 = __fmaf_rn(share.y, lower, a01);
    a02 = __fmaf_rn(share.z, lower + zy, a02);
    a10 = __fmaf_rn(share.w, middle - zy, a10);
    a11 = __fmaf_rn(more.x, middle, a11);
    a12 = __fmaf_rn(more.y, middle + zy, a12);
    a20 = __fmaf_rn(more.z, upper - zy, a20);
    a21 = __fmaf_rn(more.w, upper, a21);
    a22 = __fmaf_rn(last, upper + zy, a22);
    at += WORDS;
    own += WORDS;
    weight += WORDS;
  }
  add_sums(node, a00, a01, a02, a10, a11, a12, a20, a21, a22);
}

// What a block of threads shares: particles of a round, the arena, where cells' particles start, whose turn it is.
struct Room {
  float* field;
  int* arena;
  int* first_of;
  int* turn;
};

// Fill the arenas of all blocks: `put(p, field)` prepares a particle, `sum(low, high, k, channel, field, node)` adds
// those of a cell.
template <typename Put, typename Sum>
__device__ __forceinline__ void fill_arenas(
    Array<const int> counts_in, Array<const int> order_in, Array<const int> cell_start_in, Array<int> arena_out,
    const Room& room, Put put, Sum sum) {
  int4* arena_words = reinterpret_cast<int4*>(room.arena);
  int* first_of = room.first_of;
  int group = threadIdx.x / 12, word = threadIdx.x % 12;
  int blocks = counts_in[COUNT_BLOCKS];
  for (int s = blockIdx.x; s < blocks; s += gridDim.x) {
    int begin = cell_start_in[(long long)s * BLOCK_NODES], end = cell_start_in[(long long)(s + 1) * BLOCK_NODES];
    if (begin == end) continue;
    for (int i = threadIdx.x; i < ARENA_WORDS / 4; i += THREADS) arena_words[i] = make_int4(0, 0, 0, 0);
    for (int cell = threadIdx.x; cell <= BLOCK_NODES; cell += THREADS) {
      first_of[cell] = cell_start_in[(long long)s * BLOCK_NODES + cell] - begin;
    }
    __syncthreads();
    int cell = 0;
    while (cell < BLOCK_NODES) {
      int first = first_of[cell], end_cell = cell + CELLS < BLOCK_NODES ? cell + CELLS : BLOCK_NODES;
      while (first_of[end_cell] - first > ROUND) --end_cell;
      int count = first_of[end_cell] - first;
      if (count > 0) {
        if (threadIdx.x >= THREADS - 32) rank_cells(cell, end_cell, first_of, room.turn);
        for (int i = threadIdx.x; i < count; i += THREADS) {
          put(order_in[(long long)begin + first + i], room.field + i * WORDS);
        }
        __syncthreads();
        int c = room.turn[group];
        if (c < end_cell && first_of[c] < first_of[c + 1]) {
          int* node = room.arena + arena_word(c) + word;
          sum(first_of[c] - first, first_of[c + 1] - first, word >> 2, word & 3, room.field, node);
        }
        __syncthreads();
      }
      cell = end_cell;
    }
    for (int i = threadIdx.x; i < ARENA_WORDS / 4; i += THREADS) {
      store4(arena_out, (long long)s * ARENA_WORDS + 4 * i, arena_words[i]);
    }
    __syncthreads();
  }
}
