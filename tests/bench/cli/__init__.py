"""Tests of ``bench/cli``."""
