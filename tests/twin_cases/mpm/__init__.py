"""Inputs of the liquid's kernels: of a substep, of its sound steps, at edges, at solids."""
