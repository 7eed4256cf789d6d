"""What a shot and a film would take on many GPUs, from measured stage times. Projected is a type of its own.

``assumptions`` (numbers with sources, published claims) -> ``cost`` (seconds of a frame) -> ``schedule`` (tasks on
GPUs) -> ``projection`` (the document) -> ``table``.
"""

from bench.project.projection import project, show, summary

__all__ = ["project", "show", "summary"]
