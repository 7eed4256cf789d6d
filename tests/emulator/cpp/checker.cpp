// Sees every load and store of a kernel: g++ -fsanitize=thread puts a call before each one, and the functions that it
// calls are these instead of a race detector for CPUs. No thread runs at the same time as another here, so what is asked is
// not what happened but what orders two accesses: a barrier of the block, or of the warp, since.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <link.h>
#include <sys/mman.h>
#include <vector>

#include "state.h"

extern "C" {
__attribute__((weak, visibility("hidden"))) extern char __start_emulator_shared, __stop_emulator_shared;
// Addresses of the gaps behind its variables
__attribute__((weak, visibility("hidden"))) extern uintptr_t __start_emulator_gaps, __stop_emulator_gaps;
}

namespace {

uintptr_t image_low, image_high;  // where this library was loaded

int find_image(dl_phdr_info* info, size_t, void*) {
  uintptr_t low = UINTPTR_MAX, high = 0;
  for (int n = 0; n < info->dlpi_phnum; ++n) {
    if (info->dlpi_phdr[n].p_type != PT_LOAD) continue;
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[n].p_vaddr;
    low = std::min(low, start);
    high = std::max(high, start + info->dlpi_phdr[n].p_memsz);
  }
  if ((uintptr_t)&emulator_state - low >= high - low) return 0;
  image_low = low;
  image_high = high;
  return 1;
}

struct Access {
  uint32_t thread;  // of the whole launch, + 1; 0: none
  uint16_t epoch, clock;
  uint32_t place;  // in this library
};

// The last accesses to one item: two each, by different threads, so that one by the thread that asks hides no other.
struct Cell {
  uint32_t block;  // of shared memory, + 1: what an earlier block left does not count
  uint32_t atomic;
  Access writes[2], reads[2];
};

struct Region {
  Passed array;
  Cell* cells;
};

std::vector<Region> regions;  // by address
size_t last_region;
Cell* shared_cells;
uint32_t block_serial;
bool block_wrote;  // to memory of the launch's arguments

// A store over another thread's value is a race unless it stores the same bytes: known once it has happened.
struct Pending {
  const unsigned char* address;
  unsigned bytes;
  unsigned char old[16];
  Access other;
  const void* place;
  uint32_t parameter;
  long long item;
} pending;

enum Kind { READ, WRITE, ATOMIC };

uint32_t this_thread() { return emulator_state.block.x * emulator_state.block_size.x + (uint32_t)emulator_current + 1; }

Access now(const void* place) {
  unsigned clock = emulator_threads[emulator_current].clock;
  if (emulator_epoch > 0xFFFF || clock > 0xFFFF) {
    emulator_fail(nullptr, "more barriers or warp operations in one block than the checker can count");
  }
  return {this_thread(), (uint16_t)emulator_epoch, (uint16_t)clock, (uint32_t)((uintptr_t)place - image_low)};
}

bool ordered(const Access& before, const Access& after) {
  if (before.thread == 0 || before.thread == after.thread) return true;
  uint32_t size = emulator_state.block_size.x;
  uint32_t a = before.thread - 1, b = after.thread - 1;
  if (a / size != b / size) return false;
  if (before.epoch < after.epoch) return true;
  uint32_t lane_a = a % size, lane_b = b % size;
  return lane_a / 32 == lane_b / 32 && emulator_threads[lane_b].known[lane_a % 32] >= before.clock;
}

void note(Access (&slots)[2], const Access& access) {
  uint32_t size = emulator_state.block_size.x, own = (access.thread - 1) / size;
  bool keep = slots[0].thread != 0 && (slots[0].thread - 1) / size == own && slots[1].thread != 0 &&
              (slots[1].thread - 1) / size != own;  // another block's is never ordered: it counts more than one's own
  if (slots[0].thread != access.thread && !keep) slots[1] = slots[0];
  slots[0] = access;
}

[[noreturn]] void race(const char* what, const char* where, long long item, const char* earlier, const Access& other,
                       const void* place) {
  uint32_t size = emulator_state.block_size.x, thread = other.thread - 1;
  char at[32] = "";
  if (item >= 0) snprintf(at, sizeof at, "[%lld]", item);
  emulator_fail(place, "race: %s %s%s after %s by thread %u of block %u at {%x}, nothing orders them", what, where, at,
                earlier, thread % size, thread / size, other.place);
}

const Access* unordered(const Access (&slots)[2], const Access& access) {
  for (const Access& slot : slots) {
    if (!ordered(slot, access)) return &slot;
  }
  return nullptr;
}

// Looks at one item and notes the access; gives the write whose value a plain store may overwrite only with itself.
Access look(Cell& cell, Kind kind, const Access& access, bool is_shared, const char* where, long long item,
              const void* place) {
  Access other = {};
  const char* earlier = cell.atomic ? "an atomic" : "a write";
  const Access* writer = unordered(cell.writes, access);
  if (writer != nullptr && !(kind == ATOMIC && cell.atomic)) {
    if (kind == READ) race("a read of", where, item, earlier, *writer, place);
    if (kind == ATOMIC) race("an atomic on", where, item, earlier, *writer, place);
    if (is_shared || cell.atomic) race("a write to", where, item, earlier, *writer, place);
    other = *writer;
  }
  if (kind == READ) {
    note(cell.reads, access);
    return {};
  }
  if (const Access* reader = unordered(cell.reads, access)) {
    race(kind == ATOMIC ? "an atomic on" : "a write to", where, item, "a read", *reader, place);
  }
  if ((kind == WRITE && other.thread == 0) || cell.atomic != (kind == ATOMIC)) {
    cell.writes[0] = cell.writes[1] = Access{};
  }
  note(cell.writes, access);
  cell.atomic = kind == ATOMIC;
  return other;
}

// Ends the launch where an access to shared memory goes beyond a variable.
void look_at_gaps(uintptr_t address, unsigned bytes, const void* place) {
  if (!&__start_emulator_gaps) return;
  for (const uintptr_t* gap = &__start_emulator_gaps; gap < &__stop_emulator_gaps; ++gap) {
    if (address + bytes > *gap && address < *gap + sizeof(EmulatorGap)) {
      emulator_fail(place, "outside: shared memory, %lld bytes behind the end of a variable", (long long)(address - *gap));
    }
  }
}

void look_at_shared(size_t offset, unsigned bytes, Kind kind, const void* place) {
  Access access = now(place);
  for (size_t at = offset; at < offset + bytes; ++at) {
    Cell& cell = shared_cells[at];
    if (cell.block != block_serial) {
      cell = Cell{};
      cell.block = block_serial;
    }
    if (kind != WRITE && cell.writes[0].thread == 0) {
      emulator_fail(place, "uninitialised: a read of shared memory that this block has not written");
    }
    look(cell, kind, access, true, "shared memory, byte", (long long)offset, place);
  }
}

Region* region_of(uintptr_t address) {
  if (last_region < regions.size()) {
    Region& last = regions[last_region];
    if (address - last.array.start < last.array.bytes) return &last;
  }
  for (size_t n = 0; n < regions.size(); ++n) {
    if (address - regions[n].array.start < regions[n].array.bytes) {
      last_region = n;
      return &regions[n];
    }
  }
  return nullptr;
}

[[noreturn]] void outside(uintptr_t address, unsigned bytes, Kind kind, const void* place) {
  const char* verb = kind == READ ? "read" : "write";
  for (const Region& region : regions) {
    uintptr_t end = region.array.start + region.array.bytes;
    if (address + 4096 >= region.array.start && address < end + 4096) {
      bool before = address < region.array.start;
      emulator_fail(place, "outside: a %s of %u bytes, %llu bytes %s argument {%u}", verb, bytes,
                    (unsigned long long)(before ? region.array.start - address : address - end),
                    before ? "before" : "behind the end of", region.array.parameter);
    }
  }
  emulator_fail(place, "outside: a %s of %u bytes far from every argument", verb, bytes);
}

void access(const void* pointer, unsigned bytes, Kind kind, const void* place) {
  check_settle();
  uintptr_t address = (uintptr_t)pointer;
  uintptr_t stack = (uintptr_t)emulator_stacks + (size_t)emulator_current * STACK_BYTES;
  if (address - stack < STACK_BYTES) return;
  if (bytes > 16) {  // a copy of a structure
    for (unsigned at = 0; at < bytes; at += 8) access((const char*)pointer + at, std::min(8u, bytes - at), kind, place);
    return;
  }
  Region* region = region_of(address);
  if (region != nullptr) {
    Passed& array = region->array;
    if (address + bytes > array.start + array.bytes) outside(array.start + array.bytes, bytes, kind, place);
    block_wrote |= kind != READ;
    if (address % bytes != 0) emulator_fail(place, "misaligned: %u bytes at once at argument {%u}", bytes, array.parameter);
    long long first = (long long)((address - array.start) / array.item_bytes);
    long long last = (long long)((address + bytes - 1 - array.start) / array.item_bytes);
    char where[32];
    snprintf(where, sizeof where, "argument {%u}", array.parameter);
    Access access = now(place);
    for (long long item = first; item <= last; ++item) {
      Access other = look(region->cells[item], kind, access, false, where, item, place);
      if (other.thread != 0) {
        pending = {(const unsigned char*)pointer, bytes, {}, other, place, array.parameter, item};
        memcpy(pending.old, pointer, bytes);
      }
    }
    return;
  }
  size_t fixed = &__start_emulator_shared ? &__stop_emulator_shared - &__start_emulator_shared : 0;
  if (fixed != 0 && address - (uintptr_t)&__start_emulator_shared < fixed) {
    look_at_gaps(address, bytes, place);
    return look_at_shared(address - (uintptr_t)&__start_emulator_shared, bytes, kind, place);
  }
  if (address - (uintptr_t)emulator_dynamic < DYNAMIC_BYTES) {
    size_t offset = address - (uintptr_t)emulator_dynamic;
    if (offset + bytes > emulator_shared_bytes) {
      emulator_fail(place, "outside: dynamic shared memory has %u bytes, %u at %zu are asked for",
                    emulator_shared_bytes, bytes, offset);
    }
    return look_at_shared(fixed + offset, bytes, kind, place);
  }
  if (address - image_low < image_high - image_low) {
    if (kind == READ) return;  // constants of the kernel's text, and who it is
    emulator_fail(place, "outside: a write to a variable of the kernel's text");
  }
  if (address - (uintptr_t)emulator_stacks < MAX_THREADS * STACK_BYTES) {
    emulator_fail(place, "outside: another thread's own memory");
  }
  outside(address, bytes, kind, place);
}

}  // namespace

void check_settle() {
  if (pending.address == nullptr) return;
  const unsigned char* address = pending.address;
  pending.address = nullptr;
  if (memcmp(address, pending.old, pending.bytes) == 0) return;
  char where[32];
  snprintf(where, sizeof where, "argument {%u}", pending.parameter);
  race("a write of another value to", where, pending.item, "a write", pending.other, pending.place);
}

void check_atomic(const void* address, unsigned bytes, const void* place) { access(address, bytes, ATOMIC, place); }

void check_launch(const Passed* arrays, int count) {
  if (image_high == 0) dl_iterate_phdr(find_image, nullptr);
  pending.address = nullptr;
  regions.clear();
  last_region = 0;
  block_serial = 0;
  emulator_idle = 0;
  block_wrote = true;
  if (shared_cells == nullptr) {
    shared_cells = (Cell*)mmap(nullptr, 2 * DYNAMIC_BYTES * sizeof(Cell), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  } else {
    for (size_t n = 0; n < 2 * DYNAMIC_BYTES; ++n) {
      if (shared_cells[n].block == 0) continue;
      shared_cells[n].block = 0;
    }
  }
  for (int n = 0; n < count; ++n) {
    size_t bytes = std::max<size_t>(1, arrays[n].bytes / arrays[n].item_bytes) * sizeof(Cell);
    void* cells = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cells == MAP_FAILED) emulator_fail(nullptr, "no memory for the checker's notes");
    regions.push_back({arrays[n], (Cell*)cells});
  }
}

void check_block() {
  if (!block_wrote) ++emulator_idle;
  block_wrote = false;
  ++block_serial;
}

void check_end() {
  if (!block_wrote) ++emulator_idle;
  for (Region& region : regions) {
    munmap(region.cells, std::max<size_t>(1, region.array.bytes / region.array.item_bytes) * sizeof(Cell));
  }
  regions.clear();
}

// --- What the compiler calls -----------------------------------------------------------------------------------------
#define PLACE __builtin_return_address(0)
#define HOOKS(n)                                                                  \
  void __tsan_read##n(void* p) { access(p, n, READ, PLACE); }                     \
  void __tsan_write##n(void* p) { access(p, n, WRITE, PLACE); }                   \
  void __tsan_unaligned_read##n(void* p) { access(p, n, READ, PLACE); }           \
  void __tsan_unaligned_write##n(void* p) { access(p, n, WRITE, PLACE); }         \
  void __tsan_volatile_read##n(void* p) { access(p, n, READ, PLACE); }            \
  void __tsan_volatile_write##n(void* p) { access(p, n, WRITE, PLACE); }
#define UNDEFINED(name, what) \
  void __ubsan_handle_##name(void*, uintptr_t, uintptr_t) { emulator_fail(PLACE, "undefined: " what); }

extern "C" {
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
void __tsan_read_range(void* p, size_t bytes) { access(p, (unsigned)bytes, READ, PLACE); }
void __tsan_write_range(void* p, size_t bytes) { access(p, (unsigned)bytes, WRITE, PLACE); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
UNDEFINED(type_mismatch_v1, "a pointer that is not aligned to what it is read as")
UNDEFINED(out_of_bounds, "an index outside a fixed array")
UNDEFINED(shift_out_of_bounds, "a shift by more bits than there are, or of a negative number")
UNDEFINED(float_cast_overflow, "a float that no whole number of this type stands for")
UNDEFINED(divrem_overflow, "a division by zero")
UNDEFINED(add_overflow, "a sum beyond a signed whole number")
UNDEFINED(sub_overflow, "a difference beyond a signed whole number")
UNDEFINED(mul_overflow, "a product beyond a signed whole number")
UNDEFINED(negate_overflow, "a negative beyond a signed whole number")
}
