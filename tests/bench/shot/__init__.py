"""Tests of ``bench/shot``."""
