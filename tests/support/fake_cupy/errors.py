"""What a CuPy without a device raises, under the words of the real one."""


class CudaRuntimeError(RuntimeError):
    """cudaErrorSomething: text."""


class CudaDriverError(RuntimeError):
    """CUDA_ERROR_SOMETHING: text."""


class NvrtcError(RuntimeError):
    """NVRTC_ERROR_SOMETHING."""


class OutOfMemory(MemoryError):
    """Of the pool."""
