"""Tests of ``bench/farm/forecast``."""
