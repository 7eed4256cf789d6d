"""A movie is what its PNG frames are, in their order, and its name says which; a still says what it is of."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.main import main
from bench.pipeline.folder.pictures import Still, can_write_exr, movie_name, read_formats, stills_of, write_movie
from bench.pipeline.folder.shot_folder import ShotFolder
from bench.pipeline.frame import Picture
from tests.support.tiny_shot import write_tiny_shot

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
    path = write_movie(folder, "wave.mp4", list(FRAMES), RATE)
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
        write_movie(folder, "wave.mp4", list(FRAMES), RATE)
    assert not list(folder.folder.glob("*.mp4*"))
    assert read_formats("png") == ("png",)


@pytest.mark.parametrize(
    ("frames", "name"),
    [
        (range(1, 61), "wave.mp4"),
        ([2], "wave.0002.mp4"),
        (range(1, 60), "wave.0001-0059.mp4"),
        (range(1, 61, 4), "wave.0001-0057x4.mp4"),
        ([1, 5, *range(10, 21)], "wave.0001+0005+0010-0020.mp4"),
        ([1, 2, 4, 6, 8, 60], "wave.0001-0002+0004-0008x2+0060.mp4"),
    ],
)
def test_a_movie_of_a_part_does_not_take_the_name_of_the_whole(frames, name):
    assert movie_name("wave", list(frames), 60) == name


def test_a_long_list_of_frames_makes_a_short_name_of_its_own():
    squares = [n * n for n in range(1, 40)]
    one, other = movie_name("wave", squares, 60), movie_name("wave", [*squares[:20], *squares[21:]], 60)
    assert one.startswith("wave.0001-1521-") and len(one) < 60 and one != other


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_a_still_says_which_frame_of_what_it_is(tmp_path, kind):
    if kind == "exr" and not can_write_exr():
        pytest.skip("needs OpenEXR")
    pixels = np.zeros((4, 8, 3), np.float32)
    picture = Picture(pixels, pixels, samples=16)
    scene = SimpleNamespace(shot_name="wave", size="S", frame_rate=RATE, picture=SimpleNamespace(seed=7, exposure=1.0))
    still = stills_of([kind])[kind]
    assert isinstance(still, Still)
    with ShotFolder(tmp_path, {"shot": "wave", "size": "S", "samples": 16}) as folder:
        for frame in (3, 4):
            write = {kind: lambda path, frame=frame: still.write(picture, scene, frame, path)}
            folder.add(frame, "0" * 64, picture.digest, write)
        says = {kind: still.says}
        assert folder.finished(3, says) and folder.finished(4, says)
        # The same hash under another frame's name: what is in the file decides
        (tmp_path / folder.name(4, kind)).write_bytes((tmp_path / folder.name(3, kind)).read_bytes())
        files = folder.frames["4"]["files"]
        files[folder.name(4, kind)] = folder.frames["3"]["files"][folder.name(3, kind)]
        assert folder.finished(3, says) and not folder.finished(4, says)
        folder.header["size"] = "M"
        assert not folder.finished(3, says)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut", b"v/1\x01\x02\x00\x00\x00"])
def test_what_is_no_picture_says_nothing(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert [still.says(tmp_path / "a") for still in stills_of(["png", "exr"]).values()] == [{}, {}]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_part_leaves_the_movie_of_the_whole_as_it_was(tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="needs the extra 'movie' (imageio-ffmpeg)")
    shot, out = write_tiny_shot(tmp_path), tmp_path / "out"

    def movie(*more):
        words = ["render", str(shot), "--backend", "numba", "--threads", "1", "--out", str(out), "--format", "mp4"]
        done = CliRunner().invoke(main, [*words, *more])
        assert done.exit_code == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert movie() == f"movie    {out / 'pool.mp4'}"
    whole = (out / "pool.mp4").read_bytes()
    assert movie("--frames", "2") == f"movie    {out / 'pool.0002.mp4'}"
    assert (out / "pool.mp4").read_bytes() == whole
