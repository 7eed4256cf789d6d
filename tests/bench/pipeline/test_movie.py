"""A movie is what its PNG frames are, in their order."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bench.base.errors import UserError
from bench.pipeline.pictures import read_formats, write_movie

FRAMES, WIDTH, HEIGHT, RATE = range(3, 9), 65, 34, 24.0


@pytest.fixture
def folder(tmp_path):
    """Frames 3 to 8, each a shade brighter than the one before; the width is odd."""
    from PIL import Image

    found = SimpleNamespace(folder=tmp_path, header={"shot": "wave"}, name=lambda frame, kind: f"wave.{frame}.{kind}")
    for frame in FRAMES:
        pixels = np.full((HEIGHT, WIDTH, 3), 25 * frame, np.uint8)
        Image.fromarray(pixels).save(tmp_path / found.name(frame, "png"))
    return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its pipes to Python
def test_a_movie_holds_every_frame_in_order_at_the_frame_rate(folder):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="needs the extra 'movie' (imageio-ffmpeg)")
    path = write_movie(folder, list(FRAMES), RATE)
    frames = ffmpeg.read_frames(str(path))
    about = next(frames)
    shades = [np.frombuffer(frame, np.uint8).mean() for frame in frames]
    assert path.name == "wave.mp4"
    assert about["size"] == (WIDTH - 1, HEIGHT) and about["fps"] == RATE and about["codec"] == "h264"
    assert shades == pytest.approx([25 * frame for frame in FRAMES], abs=3)
    assert [left.name for left in folder.folder.glob("*.mp4*")] == ["wave.mp4"]


def test_without_the_encoder_a_movie_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"imageio-ffmpeg: pip install 'shotmark\[movie\]'"):
        write_movie(folder, list(FRAMES), RATE)
    assert not list(folder.folder.glob("*.mp4*"))
    assert read_formats("png") == ("png",)
