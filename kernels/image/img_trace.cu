#include "trace_path.cuh"
#include "trace_tiles.cuh"
// Path trace one picture: the CUDA side of img_trace.py.
//
// A warp draws a few neighbouring pixels at a time; its lanes are (pixel, chunk of SAMPLE_CHUNK samples), as many chunks
// of a pixel side by side as a power of two allows. A lane sums the samples of its chunk in its column of shared memory and
// starts its next path as soon as one has ended; then the first lane of a pixel adds the chunks' sums to the
// pixel's, in sample order. Work counters are summed over the warp once, at the end, into one row of work_inout.

constexpr unsigned ALL_LANES = 0xffffffffu;

// Blocks that a multiprocessor holds at once, for the compiler, which gives a thread the registers that leaves: on
// Hopper they are what bounds, on cards that have less shared memory it is that.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int TRACE_BLOCKS = 2;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900 && __CUDA_ARCH__ != 1000
constexpr int TRACE_BLOCKS = 4;
#else
constexpr int TRACE_BLOCKS = 5;
#endif

constexpr int HELD_SUMS = HELD_PATH_WORDS;  // of a chunk's samples, in the order of the pixel sums
constexpr int HELD_X = HELD_SUMS + PIXEL_WORDS;  // the pixel
constexpr int HELD_Y = HELD_X + 1;
constexpr int HELD_CAMERA_SIGN = HELD_X + 2;
constexpr int HELD_LEFT = HELD_X + 3;  // samples of the chunk
constexpr int HELD_WORDS = HELD_X + 4;

struct Picture {
  int width, height;
  long long sample_start;
  unsigned seed;
};

// Camera ray through a point of the pixel's square; row 0 is the top.
__device__ __forceinline__ float3 camera_direction(const Words& camera_in, const Picture& picture, float x, float y,
                                                   float u, float v) {
  float step_x = TWO / (float)picture.width, step_y = TWO / (float)picture.height;
  float sx = (x + u) * step_x - ONE;
  float sy = ONE - (y + v) * step_y;
  float dx = camera_in[CAMERA_FORWARD] + sx * camera_in[CAMERA_RIGHT] + sy * camera_in[CAMERA_UP];
  float dy = camera_in[CAMERA_FORWARD + 1] + sx * camera_in[CAMERA_RIGHT + 1] + sy * camera_in[CAMERA_UP + 1];
  float dz = camera_in[CAMERA_FORWARD + 2] + sx * camera_in[CAMERA_RIGHT + 2] + sy * camera_in[CAMERA_UP + 2];
  return normalise(dx, dy, dz);
}

// One chunk of a pixel: `count` samples from number n of this launch. One loop over segments, not over paths.
__device__ __forceinline__ void trace_pixel(int x, int y, const Picture& picture, long long n, int count,
                                            Depths limits, const Words& camera_in, const Words& sky_in,
                                            const Table& glow_lut_in, const Scene& scene, const Held& held,
                                            const Work& work) {
  for (int n = 0; n < PIXEL_WORDS; ++n) held[HELD_SUMS + n] = ZERO;
  float3 origin = words3(camera_in, CAMERA_ORIGIN);
  held[HELD_X] = (float)x;
  held[HELD_Y] = (float)y;
  held[HELD_CAMERA_SIGN] = camera_sign(origin, scene);
  Draws draws{(unsigned)(y * picture.width + x), (unsigned)(picture.sample_start + n), 0u, picture.seed};
  Path path{Ray{origin, origin, ONE, ZERO}, false, true};
  held[HELD_LEFT] = (float)count;
  bool started = false;
  while (true) {
    if (!started) {
      if (!(held[HELD_LEFT] > ZERO)) break;
      held[HELD_LEFT] = held[HELD_LEFT] - ONE;
      draws.dim = 0u;
      float4 number = draw(draws);
      float3 d = camera_direction(camera_in, picture, held[HELD_X], held[HELD_Y], number.x, number.y);
      path = path_start(words3(camera_in, CAMERA_ORIGIN), d, held[HELD_CAMERA_SIGN], held);
      work[WORK_PATHS] += 1;
      started = true;
    }
    if (trace_path(path, limits, sky_in, glow_lut_in, scene, draws, held, work)) continue;
    for (int c = 0; c < 3; ++c) {
      float light = held[HELD_LIGHT + c];
      held[HELD_SUMS + PIXEL_SUM + c] = held[HELD_SUMS + PIXEL_SUM + c] + light;
      held[HELD_SUMS + PIXEL_SQUARE + c] = held[HELD_SUMS + PIXEL_SQUARE + c] + light * light;
    }
    held[HELD_SUMS + PIXEL_ALPHA] = held[HELD_SUMS + PIXEL_ALPHA] + held[HELD_ALPHA];
    held[HELD_SUMS + PIXEL_DEPTH] = held[HELD_SUMS + PIXEL_DEPTH] + held[HELD_FIRST];
    started = false;
    draws.sample += 1u;
  }
}

// Add the sums of `used` chunks, in columns side by side from `held` on, to a pixel, chunk by chunk.
__device__ __forceinline__ void add_chunks(const Held& held, int used, long long pixel,
                                           Array<float> pixel_sums_inout) {
  float4 a = load4(pixel_sums_inout, pixel * PIXEL_WORDS), b = load4(pixel_sums_inout, pixel * PIXEL_WORDS + 4);
  for (int c = 0; c < used; ++c) {
    Held sums{held.word + HELD_SUMS * TRACE_THREADS + c};
    a.x = a.x + sums[0];
    a.y = a.y + sums[1];
    a.z = a.z + sums[2];
    a.w = a.w + sums[3];
    b.x = b.x + sums[4];
    b.y = b.y + sums[5];
    b.z = b.z + sums[6];
    b.w = b.w + sums[7];
  }
  store4(pixel_sums_inout, pixel * PIXEL_WORDS, a);
  store4(pixel_sums_inout, pixel * PIXEL_WORDS + 4, b);
}

// Add the counters of a warp's threads to one row.
__device__ __forceinline__ void add_work(const Work& work, int lane, long long row, Array<long long> work_inout) {
#pragma unroll
  for (int n = 0; n < WORK_WORDS; ++n) {
    unsigned long long sum = work[n];
    for (int step = 16; step > 0; step >>= 1) sum += __shfl_xor_sync(ALL_LANES, sum, step);
    if (lane == 0 && sum > 0) {
      atomicAdd(reinterpret_cast<unsigned long long*>(&work_inout[row * WORK_WORDS + n]), sum);
    }
  }
}

// No tile has been drawn yet.
extern "C" __global__ void __launch_bounds__(32) img_trace_start(
    long long sample_start, long long sample_count, long long x_low, long long y_low, long long x_high,
    long long y_high, long long strip_low, long long strip_high, long long strip_period, long long seed,
    long long max_depth, long long roulette_depth, Words camera_in, Words sky_in,
    Words look_in, Array<const float> glow_lut_in, Words trace_in, Array<const int> grid_in,
    Array<const int> surface_table_in, Array<const float> surface_value_in, Array<const int> fog_table_in,
    Array<const float> fog_value_in, Array<const float> fog_majorant_in, Array<const float> terrain_in,
    Array<const float> terrain_geometry_in, Array<const float> collider_in, Array<float> pixel_sums_inout,
    Array<long long> work_inout, Array<int> tiles_drawn_inout) {
  if (threadIdx.x == 0) tiles_drawn_inout[0] = 0;
}

extern "C" __global__ void __launch_bounds__(TRACE_THREADS, TRACE_BLOCKS) img_trace(
    long long sample_start, long long sample_count, long long x_low, long long y_low, long long x_high,
    long long y_high, long long strip_low, long long strip_high, long long strip_period, long long seed,
    long long max_depth, long long roulette_depth, Words camera_in, Words sky_in,
    Words look_in, Array<const float> glow_lut_in, Words trace_in, Array<const int> grid_in,
    Array<const int> surface_table_in, Array<const float> surface_value_in, Array<const int> fog_table_in,
    Array<const float> fog_value_in, Array<const float> fog_majorant_in, Array<const float> terrain_in,
    Array<const float> terrain_geometry_in, Array<const float> collider_in, Array<float> pixel_sums_inout,
    Array<long long> work_inout, Array<int> tiles_drawn_inout) {
  Scene scene{look_in, trace_in, grid_in,         surface_table_in, surface_value_in,    fog_table_in,
              fog_value_in,   fog_majorant_in, terrain_in,      terrain_geometry_in, collider_in};
  Picture picture{pixel_sums_inout.shape1, (int)pixel_sums_inout.shape0, sample_start, (unsigned)seed};
  Region region = region_of(x_low, y_low, x_high, y_high, strip_low, strip_high, strip_period, picture.width,
                            picture.height);
  Depths limits{(int)max_depth, (int)roulette_depth};
  __shared__ float held_words[HELD_WORDS * TRACE_THREADS];
  __shared__ unsigned work_words[WORK_WORDS * TRACE_THREADS];
  Held held{held_words + threadIdx.x};
  Work work{work_words + threadIdx.x};
  for (int n = 0; n < WORK_WORDS; ++n) work[n] = 0u;
  int lane = threadIdx.x & 31;
  // Chunks of a pixel side by side
  int total = (int)((sample_count + SAMPLE_CHUNK - 1) / SAMPLE_CHUNK);
  int chunks = 1;
  while (chunks < 32 && 2 * chunks <= total) chunks *= 2;
  Tiling tiling = tiling_of(region, chunks);
  int place = lane / chunks, chunk = lane % chunks;
  while (true) {
    int tile = draw_tile(tiles_drawn_inout, lane);
    if (tile >= tiling.count) break;
    int within = tile % tiling.in_strip;
    int x = region.x_low + within % tiling.in_row * tiling.across + place % tiling.across;
    int y = strip_row(region, tile / tiling.in_strip) + within / tiling.in_row * tiling.down + place / tiling.across;
    bool inside = x < region.x_high && y < region.y_high;
    for (int first = 0; first < total; first += chunks) {
      long long n = (long long)(first + chunk) * SAMPLE_CHUNK;
      long long left = inside ? sample_count - n : 0;
      int count = left > SAMPLE_CHUNK ? SAMPLE_CHUNK : (int)left;
      trace_pixel(x, y, picture, n, count, limits, camera_in, sky_in, Table{glow_lut_in}, scene, held,
                  work);
      __syncwarp();
      int used = total - first < chunks ? total - first : chunks;
      if (inside && chunk == 0) add_chunks(held, used, (long long)y * picture.width + x, pixel_sums_inout);
      __syncwarp();
    }
  }
  int warp = (blockIdx.x * blockDim.x + threadIdx.x) >> 5;
  add_work(work, lane, warp % work_inout.shape0, work_inout);
}
