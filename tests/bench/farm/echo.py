"""What a worker does in tests of the engine: give back what it was told, or end at once."""

from __future__ import annotations

import os
from collections.abc import Mapping


def call(order: Mapping[str, object]) -> dict[str, object]:
    if order.get("die"):
        os._exit(3)
    return {**order, "pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
