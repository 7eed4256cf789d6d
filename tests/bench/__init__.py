"""Tests of the harness, room by room."""
