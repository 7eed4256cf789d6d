"""Tests of the dispatcher, on a farm with a clock of its own."""
