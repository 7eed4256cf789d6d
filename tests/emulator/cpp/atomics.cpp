// Atomics: fibres come one after another, so each is an ordinary read and write, told to the checker as one.
#include "state.h"

#define READ_MODIFY_WRITE(T, name, expression)                        \
  T name(T* address, T value) {                                       \
    emulator_between_atomics();                                                \
    check_atomic(address, sizeof(T), __builtin_return_address(0));    \
    T old = *address;                                                 \
    *address = (T)(expression);                                       \
    return old;                                                       \
  }
#define ATOMICS(T, WIDE)                                              \
  READ_MODIFY_WRITE(T, atomicAdd, (WIDE)old + (WIDE)value)            \
  READ_MODIFY_WRITE(T, atomicMax, old > value ? old : value)          \
  READ_MODIFY_WRITE(T, atomicMin, old < value ? old : value)          \
  READ_MODIFY_WRITE(T, atomicOr, old | value)                         \
  READ_MODIFY_WRITE(T, atomicAnd, old & value)                        \
  READ_MODIFY_WRITE(T, atomicExch, value)                             \
  T atomicCAS(T* address, T compare, T value) {                       \
    emulator_between_atomics();                                                \
    check_atomic(address, sizeof(T), __builtin_return_address(0));    \
    T old = *address;                                                 \
    if (old == compare) *address = value;                             \
    return old;                                                       \
  }
ATOMICS(int, unsigned)
ATOMICS(unsigned, unsigned)
ATOMICS(unsigned long long, unsigned long long)
extern "C" void __threadfence() { EMULATOR_FENCE(); }
extern "C" void __threadfence_block() { EMULATOR_FENCE(); }
