"""What a worker does in tests of the engine: give back what it was told, wait, or end at once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any


def call(order: Mapping[str, Any]) -> dict[str, object]:
    if order.get("die"):
        os._exit(3)
    time.sleep(order.get("sleep_s", 0.0))
    return {**order, "pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
