"""Pictures on disk: linear EXR with what it takes to trust it, and PNG for looking.

EXR: half RGB, float variance of the mean, Rec.709 primaries, scene-linear. PNG: exposure, a filmic tone curve, sRGB.
Both are written whole or not at all, but without waiting for the disk: encoding is on the clock.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np

from bench.base.errors import Unavailable
from bench.base.files import whole_file

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
HALF_MAX = 65504.0
EXR_INSTALL = "EXR output needs OpenEXR: pip install 'OpenEXR>=3.3'"


def tone_map(rgb: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """uint8[h, w, 3] for a screen: exposure, filmic curve, sRGB.

    The curve is Hill's fit of the ACES reference and output transforms, applied in its own wider primaries: bright
    colours turn white as they do in a photograph. Not finite becomes black.
    """
    x = np.nan_to_num(np.asarray(rgb, np.float64) * exposure, nan=0.0, posinf=HALF_MAX, neginf=0.0)
    into = np.array([[0.59719, 0.35458, 0.04823], [0.07600, 0.90834, 0.01566], [0.02840, 0.13383, 0.83777]])
    back = np.array([[1.60475, -0.53108, -0.07367], [-0.10208, 1.10813, -0.00605], [-0.00327, -0.07276, 1.07602]])
    x = np.maximum(x, 0.0) @ into.T
    x = (x * (x + 0.0245786) - 0.000090537) / (x * (0.983729 * x + 0.4329510) + 0.238081)
    x = np.clip(x @ back.T, 0.0, 1.0)
    x = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 0.0031308), 1.0 / 2.4) - 0.055)
    return np.asarray(np.rint(x * 255.0), np.uint8)


def write_png(path: Path, rgb: np.ndarray, exposure: float = 1.0, text: Mapping[str, str] | None = None) -> None:
    """Write a picture float32[h, w, 3] as PNG with ``text`` chunks. Raises OSError; an old file then stays."""
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    picture = Image.fromarray(tone_map(rgb, exposure))
    with whole_file(path, on_disk=False) as temporary:
        picture.save(temporary, format="PNG", pnginfo=info, optimize=False)


def write_exr(
    path: Path,
    rgb: np.ndarray,
    variance: np.ndarray,
    attributes: Mapping[str, str | int | float],
    frame_rate: float = 24.0,
) -> None:
    """Write half RGB and float variance.R/G/B with ``attributes`` (text, whole numbers, floats).

    Raises Unavailable where OpenEXR is not installed, OSError where the file cannot be written.
    """
    try:
        import OpenEXR
    except ImportError:
        raise Unavailable(EXR_INSTALL) from None
    header: dict[str, object] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": REC709,
        "framesPerSecond": Fraction(frame_rate).limit_denominator(1001),
        **attributes,
    }
    half = np.clip(np.nan_to_num(rgb, nan=0.0, posinf=HALF_MAX), -HALF_MAX, HALF_MAX).astype(np.float16)
    channels = {"RGB": half}
    for c, name in enumerate("RGB"):
        channels[f"variance.{name}"] = np.ascontiguousarray(variance[..., c], np.float32)
    with whole_file(path, on_disk=False) as temporary:
        _write_exr_file(OpenEXR, header, channels, temporary)


def _write_exr_file(
    library: ModuleType, header: dict[str, object], channels: dict[str, np.ndarray], path: Path
) -> None:
    raw = sum(values.nbytes for values in channels.values())  # first: the library puts its own objects in their place
    try:
        library.File(header, channels).write(str(path))
    except RuntimeError as error:  # the library's only type, for a full disk as for a missing folder
        full = path.parent.is_dir() and shutil.disk_usage(path.parent).free < raw
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
