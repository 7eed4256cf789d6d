"""Tests of ``bench/record``."""
