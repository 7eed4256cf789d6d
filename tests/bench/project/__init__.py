"""Tests of ``bench/project``."""
