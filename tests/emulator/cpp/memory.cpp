// Stacks of the fibres, and accesses that the operating system refuses.
#include <csignal>
#include <sys/mman.h>
#include <sys/time.h>

#include "state.h"

volatile bool emulator_late;

namespace {
// An access that the operating system refuses ends the launch like any other failure.
void refused(int signal, siginfo_t* info, void*) {
  if (signal == SIGVTALRM) {
    if (emulator_current >= 0) emulator_fail(nullptr, "endless: the launch takes longer than it may");
    emulator_late = true;
    return;
  }
  if (emulator_current < 0) {
    std::signal(signal, SIG_DFL);
    return;
  }
  uintptr_t stacks = (uintptr_t)info->si_addr - (uintptr_t)emulator_stacks;
  if (signal == SIGFPE) emulator_fail(nullptr, "undefined: a division by zero");
  if (stacks < MAX_THREADS * STACK_BYTES) emulator_fail(nullptr, "outside: too much local memory");
  emulator_fail(nullptr, "outside: no memory is at %p", info->si_addr);
}

struct Caught {
  static constexpr int caught[4] = {SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM};
  struct sigaction before[4];
  stack_t stack_before;
  Caught() {
    static char stack[64 * 1024];
    stack_t own = {};
    own.ss_sp = stack;
    own.ss_size = sizeof stack;
    sigaltstack(&own, &stack_before);
    struct sigaction action = {};
    action.sa_sigaction = refused;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int n = 0; n < 4; ++n) sigaction(caught[n], &action, &before[n]);
  }
  ~Caught() {
    for (int n = 0; n < 4; ++n) sigaction(caught[n], &before[n], nullptr);
    sigaltstack(&stack_before, nullptr);
  }
};
}  // namespace

Signals::Signals(unsigned limit_s) : caught(new Caught) {
  itimerval limit = {{0, 0}, {limit_s, 0}};
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}
Signals::~Signals() {
  itimerval none = {};
  setitimer(ITIMER_VIRTUAL, &none, nullptr);
  delete static_cast<Caught*>(caught);
}

// Stacks are made once for all libraries of a process, which has room for only so many mappings: `shared` holds their
// address and how many have a page in front that nobody may touch.
bool make_stacks(int count, uintptr_t* shared) {
  if (shared[0] == 0) {
    void* memory = mmap(nullptr, MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    shared[0] = (uintptr_t)memory;
  }
  emulator_stacks = (char*)shared[0];
  for (; shared[1] < (uintptr_t)count; ++shared[1]) {
    mprotect(emulator_stacks + (size_t)shared[1] * STACK_BYTES, 4096, PROT_NONE);
  }
  return true;
}
