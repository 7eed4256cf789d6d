"""Tests of ``bench.farm.export``."""
