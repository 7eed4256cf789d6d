"""Tests of ``kernels/mpm``."""
