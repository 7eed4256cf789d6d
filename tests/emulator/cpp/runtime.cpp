// Blocks in turn, threads of a block as fibres: who runs next, barriers, warp operations, atomics.
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "state.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

EmulatorState emulator_state;
alignas(128) unsigned char emulator_dynamic[DYNAMIC_BYTES];
Thread emulator_threads[MAX_THREADS];
int emulator_current = -1;
unsigned emulator_epoch, emulator_shared_bytes;
char* emulator_stacks;
int emulator_idle = -1;
extern "C" {
__attribute__((weak, visibility("hidden"))) extern char __start_emulator_shared, __stop_emulator_shared;
}

namespace {

constexpr unsigned char UNWRITTEN = 0xEB;  // bytes of shared memory when a block starts

void (*launched)(void**);
void** arguments;
int threads, finished, at_barrier;
bool failed, shuffled;
uint64_t random_state;
std::vector<int> runnable;
size_t runnable_first;
char message[1024];
const void* failed_at;

uint64_t random_word() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
uint64_t random_below(uint64_t n) { return (random_word() >> 11) % n; }

// --- Fibres ----------------------------------------------------------------------------------------------------------
void thread_main();

#if defined(__x86_64__)
void* scheduler_stack;
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch, .-emulator_switch
)");
void prepare(int t) {
  // Stacks start at other lines of the cache, or they would drive each other out of it
  size_t shift = (size_t)t * 320 % 20480;
  void** top = reinterpret_cast<void**>(emulator_stacks + (size_t)(t + 1) * STACK_BYTES - shift);
  top[-2] = reinterpret_cast<void*>(&thread_main);  // the address that the first switch returns to
  emulator_threads[t].stack_pointer = top - 8;
}
void resume(int t) { emulator_switch(&scheduler_stack, emulator_threads[t].stack_pointer); }
void leave() { emulator_switch(&emulator_threads[emulator_current].stack_pointer, scheduler_stack); }
#else
ucontext_t scheduler_context, contexts[MAX_THREADS];
void prepare(int t) {
  getcontext(&contexts[t]);
  contexts[t].uc_stack.ss_sp = emulator_stacks + (size_t)t * STACK_BYTES;
  contexts[t].uc_stack.ss_size = STACK_BYTES;
  contexts[t].uc_link = &scheduler_context;
  makecontext(&contexts[t], thread_main, 0);
}
void resume(int t) { swapcontext(&scheduler_context, &contexts[t]); }
void leave() { swapcontext(&contexts[emulator_current], &scheduler_context); }
#endif

// --- Warps -----------------------------------------------------------------------------------------------------------
void release(int first, unsigned group) {
  unsigned long long results[32];
  unsigned joined[32] = {};
  bool orders = false;
  for (int lane = 0; lane < 32; ++lane) {
    if (!(group >> lane & 1)) continue;
    Thread& thread = emulator_threads[first + lane];
    results[lane] = value_of(first, group, lane);
    orders = thread.operation == EMULATOR_SYNCWARP;  // a shuffle or a vote is no barrier for memory
    for (int other = 0; other < 32; ++other) {
      if (thread.known[other] > joined[other]) joined[other] = thread.known[other];
    }
    if (thread.clock > joined[lane]) joined[lane] = thread.clock;
  }
  for (int lane = 0; lane < 32; ++lane) {
    if (!(group >> lane & 1)) continue;
    Thread& thread = emulator_threads[first + lane];
    thread.value = results[lane];
    thread.waiting = Waiting::nothing;
    if (orders) {
      memcpy(thread.known, joined, sizeof joined);
      ++thread.clock;
    }
    runnable.push_back(first + lane);
  }
}

// Lanes of `mask` that have not ended, where all of them wait for each other; else 0.
unsigned meeting(int first, int lane) {
  const Thread& thread = emulator_threads[first + lane];
  unsigned group = 0;
  for (int other = 0; other < 32; ++other) {
    if (!(thread.mask >> other & 1) || first + other >= threads) continue;
    const Thread& its = emulator_threads[first + other];
    if (its.waiting == Waiting::over) continue;
    bool together = its.waiting == Waiting::warp && its.operation == thread.operation && its.mask == thread.mask &&
                    (its.line == thread.line || its.operation == EMULATOR_SYNCWARP);
    if (!together) return 0;
    group |= 1u << other;
  }
  return group;
}

void look_at_warp(int first) {
  for (int lane = 0; lane < 32 && first + lane < threads; ++lane) {
    const Thread& thread = emulator_threads[first + lane];
    if (thread.waiting != Waiting::warp || thread.operation == EMULATOR_ACTIVE) continue;
    if (unsigned group = meeting(first, lane)) release(first, group);
  }
}

// Threads that ask who is there are told once nobody of the warp can run on; in a shuffled order, not always together.
bool release_active() {
  bool any = false;
  for (int first = 0; first < threads; first += 32) {
    unsigned done = 0;
    for (int lane = 0; lane < 32 && first + lane < threads; ++lane) {
      const Thread& thread = emulator_threads[first + lane];
      if (done >> lane & 1 || thread.waiting != Waiting::warp || thread.operation != EMULATOR_ACTIVE) continue;
      unsigned group = 1u << lane;
      for (int other = lane + 1; other < 32 && first + other < threads; ++other) {
        const Thread& its = emulator_threads[first + other];
        bool same = its.waiting == Waiting::warp && its.operation == EMULATOR_ACTIVE && its.line == thread.line;
        if (same && !(done >> other & 1) && !(shuffled && random_below(4) == 0)) group |= 1u << other;
      }
      done |= group;
      release(first, group);
      any = true;
    }
  }
  return any;
}

// --- Barriers --------------------------------------------------------------------------------------------------------
void look_at_barrier() {
  if (at_barrier == 0 || at_barrier + finished < threads) return;
  int count = 0;
  const Thread* waits = nullptr;
  for (int t = 0; t < threads; ++t) {
    const Thread& thread = emulator_threads[t];
    if (thread.waiting != Waiting::barrier) continue;
    if (waits == nullptr) waits = &thread;
    if (thread.line != waits->line || strcmp(thread.file, waits->file) != 0) {
      emulator_fail(nullptr, "barrier: threads of one block wait at %s:%d and at %s:%d", waits->file, waits->line,
                    thread.file, thread.line);
    }
    count += thread.value != 0;
  }
  if (finished > 0) {
    emulator_fail(nullptr, "barrier: %s at %s:%d is not reached by %d of %d threads: they have ended",
                  name_of(waits->operation), waits->file, waits->line, finished, threads);
  }
  ++emulator_epoch;
  at_barrier = 0;
  for (int t = 0; t < threads; ++t) {
    Thread& thread = emulator_threads[t];
    thread.waiting = Waiting::nothing;
    thread.value = thread.operation == EMULATOR_BARRIER_OR    ? count > 0
                   : thread.operation == EMULATOR_BARRIER_AND ? count == threads
                                                              : count;
    thread.clock = 1;
    memset(thread.known, 0, sizeof thread.known);
    runnable.push_back(t);
  }
}

void thread_main() {
  launched(arguments);
  check_settle();
  emulator_threads[emulator_current].waiting = Waiting::over;
  ++finished;
  leave();
  __builtin_unreachable();
}

void report_deadlock() {
  size_t at = 0;
  at += snprintf(message, sizeof message, "deadlock: no thread of the block can go on");
  int told = 0;
  for (int t = 0; t < threads && told < 6; ++t) {
    const Thread& thread = emulator_threads[t];
    if (thread.waiting == Waiting::over || (t > 0 && thread.line == emulator_threads[t - 1].line)) continue;
    at += snprintf(message + at, sizeof message - at, "; thread %d waits in %s (mask %08x) at %s:%d", t,
                   name_of(thread.operation), thread.mask, thread.file, thread.line);
    ++told;
  }
  failed = true;
}

void run_block(unsigned block) {
  emulator_state.block = {block, 0, 0};
  emulator_epoch = 0;
  finished = at_barrier = 0;
  if (&__start_emulator_shared) {
    memset(&__start_emulator_shared, UNWRITTEN, &__stop_emulator_shared - &__start_emulator_shared);
  }
  memset(emulator_dynamic, UNWRITTEN, emulator_shared_bytes);
  check_block();
  runnable.clear();
  runnable_first = 0;
  for (int t = 0; t < threads; ++t) {
    Thread& thread = emulator_threads[t];
    thread.waiting = Waiting::nothing;
    thread.clock = 1;
    memset(thread.known, 0, sizeof thread.known);
    prepare(t);
    runnable.push_back(t);
  }
  while (finished < threads) {
    if (runnable_first == runnable.size()) {
      runnable.clear();
      runnable_first = 0;
      if (release_active()) continue;
      return report_deadlock();
    }
    if (runnable_first > 8 * MAX_THREADS) {
      runnable.erase(runnable.begin(), runnable.begin() + (ptrdiff_t)runnable_first);
      runnable_first = 0;
    }
    if (shuffled) {
      size_t chosen = runnable_first + random_below(runnable.size() - runnable_first);
      std::swap(runnable[runnable_first], runnable[chosen]);
    }
    emulator_current = runnable[runnable_first++];
    emulator_state.thread = {(unsigned)emulator_current, 0, 0};
    resume(emulator_current);
    int warp = emulator_current & ~31;
    bool ended = emulator_threads[emulator_current].waiting == Waiting::over;
    emulator_current = -1;
    if (failed) return;
    if (emulator_late) emulator_fail(nullptr, "endless: the launch takes longer than it may");
    if (ended) {
      look_at_warp(warp);
      look_at_barrier();
    }
    if (failed) return;
  }
}

}  // namespace

void emulator_fail(const void* place, const char* format, ...) {
  va_list list;
  va_start(list, format);
  size_t at = vsnprintf(message, sizeof message, format, list);
  va_end(list);
  if (emulator_current >= 0 && at < sizeof message) {
    snprintf(message + at, sizeof message - at, " (block %u, thread %d)", emulator_state.block.x, emulator_current);
  }
  failed = true;
  failed_at = place;
  if (emulator_current >= 0) leave();
  throw 0;  // outside any fibre: caught by the launch
}

extern "C" void emulator_index_fail(const void* data, long long index, long long size) {
  emulator_fail(__builtin_return_address(0), "index %lld of an array of %lld elements", index, size);
}

extern "C" int emulator_barrier(const char* file, int line, int operation, int predicate) {
  Thread& thread = emulator_threads[emulator_current];
  thread.waiting = Waiting::barrier;
  thread.file = file;
  thread.line = line;
  thread.operation = operation;
  thread.mask = 0;
  thread.value = predicate;
  check_settle();
  ++at_barrier;
  look_at_barrier();
  leave();
  return (int)thread.value;
}

extern "C" unsigned long long emulator_warp(const char* file, int line, int operation, unsigned mask,
                                            unsigned long long value, int argument, int width) {
  Thread& thread = emulator_threads[emulator_current];
  int lane = emulator_current & 31;
  thread.waiting = Waiting::warp;
  thread.file = file;
  thread.line = line;
  thread.operation = operation;
  thread.mask = mask;
  thread.value = value;
  thread.argument = argument;
  thread.width = width;
  check_settle();
  if (operation != EMULATOR_ACTIVE) {
    if (!(mask >> lane & 1)) {
      emulator_fail(nullptr, "warp: %s at %s:%d: lane %d is not in its own mask %08x", name_of(operation), file, line,
                    lane, mask);
    }
    if (unsigned group = meeting(emulator_current - lane, lane)) release(emulator_current - lane, group);
  }
  leave();
  return thread.value;
}

// In a shuffled order another thread may come between any two atomics.
void emulator_between_atomics() {
  if (shuffled && random_below(16) == 0) {
    runnable.push_back(emulator_current);
    check_settle();
    leave();
  }
}

// --- Called from Python ----------------------------------------------------------------------------------------------
extern "C" __attribute__((visibility("default"))) const char* emulator_message() { return message; }
extern "C" __attribute__((visibility("default"))) int emulator_idle_blocks() { return emulator_idle; }
extern "C" __attribute__((visibility("default"))) uint64_t emulator_failed_at() {  // as an offset into this library
  extern char emulator_image __asm__("__ehdr_start") __attribute__((visibility("hidden")));
  return failed_at ? (uint64_t)((const char*)failed_at - &emulator_image) : 0;
}

// 0: done; 1: failed, and emulator_message says why. A seed of 0 keeps blocks and threads in their natural order.
extern "C" __attribute__((visibility("default"))) int emulator_launch(void (*entry)(void**), void** values,
                                                                      const Passed* arrays, int array_count,
                                                                      unsigned blocks, unsigned block_threads,
                                                                      unsigned shared_bytes, uint64_t seed, unsigned limit_s,
                                                                      uintptr_t* stacks) {
  if (block_threads < 1 || block_threads > MAX_THREADS || shared_bytes > DYNAMIC_BYTES) {
    snprintf(message, sizeof message, "no GPU has blocks of %u threads and %u bytes", block_threads, shared_bytes);
    return 1;
  }
  if (!make_stacks((int)block_threads, stacks)) {
    snprintf(message, sizeof message, "no memory for the stacks of %u threads", block_threads);
    return 1;
  }
  emulator_late = false;
  Signals signals(limit_s);
  launched = entry;
  arguments = values;
  threads = (int)block_threads;
  failed = false;
  failed_at = nullptr;
  shuffled = seed != 0;
  random_state = seed * 0x9E3779B97F4A7C15ull + 1;
  emulator_shared_bytes = shared_bytes;
  emulator_state.block_size = {block_threads, 1, 1};
  emulator_state.grid = {blocks, 1, 1};
  std::vector<unsigned> order(blocks);
  for (unsigned b = 0; b < blocks; ++b) order[b] = b;
  for (unsigned b = blocks; shuffled && b > 1; --b) std::swap(order[b - 1], order[random_below(b)]);
  check_launch(arrays, array_count);
  try {
    for (unsigned b = 0; b < blocks && !failed; ++b) run_block(order[b]);
  } catch (int) {
  }
  emulator_current = -1;
  check_end();
  return failed;
}
