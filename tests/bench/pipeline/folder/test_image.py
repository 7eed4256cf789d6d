"""Picture files: what is written is what is read, whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bench.pipeline.folder import image
from tests.support.exr import read_exr


def picture(rng: np.random.Generator) -> np.ndarray:
    return rng.random((5, 7, 3), np.float32)


def test_exr_holds_half_colour_float_variance_and_attributes(rng, tmp_path):
    pytest.importorskip("OpenEXR")
    rgb = picture(rng)
    rgb[0, 0] = (1e9, np.nan, -2.0)
    image.write_exr(tmp_path / "a.exr", rgb, rgb * np.float32(0.1), {"shot": "wave", "samples": 16}, 24.0)
    read, header = read_exr(tmp_path / "a.exr")
    np.testing.assert_allclose(read[1:], rgb[1:], rtol=1e-3)
    np.testing.assert_array_equal(read[0, 0], [image.HALF_MAX, 0.0, -2.0])
    assert (header["shot"], header["samples"], header["framesPerSecond"]) == ("wave", 16, Fraction(24, 1))
    np.testing.assert_allclose(header["chromaticities"], image.REC709, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["a.exr"]


def test_png_holds_the_tone_mapped_picture_and_its_text(rng, tmp_path):
    from PIL import Image

    rgb = picture(rng)
    image.write_png(tmp_path / "a.png", rgb, 2.0, {"sha256": "ab"})
    with Image.open(tmp_path / "a.png") as read:
        np.testing.assert_array_equal(np.asarray(read), image.tone_map(rgb, 2.0))
        assert read.info["sha256"] == "ab"


def test_tone_curve_rises_from_black_to_white():
    grey = np.repeat(np.array([0.0, 0.01, 0.1, 0.5, 1.0, 4.0, 1e6], np.float32)[:, None, None], 3, axis=2)
    levels = image.tone_map(grey)[:, 0, 1].astype(int)
    assert levels[0] <= 1 and levels[-1] >= 254
    assert np.all(np.diff(levels) >= 0) and np.all(np.diff(levels[1:5]) > 10)
    assert image.tone_map(np.full((1, 1, 3), np.nan)).max() <= 1


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_a_failed_write_leaves_the_old_file_alone(rng, tmp_path, kind):
    if kind == "exr":
        pytest.importorskip("OpenEXR")
    rgb = picture(rng)
    path = tmp_path / "no such folder" / f"a.{kind}"
    with pytest.raises(OSError):
        image.write_png(path, rgb) if kind == "png" else image.write_exr(path, rgb, rgb, {})
    assert list(Path(tmp_path).iterdir()) == []
