"""What a picture file says about itself, and the formats that ``render`` writes: PNG and EXR stills, an MP4 movie."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import __version__
from bench.base.errors import UserError
from bench.base.files import whole_file
from bench.pipeline.folder import image
from bench.pipeline.folder.frame_folder import FrameFolder, Says
from bench.pipeline.folder.rows import rows_of
from bench.pipeline.frame import MOVIE, STILLS, Picture
from bench.pipeline.scene.build import Scene

ABOUT = "shotmark."  # what the names of our attributes begin with
MOVIE_FRAMES_LENGTH_MAX = 60  # of a movie's name, the part that says which frames it has
MOVIE_INSTALL = "mp4 needs imageio-ffmpeg: pip install 'shotmark[movie]'"

Writer = Callable[[Picture, Scene, int, Path], None]  # picture, scene, frame, path


@dataclass(frozen=True)
class Still:
    """One format of pictures."""

    write: Writer
    says: Says  # what such a file says of its picture


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
    about: dict[str, str | int] = {
        "shot": scene.shot_name,
        "size": scene.size,
        "frame": frame,
        "seed": scene.picture.seed,
        "samples": picture.samples,
        "sha256": picture.digest,
    }
    return {"software": f"Shotmark {__version__}", **{f"{ABOUT}{name}": value for name, value in about.items()}}


def write_png(picture: Picture, scene: Scene, frame: int, path: Path) -> None:
    """PNG for looking, with the shot's exposure."""
    text = {name: str(value) for name, value in attributes(picture, scene, frame).items()}
    image.write_png(path, picture.rgb, scene.picture.exposure, text)


def write_exr(picture: Picture, scene: Scene, frame: int, path: Path) -> None:
    """Linear EXR with the variance of the mean."""
    about = {**attributes(picture, scene, frame), "imageCounter": frame}
    image.write_exr(path, picture.rgb, picture.variance, about, scene.frame_rate)


def png_says(path: Path) -> dict[str, object]:
    """Our attributes of a PNG file; none where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            return _ours(picture.info)
    except Exception:  # anybody may have written it
        return {}


def exr_says(path: Path) -> dict[str, object]:
    """Our attributes of an EXR file; none where it cannot be read."""
    try:
        import OpenEXR

        return _ours(OpenEXR.File(str(path), header_only=True).header())
    except Exception:  # anybody may have written it
        return {}


def _ours(found: Mapping[Any, object]) -> dict[str, object]:
    return {name.removeprefix(ABOUT): value for name, value in found.items() if str(name).startswith(ABOUT)}


def stills_of(kinds: Sequence[str]) -> dict[str, Still]:
    """What writes and reads each still format."""
    known = {"png": Still(write_png, png_says), "exr": Still(write_exr, exr_says)}
    return {kind: known[kind] for kind in kinds if kind in known}


def movie_name(shot: str, frames: Sequence[int], last: int) -> str:
    """``wave.mp4`` for the whole shot; a part has its frames in its name, so that it never replaces the whole."""
    whole = list(frames) == list(range(1, last + 1))
    return f"{shot}.{MOVIE}" if whole else f"{shot}.{frames_text(frames)}.{MOVIE}"


def frames_text(frames: Sequence[int]) -> str:
    """``0001-0010+0020+0030-0060x5``: frames in order as a part of a file's name; a very long one is a hash."""
    parts = []
    for row in rows_of(frames):
        step = f"x{row.step}" if row.step > 1 else ""
        parts.append(f"{row[0]:04d}" if len(row) == 1 else f"{row[0]:04d}-{row[-1]:04d}{step}")
    text = "+".join(parts)
    if len(text) <= MOVIE_FRAMES_LENGTH_MAX:
        return text
    return f"{frames[0]:04d}-{frames[-1]:04d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def write_movie(shot_folder: FrameFolder, name: str, frames: Sequence[int], frame_rate: float) -> Path:
    """H.264 movie of the PNG frames, written whole or not at all. Raises UserError without the encoder."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UserError(MOVIE_INSTALL) from None
    from PIL import Image

    path = shot_folder.folder / name
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
