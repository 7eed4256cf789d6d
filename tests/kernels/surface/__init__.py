"""Tests of ``kernels/surface``."""
