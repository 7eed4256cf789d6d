"""Costs fitted to measurements, tasks as a graph, events on a cluster."""
