"""Measured figures of published experiments, as small tables that name their sources."""
