"""Tests of the kernels, room by room, and of their twins."""
