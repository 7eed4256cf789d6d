"""Who does a task: the node, and the device as an entry of a frame names it."""

from __future__ import annotations

from functools import cache

from bench.backend.protocol import Backend
from bench.pipeline.folder.made import Place
from bench.record import processor


def place_of(backend: Backend) -> Place:
    """This process on a back-end: a GPU by its UUID, a CPU by its model and the number of threads."""
    if backend.is_gpu:
        return Place(backend.device_uuid or backend.device_name or "GPU", backend.name)
    threads = backend.threads or 1
    return Place(f"{_cpu_model()}, {threads} thread{'s' if threads > 1 else ''}", backend.name)


@cache
def _cpu_model() -> str:
    return processor.describe()["model"] or "CPU"
