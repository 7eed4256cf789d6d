"""How a CUDA device is driven, on a CuPy that has none."""
