"""Where arrays live and kernels run: the CPU through Numba, NVIDIA GPUs through CuPy."""
