#include "trace_path.cuh"
// Path trace one picture: the CUDA side of img_trace.py.
//
// A warp takes a few neighbouring pixels; its lanes are (pixel, chunk of SAMPLE_CHUNK samples), as many chunks of a
// pixel side by side as a power of two allows. A lane sums the samples of its chunk in registers and starts the next
// path as soon as one has ended; then the first lane of a pixel adds the chunks' sums to the film, in sample order.
// Work counters are summed over the warp once, at the end, into one row of work_inout.

constexpr int TRACE_THREADS = 128;
constexpr unsigned ALL_LANES = 0xffffffffu;

// The sums of one chunk, in the order of a film pixel's words.
struct Sums {
  float word[FILM_WORDS];
};

struct Picture {
  int width, height;
  long long sample_start;
  unsigned seed;
};

// Camera ray through a point of the pixel's square; row 0 is the top.
__device__ __forceinline__ float3 camera_direction(const Words& camera_in, const Picture& picture, int x, int y,
                                                   float u, float v) {
  float step_x = TWO / (float)picture.width, step_y = TWO / (float)picture.height;
  float sx = ((float)x + u) * step_x - ONE;
  float sy = ONE - ((float)y + v) * step_y;
  float dx = camera_in[CAMERA_FORWARD] + sx * camera_in[CAMERA_RIGHT] + sy * camera_in[CAMERA_UP];
  float dy = camera_in[CAMERA_FORWARD + 1] + sx * camera_in[CAMERA_RIGHT + 1] + sy * camera_in[CAMERA_UP + 1];
  float dz = camera_in[CAMERA_FORWARD + 2] + sx * camera_in[CAMERA_RIGHT + 2] + sy * camera_in[CAMERA_UP + 2];
  return normalise(dx, dy, dz);
}

// One chunk of a pixel: `count` samples from number n of this launch. One loop over segments, not over paths.
__device__ __forceinline__ Sums trace_pixel(int x, int y, const Picture& picture, long long n, int count,
                                            Depths limits, const Words& camera_in, const Words& sky_in,
                                            const Words& glow_lut_in, const Scene& scene, Work& work) {
  Sums sums = {};
  float3 origin = make_float3(camera_in[CAMERA_ORIGIN], camera_in[CAMERA_ORIGIN + 1], camera_in[CAMERA_ORIGIN + 2]);
  float sign = camera_sign(scene, origin);
  Draws draws{(unsigned)(y * picture.width + x), (unsigned)(picture.sample_start + n), 0u, picture.seed};
  Path path = path_start(origin, origin, sign);
  bool started = false;
  while (count > 0) {
    if (!started) {
      draws.dim = 0u;
      float4 number = draw(draws);
      path = path_start(origin, camera_direction(camera_in, picture, x, y, number.x, number.y), sign);
      work.count[WORK_PATHS] += 1;
      started = true;
    }
    if (trace_path(path, limits, sky_in, glow_lut_in, scene, draws, work)) continue;
    sums.word[FILM_SUM] = sums.word[FILM_SUM] + path.light.x;
    sums.word[FILM_SUM + 1] = sums.word[FILM_SUM + 1] + path.light.y;
    sums.word[FILM_SUM + 2] = sums.word[FILM_SUM + 2] + path.light.z;
    sums.word[FILM_SQUARE] = sums.word[FILM_SQUARE] + path.light.x * path.light.x;
    sums.word[FILM_SQUARE + 1] = sums.word[FILM_SQUARE + 1] + path.light.y * path.light.y;
    sums.word[FILM_SQUARE + 2] = sums.word[FILM_SQUARE + 2] + path.light.z * path.light.z;
    sums.word[FILM_ALPHA] = sums.word[FILM_ALPHA] + path.alpha;
    sums.word[FILM_DEPTH] = sums.word[FILM_DEPTH] + path.first;
    started = false;
    draws.sample += 1u;
    count -= 1;
  }
  return sums;
}

// Add the sums of `chunks` neighbouring lanes to the pixel of the first of them, lane by lane.
__device__ __forceinline__ void add_chunks(const Sums& sums, int lane, int chunks, int used, bool inside,
                                           long long pixel, Array<float> film_inout) {
  int first = lane & ~(chunks - 1);
  bool adds = inside && lane == first;
  float4 a = make_float4(ZERO, ZERO, ZERO, ZERO), b = a;
  if (adds) {
    a = load4(film_inout, pixel * FILM_WORDS);
    b = load4(film_inout, pixel * FILM_WORDS + 4);
  }
  for (int c = 0; c < used; ++c) {
    a.x = a.x + __shfl_sync(ALL_LANES, sums.word[0], first + c);
    a.y = a.y + __shfl_sync(ALL_LANES, sums.word[1], first + c);
    a.z = a.z + __shfl_sync(ALL_LANES, sums.word[2], first + c);
    a.w = a.w + __shfl_sync(ALL_LANES, sums.word[3], first + c);
    b.x = b.x + __shfl_sync(ALL_LANES, sums.word[4], first + c);
    b.y = b.y + __shfl_sync(ALL_LANES, sums.word[5], first + c);
    b.z = b.z + __shfl_sync(ALL_LANES, sums.word[6], first + c);
    b.w = b.w + __shfl_sync(ALL_LANES, sums.word[7], first + c);
  }
  if (adds) {
    store4(film_inout, pixel * FILM_WORDS, a);
    store4(film_inout, pixel * FILM_WORDS + 4, b);
  }
}

// Add the counters of a warp's threads to one row.
__device__ __forceinline__ void add_work(const Work& work, int lane, long long row, Array<long long> work_inout) {
#pragma unroll
  for (int n = 0; n < WORK_WORDS; ++n) {
    unsigned long long sum = work.count[n];
    for (int step = 16; step > 0; step >>= 1) sum += __shfl_xor_sync(ALL_LANES, sum, step);
    if (lane == 0 && sum > 0) {
      atomicAdd(reinterpret_cast<unsigned long long*>(&work_inout[row * WORK_WORDS + n]), sum);
    }
  }
}

extern "C" __global__ void __launch_bounds__(TRACE_THREADS, 4)
    img_trace(long long sample_start, long long sample_count, long long seed, long long max_depth,
              long long roulette_depth, Array<const float> camera_in, Array<const float> sky_in,
              Array<const float> look_in, Array<const float> glow_lut_in, Array<const float> trace_in,
              Array<const int> grid_in, Array<const int> surface_table_in, Array<const float> surface_value_in,
              Array<const int> fog_table_in, Array<const float> fog_value_in, Array<const float> fog_majorant_in,
              Array<const float> terrain_in, Array<const float> terrain_geometry_in, Array<const float> collider_in,
              Array<float> film_inout, Array<long long> work_inout) {
  Scene scene{Words{look_in}, Words{trace_in}, grid_in,         surface_table_in, surface_value_in,    fog_table_in,
              fog_value_in,   fog_majorant_in, terrain_in,      terrain_geometry_in, collider_in};
  Picture picture{film_inout.shape1, (int)film_inout.shape0, sample_start, (unsigned)seed};
  Depths limits{(int)max_depth, (int)roulette_depth};
  Work work = {};
  int lane = threadIdx.x & 31;
  // Chunks of a pixel side by side, and the pixels' rectangle of a warp
  long long total = (sample_count + SAMPLE_CHUNK - 1) / SAMPLE_CHUNK;
  int chunks = 1;
  while (chunks < 32 && 2 * chunks <= total) chunks *= 2;
  int across = 8, down = 4;
  for (int c = chunks; c > 1; c >>= 1) {
    if (across > down) {
      across >>= 1;
    } else {
      down >>= 1;
    }
  }
  int place = lane / chunks, chunk = lane % chunks;
  int place_x = place % across, place_y = place / across;
  long long tiles_x = (picture.width + across - 1) / across, tiles_y = (picture.height + down - 1) / down;
  long long warp = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
  long long warps = ((long long)gridDim.x * blockDim.x) >> 5;
  for (long long tile = warp; tile < tiles_x * tiles_y; tile += warps) {
    int x = (int)(tile % tiles_x) * across + place_x, y = (int)(tile / tiles_x) * down + place_y;
    bool inside = x < picture.width && y < picture.height;
    for (long long first = 0; first < total; first += chunks) {
      long long n = (first + chunk) * SAMPLE_CHUNK;
      long long left = inside ? sample_count - n : 0;
      int count = left > SAMPLE_CHUNK ? SAMPLE_CHUNK : (int)left;
      Sums sums = trace_pixel(x, y, picture, n, count, limits, Words{camera_in}, Words{sky_in}, Words{glow_lut_in},
                              scene, work);
      __syncwarp();
      int used = total - first < chunks ? (int)(total - first) : chunks;
      add_chunks(sums, lane, chunks, used, inside, (long long)y * picture.width + x, film_inout);
    }
  }
  add_work(work, lane, warp % work_inout.shape0, work_inout);
}
