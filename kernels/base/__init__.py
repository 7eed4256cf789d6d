"""What every kernel is made of: exact scalar and vector operations, constants, CUDA text, the list of kernels."""
