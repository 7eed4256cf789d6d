"""What a shot and a film would take on many GPUs, from measured stage times: a projection, never a measurement.

Rooms, each of which imports only from those before it: ``inputs`` (clusters, assumptions, points of records), ``model``
(how a stage grows, draws of what is not known, tasks on a cluster event by event), ``output`` (the projection, its
claims, and how both are shown), ``backtest`` (how wrong projections were).
"""
