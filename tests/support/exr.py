"""EXR files as they are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def read_exr(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(rgb float32[h, w, 3], attributes) of an EXR file."""
    import OpenEXR

    with OpenEXR.File(str(path)) as file:
        return np.asarray(file.channels()["RGB"].pixels, np.float32), dict(file.header())
