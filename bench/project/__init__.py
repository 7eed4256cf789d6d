"""What a shot and a film would take on many GPUs, from measured stage times. Projected is a type of its own.

evidence (points of records) -> fit (how a stage grows) -> costs (seconds of a frame) -> scenario (draws of what is not
known) -> graph, events (tasks on a cluster) -> answers -> claims, tornado, explain -> projection (the document) ->
table, plot. Beside them series (records to test on) and backtest (how wrong it was).
"""

from bench.project.output.projection import project, show, summary

__all__ = ["project", "show", "summary"]
