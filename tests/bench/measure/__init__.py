"""Tests of ``bench/measure``."""
