// What comes of a warp operation once its lanes have met.
#include "state.h"

const char* name_of(int operation) {
  static const char* const names[] = {
      "__shfl_sync",    "__shfl_up_sync",   "__shfl_down_sync", "__shfl_xor_sync",  "__ballot_sync",
      "__any_sync",     "__all_sync",       "__match_any_sync", "__syncwarp",       "__activemask",
      "__syncthreads",  "__syncthreads_or", "__syncthreads_and", "__syncthreads_count"};
  return names[operation];
}

namespace {
constexpr unsigned long long UNDEFINED = 0xA5A5A5A5A5A5A5A5ull;  // a shuffle from a lane that is not there

unsigned long long shuffled_value(int first, unsigned group, int lane, const Thread& thread) {
  int width = thread.width, segment = lane & ~(width - 1), at = thread.argument;
  int from = lane;
  if (thread.operation == EMULATOR_SHUFFLE) from = segment + (at & (width - 1));
  if (thread.operation == EMULATOR_SHUFFLE_UP) from = lane - at >= segment ? lane - at : lane;
  if (thread.operation == EMULATOR_SHUFFLE_DOWN) from = lane + at < segment + width ? lane + at : lane;
  if (thread.operation == EMULATOR_SHUFFLE_XOR) from = (lane ^ at) < segment + width ? lane ^ at : lane;
  return group >> from & 1 ? emulator_threads[first + from].value : UNDEFINED;
}

}  // namespace

unsigned long long value_of(int first, unsigned group, int lane) {
  const Thread& thread = emulator_threads[first + lane];
  if (thread.operation <= EMULATOR_SHUFFLE_XOR) return shuffled_value(first, group, lane, thread);
  unsigned set = 0, equal = 0;
  for (int other = 0; other < 32; ++other) {
    if (!(group >> other & 1)) continue;
    const Thread& its = emulator_threads[first + other];
    set |= (unsigned)(its.value != 0) << other;
    equal |= (unsigned)(its.value == thread.value) << other;
  }
  switch (thread.operation) {
    case EMULATOR_BALLOT: return set;
    case EMULATOR_ANY: return set != 0;
    case EMULATOR_ALL: return set == group;
    case EMULATOR_MATCH_ANY: return equal;
    case EMULATOR_ACTIVE: return group;
    default: return 0;
  }
}
