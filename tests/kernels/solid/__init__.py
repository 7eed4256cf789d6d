"""Tests of ``kernels/solid``."""
