"""A farm on this machine alone: a real Slurm with emulated nodes, and faults that are done to it."""
