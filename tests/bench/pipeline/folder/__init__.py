"""Tests of ``bench/pipeline/folder``."""
