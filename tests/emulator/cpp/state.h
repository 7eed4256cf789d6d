// What the scheduler (runtime.cpp) and the checker (checker.cpp) share about the block that runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emulator.h"

enum class Waiting { nothing, barrier, warp, over };

struct Thread {
  void* stack_pointer;
  Waiting waiting;
  const char* file;  // where it waits
  int line;
  int operation;
  unsigned mask;
  unsigned long long value;  // given to a warp operation or a barrier, then what comes of it
  int argument, width;
  unsigned clock;       // warp operations since the last barrier, of this thread
  unsigned known[32];   // up to which clock this thread comes after each lane of its warp
};

constexpr int MAX_THREADS = 1024;
constexpr size_t STACK_BYTES = 256 * 1024;
constexpr size_t DYNAMIC_BYTES = 232448;  // what a block of sm_90 can have

// One array that was passed to the launch.
struct Passed {
  uintptr_t start;
  uint64_t bytes;
  uint32_t item_bytes;
  uint32_t parameter;
};

extern Thread emulator_threads[MAX_THREADS];
extern int emulator_current;        // the thread that runs
extern unsigned emulator_epoch;     // barriers that the block has passed
extern unsigned emulator_shared_bytes;
extern char* emulator_stacks;
extern int emulator_idle;           // blocks of the launch that have written nothing; -1 where nobody looks

// Ends the launch: notes the message and the code address that it is about.
[[noreturn]] void emulator_fail(const void* place, const char* format, ...) __attribute__((format(printf, 2, 3)));

void emulator_between_atomics();

const char* name_of(int operation);
unsigned long long value_of(int first, unsigned group, int lane);  // of a lane of a warp, once its group has met

bool make_stacks(int count, uintptr_t* shared);
extern volatile bool emulator_late;  // the limit was reached while no thread ran
struct Signals {  // while it lives, an access that the operating system refuses ends the launch, and so does its limit
  explicit Signals(unsigned limit_s);  // of processor time; 0: none
  ~Signals();
  void* caught;
};

// The checker; without it, none of these does anything.
void check_launch(const Passed* arrays, int count);
void check_block();
void check_settle();  // before another thread may store anything
void check_atomic(const void* address, unsigned bytes, const void* place);
void check_end();
