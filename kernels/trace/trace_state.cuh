#include "trace_math.cuh"
// The scene, segments and bounces of trace_state.py.
//
// What a thread of the tracer knows about its path between two segments: in registers what every segment needs, in
// shared memory, a column of words for each thread, the rest. Registers bound how many warps hide look-ups' latency.

constexpr int TRACE_THREADS = 128;  // of a block

// The words of one thread: the same word of neighbouring threads lies side by side.
template <class T>
struct Column {
  T* word;
  __device__ __forceinline__ T& operator[](int i) const { return word[i * TRACE_THREADS]; }
};
typedef Column<float> Held;
typedef Column<unsigned> Work;  // counters, in the order of WORK_*

__device__ __forceinline__ float3 held3(const Held& held, int slot) {
  return make_float3(held[slot], held[slot + 1], held[slot + 2]);
}

__device__ __forceinline__ void hold3(const Held& held, int slot, float x, float y, float z) {
  held[slot] = x;
  held[slot + 1] = y;
  held[slot + 2] = z;
}

__device__ __forceinline__ void hold3(const Held& held, int slot, float3 a) { hold3(held, slot, a.x, a.y, a.z); }

// All that a ray can meet.
struct Scene {
  const Words& look_in;
  const Words& trace_in;
  Array<const int> grid_in, table;
  Array<const float> value;
  Array<const int> fog_table;
  Array<const float> fog_value, fog_majorant, terrain, terrain_geometry, collider;
};

struct Ray {
  float3 o, d;
  float sign;   // +1 in air, -1 in liquid
  float folds;  // mirrorings so far
};

// Key of a path's random numbers; dim counts its draws.
struct Draws {
  unsigned pixel, sample, dim, seed;
};

// A path between two segments: what each segment needs in registers, the rest in the thread's column.
struct Path {
  Ray ray;      // of the next segment
  bool to_sun;  // it belongs to a ray to the sun from the path's last event
  bool clear;   // nothing but clear water and mirrors so far
};

// A stretch of a ray up to the first thing that it meets.
struct Segment {
  int event;          // EVENT_*: what ends it
  float t_end;        // m, where
  int solid;          // SOLID_*, of EVENT_SOLID
  int axis;           // 0 x, 1 y, of EVENT_MIRROR
  int broken;         // of EVENT_LIQUID: 1 where the level set ends, not the liquid
  bool beyond;        // the path has used up its mirrorings
  float weight;       // estimate of the fog's transmittance, of a ray to the sun
  float u, v;         // two uniform numbers, of EVENT_FOG
};

// What an event makes of a path, beside what is changed in the path itself.
struct Bounce {
  int kind;  // BOUNCE_*
  float3 n, albedo;
};

// Words of a column
constexpr int HELD_NEXT_O = 0;       // 3 words each: while a ray to the sun is under way, where the path goes on
constexpr int HELD_NEXT_D = 3;
constexpr int HELD_NEXT_SIGN = 6;
constexpr int HELD_NEXT_FOLDS = 7;
constexpr int HELD_SHARE = 8;        // of the sun's light that the path's last event sends on
constexpr int HELD_SUN = 9;          // 3 words: share of it that arrives
constexpr int HELD_LIGHT = 12;       // 3 words
constexpr int HELD_THROUGHPUT = 15;  // 3 words
constexpr int HELD_FLIP_X = 18;      // -1: mirrored axis
constexpr int HELD_FLIP_Y = 19;
constexpr int HELD_RAN = 20;         // distance since the last event, across mirrors
constexpr int HELD_ALPHA = 21;       // whether anything was met
constexpr int HELD_FIRST = 22;       // and at what distance
constexpr int HELD_DEPTH = 23;       // events so far
constexpr int HELD_SUN_LEFT = 24;    // segments that the ray to the sun may still walk
constexpr int HELD_PATH_WORDS = 25;

template <class W>
__device__ __forceinline__ float3 words3(const W& words, int slot) {
  return make_float3(words[slot], words[slot + 1], words[slot + 2]);
}

__device__ __forceinline__ float4 draw(Draws& draws) {
  float4 number = random4(draws.pixel, draws.sample, draws.dim, draws.seed);
  draws.dim += U1;
  return number;
}

__device__ __forceinline__ float3 along(const Ray& ray, float t) {
  return make_float3(ray.o.x + ray.d.x * t, ray.o.y + ray.d.y * t, ray.o.z + ray.d.z * t);
}

// A direction of the folded space in the world.
__device__ __forceinline__ float3 flipped(float3 d, const Held& held) {
  return make_float3(d.x * held[HELD_FLIP_X], d.y * held[HELD_FLIP_Y], d.z);
}

__device__ __forceinline__ float3 scaled(float3 a, float factor) {
  return make_float3(a.x * factor, a.y * factor, a.z * factor);
}

// An albedo made lighter or darker, each at most 1: what reflects more than it gets never comes to an end.
__device__ __forceinline__ float3 albedo_of(float3 a, float factor) {
  a = scaled(a, factor);
  if (a.x > ONE) a.x = ONE;
  if (a.y > ONE) a.y = ONE;
  if (a.z > ONE) a.z = ONE;
  return a;
}

// The largest of three.
__device__ __forceinline__ float largest(float3 a) {
  float most = a.x;
  if (a.y > most) most = a.y;
  if (a.z > most) most = a.z;
  return most;
}

// Three words of the column, times a factor.
__device__ __forceinline__ void scale3(const Held& held, int slot, float factor) {
  hold3(held, slot, scaled(held3(held, slot), factor));
}

// p + n * step
__device__ __forceinline__ float3 moved(float3 p, float3 n, float step) {
  return make_float3(p.x + n.x * step, p.y + n.y * step, p.z + n.z * step);
}

// light + throughput * b
__device__ __forceinline__ void add_light(const Held& held, float3 b) {
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * b.x, light.y + t.y * b.y, light.z + t.z * b.z);
}

// light + throughput * b * c
__device__ __forceinline__ void add_light(const Held& held, float3 b, float c) {
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * b.x * c, light.y + t.y * b.y * c, light.z + t.z * b.z * c);
}

// light + throughput * a * b * c
__device__ __forceinline__ void add_light(const Held& held, float3 a, float3 b, float c) {
  float3 light = held3(held, HELD_LIGHT), t = held3(held, HELD_THROUGHPUT);
  hold3(held, HELD_LIGHT, light.x + t.x * a.x * b.x * c, light.y + t.y * a.y * b.y * c,
        light.z + t.z * a.z * b.z * c);
}

__device__ __forceinline__ Path path_start(float3 o, float3 d, float sign, const Held& held) {
  hold3(held, HELD_LIGHT, ZERO, ZERO, ZERO);
  hold3(held, HELD_THROUGHPUT, ONE, ONE, ONE);
  held[HELD_FLIP_X] = held[HELD_FLIP_Y] = ONE;
  held[HELD_RAN] = held[HELD_ALPHA] = held[HELD_FIRST] = held[HELD_DEPTH] = ZERO;
  return Path{Ray{o, d, sign, ZERO}, false, true};
}
