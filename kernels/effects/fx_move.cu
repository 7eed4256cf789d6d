#include "common.cuh"
#include "fx_air.cuh"
#include "mpm_common.cuh"

struct Effect {
  float x, y, z;
  float vx, vy, vz, life;
  float temperature;
  int kind;
};

// One sub-step; the kind becomes EFFECT_NONE when the particle dies.
__device__ __forceinline__ void advance(
    Effect& p, float dt, float time_s, int cells_x, int cells_y, int cells_z, float cell_size_m,
    Array<const float> effect_params_in, Array<const float> material_in, Array<const float> force_in,
    Array<const int> walls_in, Array<const float> collider_in, Array<const float> terrain_geometry_in, Array<const float> terrain_in,
    Array<const int> slot_in, Array<const float> node_in) {
  p.life = p.life - dt;
  if (p.life <= ZERO) {
    p.kind = EFFECT_NONE;
    return;
  }
  const float4 liquid =
      liquid_at(p.x, p.y, p.z, cell_size_m, cells_x >> 2, cells_y >> 2, cells_z >> 2, slot_in, node_in);
  const float fill = cell_fill(liquid.w, cell_size_m, material_in);
  // Change of kind where spray meets the liquid, or foam loses it
  if (p.kind == EFFECT_SPRAY && fill > WET_FILL) {
    p.kind = effect_params_in[EFFECT_PARAM_FOAM_RATE] <= ZERO ? EFFECT_NONE : EFFECT_FOAM;
  } else if (p.kind == EFFECT_FOAM && fill < DRY_FILL) {
    p.kind = EFFECT_SPRAY;
  }
  if (p.kind == EFFECT_FOAM) {
    p.vx = liquid.x;
    p.vy = liquid.y;
    p.vz = liquid.z;
    if (fill > DEEP_FILL) p.vz += RISE;
  } else {
    float3 air = air_velocity(p.x, p.y, p.z, cell_size_m, time_s, effect_params_in, force_in);
    const float drag = effect_params_in[EFFECT_PARAM_DRAG] * dt;
    if (p.kind == EFFECT_EMBER) {
      air.z += effect_params_in[EFFECT_PARAM_EMBER_RISE];
      const float cooling = effect_params_in[EFFECT_PARAM_EMBER_COOLING] * dt;
      const float ambient = material_in[MATERIAL_AMBIENT_TEMPERATURE];
      p.temperature = ambient + (p.temperature - ambient) / (ONE + cooling);
    } else {
      p.vx += force_in[FORCE_GRAVITY_X] * dt;
      p.vy += force_in[FORCE_GRAVITY_Y] * dt;
      p.vz += force_in[FORCE_GRAVITY_Z] * dt;
    }
    const float share = drag / (ONE + drag);
    p.vx += (air.x - p.vx) * share;
    p.vy += (air.y - p.vy) * share;
    p.vz += (air.z - p.vz) * share;
  }
  p.x = p.x + p.vx * dt;
  p.y = p.y + p.vy * dt;
  p.z = p.z + p.vz * dt;
  // Die at walls, terrain and colliders
  const float low = MARGIN * cell_size_m;
  const float high_x = (float)walled_cells(walls_in, 0) - MARGIN, high_y = (float)walled_cells(walls_in, 1) - MARGIN;
  const float high_z = (float)walled_cells(walls_in, 2) - MARGIN;
  bool inside = p.x > low && p.y > low && p.z > low;
  inside = inside && p.x < high_x * cell_size_m && p.y < high_y * cell_size_m;
  inside = inside && p.z < high_z * cell_size_m;
  if (inside && terrain_geometry_in[3] != ZERO)
    inside = p.z > terrain_height(terrain_geometry_in, terrain_in, p.x, p.y);
  if (!inside || collider_distance(collider_in, p.x, p.y, p.z) < ZERO) p.kind = EFFECT_NONE;
}

// A block owns a chunk, a thread a particle through all sub-steps, in registers.
extern "C" __global__ void __launch_bounds__(256, 4) fx_move(
    Array<const int> counts_in, float frame_dt_s, float time_s, long long cells_x, long long cells_y,
    long long cells_z, float cell_size_m, Array<const float> effect_params_in, Array<const float> material_in,
    Array<const float> force_in, Array<const int> walls_in, Array<const float> collider_in,
    Array<const float> terrain_geometry_in, Array<const float> terrain_in, Array<const int> slot_in, Array<const float> node_in,
    Array<float> effect_position_inout, Array<float> effect_velocity_inout, Array<int> effect_kind_inout,
    Array<float> effect_temperature_inout, Array<int> alive_out) {
  const long long count = counts_in[COUNT_EFFECTS];
  const float dt = frame_dt_s / (float)SUBSTEPS;
  for (long long chunk = blockIdx.x; chunk < alive_out.shape0; chunk += gridDim.x) {
    int alive = 0;
    for (int first = 0; first < CHUNK; first += blockDim.x) {
      const long long n = chunk * CHUNK + first + threadIdx.x;
      bool lives = false;
      if (n < count && effect_kind_inout[n] != EFFECT_NONE) {
        const float4 position = load4(effect_position_inout, n * 4);
        const float4 velocity = load4(effect_velocity_inout, n * 4);
        Effect p = {position.x, position.y, position.z, velocity.x, velocity.y, velocity.z, velocity.w,
                    effect_temperature_inout[n], effect_kind_inout[n]};
        for (int step = 0; step < SUBSTEPS && p.kind != EFFECT_NONE; step++) {
          advance(p, dt, time_s + (float)step * dt, (int)cells_x, (int)cells_y, (int)cells_z, cell_size_m,
                  effect_params_in, material_in, force_in, walls_in, collider_in, terrain_geometry_in, terrain_in,
                  slot_in, node_in);
        }
        store4(effect_position_inout, n * 4, make_float4(p.x, p.y, p.z, position.w));
        store4(effect_velocity_inout, n * 4, make_float4(p.vx, p.vy, p.vz, p.life));
        effect_temperature_inout[n] = p.temperature;
        effect_kind_inout[n] = p.kind;
        lives = p.kind != EFFECT_NONE;
      }
      alive += __syncthreads_count(lives);
    }
    if (threadIdx.x == 0) alive_out[chunk] = alive;
  }
}
