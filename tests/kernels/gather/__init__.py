"""Tests of ``kernels/gather``."""
