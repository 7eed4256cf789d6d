"""The kernels of Shotmark, one name each: ``<name>.py`` holds the Numba version, ``<name>.cu`` the CUDA one.

Rules that make every back-end give the same bits:

* state is float32, constants are ``numpy.float32`` objects, there is no fast-math;
* a fused multiply-add is written out (``common.fma``), none is left to the compiler;
* nothing depends on the order in which threads arrive: a scatter adds integers
  (fixed point), everything else gathers in one written order;
* ``exp log pow sin cos`` are the ones of ``common``, never a library's.

A thread that waits for the others spins for some microseconds, the gap between two launches, then sleeps
(``GOMP_SPINCOUNT``). A frame's simulation of ``wave`` S takes 64 ms so, and 139 ms beside two busy processes; asleep at
once it takes 90 ms alone, and OpenMP's default, spinning for milliseconds, up to thirty times as long beside others.
"""

from __future__ import annotations

import os

# Read by the OpenMP library when Numba loads it, at the first parallel kernel; a user's own choice stands.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
