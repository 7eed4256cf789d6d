"""The harness of Shotmark: what to run (shot, scene), in which order (simulate, render), how long it took (measure,
record), what it means (compare, project).

A file imports only from what stands before it in the pipeline; ``kernels`` never imports ``bench``.
"""

__version__ = "0.1.0"
