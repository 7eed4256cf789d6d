"""Tests of the farm: sites, engine, dispatch, faults."""
