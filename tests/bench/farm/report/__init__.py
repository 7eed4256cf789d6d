"""Tests of ``bench/farm/report``."""
