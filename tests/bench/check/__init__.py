"""Tests of ``bench/check``."""
