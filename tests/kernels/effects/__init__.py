"""Tests of ``kernels/effects``."""
