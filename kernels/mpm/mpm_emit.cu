#include "mpm_common.cuh"

// Append the particles that one emitter lets out during one substep. See mpm_emit.py. A thread is a new particle.

__device__ __forceinline__ void basis(float x, float y, float z, float3& u, float3& w) {
  float sign = z >= ZERO ? ONE : -ONE;
  float a = -ONE / (sign + z);
  float b = x * y * a;
  u = make_float3(ONE + sign * x * x * a, sign * b, -sign * x);
  w = make_float3(b, sign + y * y * a, -y);
}

extern "C" __global__ void __launch_bounds__(256) mpm_emit(
    Array<int> counts_inout, long long first, long long emit_count, long long serial, float age_s, float interval_s,
    Array<const float> emitter_in, Array<float> position_inout, Array<float> velocity_inout,
    Array<float> temperature_inout, Array<float> viscosity_inout) {
  if (stopped(counts_inout)) return;
  float dx = emitter_in[EMITTER_DIRECTION];
  float dy = emitter_in[EMITTER_DIRECTION + 1];
  float dz = emitter_in[EMITTER_DIRECTION + 2];
  float speed = emitter_in[EMITTER_SPEED];
  float3 u, w;
  basis(dx, dy, dz, u, w);
  long long start = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  for (long long n = start; n < emit_count; n += (long long)gridDim.x * blockDim.x) {
    if (n == 0) counts_inout[COUNT_PARTICLES] = (int)(first + emit_count);
    long long p = first + n;
    unsigned word = (unsigned)(serial + n + 1);
    float r = emitter_in[EMITTER_RADIUS] * sqrtf(unit_float(word * R2_A));
    float2 turn = sin_cos_f32(TWO_PI * unit_float(word * R2_B));
    float a = r * turn.y, b = r * turn.x;
    float along = speed * (age_s - (float)n * interval_s);
    float4 position;
    position.x = emitter_in[EMITTER_X] + a * u.x + b * w.x + along * dx;
    position.y = emitter_in[EMITTER_X + 1] + a * u.y + b * w.y + along * dy;
    position.z = emitter_in[EMITTER_X + 2] + a * u.z + b * w.z + along * dz;
    position.w = ONE;
    store4(position_inout, p * 4, position);
    store4(velocity_inout, p * 12, make_float4(speed * dx, speed * dy, speed * dz, ZERO));
    store4(velocity_inout, p * 12 + 4, make_float4(ZERO, ZERO, ZERO, ZERO));
    store4(velocity_inout, p * 12 + 8, make_float4(ZERO, ZERO, ZERO, ZERO));
    if (temperature_inout.shape0 > 1) {
      temperature_inout[p] = emitter_in[EMITTER_TEMPERATURE];
      viscosity_inout[p] = emitter_in[EMITTER_VISCOSITY];
    }
  }
}
