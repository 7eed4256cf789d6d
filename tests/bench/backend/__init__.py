"""Tests of ``bench/backend``."""
