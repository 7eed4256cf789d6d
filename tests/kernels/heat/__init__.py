"""Tests of ``kernels/heat``."""
