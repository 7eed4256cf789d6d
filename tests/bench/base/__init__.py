"""Tests of ``bench/base``."""
