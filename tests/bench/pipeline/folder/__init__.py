"""Tests of ``bench/pipeline``."""
