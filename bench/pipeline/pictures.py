"""What a picture file says about itself, and the formats that ``render`` writes: PNG and EXR stills, an MP4 movie."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench import __version__
from bench.base.errors import UserError
from bench.base.files import whole_file
from bench.pipeline import image
from bench.pipeline.frame import MOVIE, STILLS, Picture
from bench.pipeline.scene.build import Scene
from bench.pipeline.shot_folder import ShotFolder

MOVIE_INSTALL = "mp4 needs imageio-ffmpeg: pip install 'shotmark[movie]'"

Writer = Callable[[Picture, Scene, int, Path], None]  # picture, scene, frame, path


def read_formats(text: str) -> tuple[str, ...]:
    """``png,exr,mp4`` -> formats that can be written here; a movie brings its PNG frames. Raises UserError."""
    kinds = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    unknown = [kind for kind in kinds if kind not in (*STILLS, MOVIE)]
    if unknown or not kinds:
        raise UserError(f"--format: expected some of {', '.join((*STILLS, MOVIE))}, not {text!r}")
    if "exr" in kinds and not can_write_exr():
        raise UserError(f"--format: {image.EXR_INSTALL}")
    if MOVIE in kinds:
        if importlib.util.find_spec("imageio_ffmpeg") is None:
            raise UserError(f"--format: {MOVIE_INSTALL}")
        kinds = list(dict.fromkeys(["png", *kinds]))
    return tuple(kinds)


def can_write_exr() -> bool:
    """Whether OpenEXR is installed."""
    return importlib.util.find_spec("OpenEXR") is not None


def attributes(picture: Picture, scene: Scene, frame: int) -> dict[str, str | int]:
    """What a file says about its picture: enough to make it again and to prove that it is the same."""
    return {
        "software": f"Shotmark {__version__}",
        "shotmark.shot": scene.shot_name,
        "shotmark.size": scene.size,
        "shotmark.frame": frame,
        "shotmark.seed": scene.picture.seed,
        "shotmark.samples": picture.samples,
        "shotmark.sha256": picture.digest,
    }


def write_png(picture: Picture, scene: Scene, frame: int, path: Path) -> None:
    """PNG for looking, with the shot's exposure."""
    text = {name: str(value) for name, value in attributes(picture, scene, frame).items()}
    image.write_png(path, picture.rgb, scene.picture.exposure, text)


def write_exr(picture: Picture, scene: Scene, frame: int, path: Path) -> None:
    """Linear EXR with the variance of the mean."""
    about = {**attributes(picture, scene, frame), "imageCounter": frame}
    image.write_exr(path, picture.rgb, picture.variance, about, scene.frame_rate)


def writers_of(kinds: Sequence[str]) -> dict[str, Writer]:
    """Writer of each still format."""
    known: dict[str, Writer] = {"png": write_png, "exr": write_exr}
    return {kind: known[kind] for kind in kinds if kind in known}


def write_movie(shot_folder: ShotFolder, frames: Sequence[int], frame_rate: float) -> Path:
    """H.264 movie of the PNG frames, written whole or not at all. Raises UserError without the encoder."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UserError(MOVIE_INSTALL) from None
    from PIL import Image

    path = shot_folder.folder / f"{shot_folder.header['shot']}.{MOVIE}"
    with whole_file(path, suffix=path.suffix) as temporary:
        encoder = None
        for frame in frames:
            with Image.open(shot_folder.folder / shot_folder.name(frame, "png")) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            # H.264 with 4:2:0 colour wants even edges.
            pixels = np.ascontiguousarray(pixels[: pixels.shape[0] & ~1, : pixels.shape[1] & ~1])
            if encoder is None:
                size = (pixels.shape[1], pixels.shape[0])
                encoder = imageio_ffmpeg.write_frames(
                    str(temporary), size, fps=frame_rate, quality=8, macro_block_size=2, ffmpeg_log_level="error"
                )
                encoder.send(None)
            encoder.send(pixels)
        if encoder is not None:
            encoder.close()
    return path
