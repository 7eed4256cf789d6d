"""Tests of ``kernels/trace``."""
