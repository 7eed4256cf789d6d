#include "mpm_p2g.cuh"

// The push of the particles' stress alone. See mpm_push.py, mpm_p2g.cuh.
//
// Of a liquid without viscosity a particle's words are weights: a thread multiplies those of its node along z and its
// channel with those of three nodes along x and along y.

constexpr int SLOPE = 4, ALONG_Y = 8, ALONG_Z = 16;  // words on to the slopes; where those along y and z start

// Weights of one particle, those along z times what pressure gives and times the mass.
__device__ __forceinline__ void prepare_products(
    int p, const Scales& s, Array<const float> position_in, float* field) {
  float4 place = load4(position_in, (long long)p * 4);
  float pressure = pressure_of(place.w, s.pressure);
  Slopes x = slopes16(place.x, s.inverse_cell);
  Slopes y = slopes16(place.y, s.inverse_cell);
  Slopes z = slopes16(place.z, s.inverse_cell);
  put4(field, x.w0, x.w1, x.w2, ZERO);
  put4(field + SLOPE, x.u0, x.u1, x.u2, ZERO);
  put4(field + ALONG_Y, y.w0, y.w1, y.w2, ZERO);
  put4(field + ALONG_Y + SLOPE, y.u0, y.u1, y.u2, ZERO);
  put4(field + ALONG_Z, z.w0 * pressure, z.w1 * pressure, z.w2 * pressure, z.u0 * pressure);
  put4(field + ALONG_Z + 4, z.u1 * pressure, z.u2 * pressure, z.w0 * MASS_SCALE, z.w1 * MASS_SCALE);
  field[ALONG_Z + 8] = z.w2 * MASS_SCALE;
}

// Sum particles low <= i < high of a round at node k of nine rows, for one channel; add to the arena from `node` on.
__device__ __forceinline__ void push(int low, int high, int k, int channel, const float* field, int* node) {
  float a00 = ZERO, a01 = ZERO, a02 = ZERO, a10 = ZERO, a11 = ZERO, a12 = ZERO, a20 = ZERO, a21 = ZERO, a22 = ZERO;
  const float* at = field + low * WORDS;
  const float* along_x = at + (channel == 0 ? SLOPE : 0);
  const float* along_y = at + ALONG_Y + (channel == 1 ? SLOPE : 0);
  const float* along_z = at + ALONG_Z + k + (channel > 1 ? 3 * (channel - 1) : 0);
#pragma unroll 1  // unrolled, cells of unlike counts in a warp would wait for each other twice
  for (int left = high - low; left > 0; --left) {
    float4 x = *reinterpret_cast<const float4*>(along_x);
    float4 y = *reinterpret_cast<const float4*>(along_y);
    float z = *along_z;
    float row = z * x.x;
    a00 = __fmaf_rn(y.x, row, a00);
    a01 = __fmaf_rn(y.y, row, a01);
    a02 = __fmaf_rn(y.z, row, a02);
    row = z * x.y;
    a10 = __fmaf_rn(y.x, row, a10);
    a11 = __fmaf_rn(y.y, row, a11);
    a12 = __fmaf_rn(y.z, row, a12);
    row = z * x.z;
    a20 = __fmaf_rn(y.x, row, a20);
    a21 = __fmaf_rn(y.y, row, a21);
    a22 = __fmaf_rn(y.z, row, a22);
    along_x += WORDS;
    along_y += WORDS;
    along_z += WORDS;
  }
  add_sums(node, a00, a01, a02, a10, a11, a12, a20, a21, a22);
}

extern "C" __global__ void __launch_bounds__(192, 5) mpm_push(
    float cell_size_m, Array<const int> counts_in, Array<const float> step_in, Array<const float> material_in,
    Array<const float> position_in, Array<const float> velocity_in, Array<const float> viscosity_in,
    Array<const int> order_in, Array<const int> cell_start_in, Array<int> arena_out) {
  __shared__ float4 field_words[ROUND * WORDS / 4];
  __shared__ int4 arena_words[ARENA_WORDS / 4];
  __shared__ int first_of[BLOCK_NODES + 1];
  __shared__ int turn[CELLS];
  Room room = {reinterpret_cast<float*>(field_words), reinterpret_cast<int*>(arena_words), first_of, turn};
  Scales scales = scales_of(ZERO, cell_size_m, step_in, material_in, viscosity_in);
  if (scales.viscous) {
    auto put = [&](int p, float* field) { prepare(p, scales, position_in, velocity_in, viscosity_in, field); };
    auto sum = [](int low, int high, int k, int channel, const float* field, int* node) {
      scatter(low, high, k, channel, field, node);
    };
    fill_arenas(counts_in, order_in, cell_start_in, arena_out, room, put, sum);
  } else {
    auto put = [&](int p, float* field) { prepare_products(p, scales, position_in, field); };
    auto sum = [](int low, int high, int k, int channel, const float* field, int* node) {
      push(low, high, k, channel, field, node);
    };
    fill_arenas(counts_in, order_in, cell_start_in, arena_out, room, put, sum);
  }
}
