"""Tests of Parsl as the engine."""
