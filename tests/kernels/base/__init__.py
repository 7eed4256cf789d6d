"""Tests of ``kernels/base``."""
