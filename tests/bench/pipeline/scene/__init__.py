"""Tests of ``bench/pipeline/scene``."""
