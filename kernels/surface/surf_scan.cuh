#include "block_scan.cuh"

// Prefix sums of a table in chunks: sums of chunks, one block over those, then the chunks. See surf_scan.py.

constexpr int SCAN_CHUNK = 4096;    // table entries of a chunk
constexpr int SCAN_THREADS = 256;   // of a block that works on chunks, four entries a thread at a time
constexpr int SCAN_TILE = 4 * SCAN_THREADS;
constexpr int SCAN_TOP = 1024;      // threads of the one block that works on the chunks' sums
