"""Tests of ``bench/pipeline/tasks``."""
