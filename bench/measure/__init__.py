"""Verify, then time: shots, kernels, the limits of the machine, and other programs beside them."""
