"""The steps of a shot as command lines, before any form of a farm has written them down."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.errors import UserError
from bench.pipeline.folder.rows import frames_text
from bench.pipeline.parts import tiles
from bench.shot.load import Shot, shot_names, shown

SETUP_BYTES_MAX = 16_000
CHUNK = 4  # frames of a task where nobody said
PROGRAM = "shotmark"
# Unicode's categories of what no command line of a person holds: control characters, halves of pairs, separators of
# lines, what stands for nothing
NO_TEXT = ("Cc", "Cs", "Zl", "Zp", "Cn")


@dataclass(frozen=True)
class ExportedJob:
    """A shot that a farm makes: what each step needs to know."""

    shot: str  # a name that ships, or an absolute path
    name: str  # as the shot's file says
    size: str
    frames: Sequence[int]  # in order
    formats: str  # of --format
    samples: int | None  # per pixel; None: the size's
    out: str  # absolute path of the shot folder, which every machine sees
    chunk: int | None  # frames a task; None: as the form likes
    tiles: Sequence[str]  # X0,Y0,X1,Y1 of each piece of a frame; none: a frame is one piece
    gpu: bool  # whether simulating and rendering need a GPU
    threads: int | None  # CPU threads of a task; None: all that it may use
    setup: Sequence[str]  # lines of a shell that a task runs first

    @property
    def title(self) -> str:
        """``wave-L``: letters, digits, ``_`` and ``-`` alone, as the rules for a shot's name have it."""
        return f"{self.name}-{self.size}"

    @property
    def frames_text(self) -> str:
        return frames_text(self.frames)

    def task(self, frames: str, gpu: bool, *more: str) -> list[str]:
        """Words of one task after the program's name."""
        words = ["render", self.shot, "--size", self.size, "--out", self.out, "--frames", frames]
        words += ["--format", self.formats]
        if self.samples is not None:
            words += ["--samples", str(self.samples)]
        if self.threads is not None:
            words += ["--threads", str(self.threads)]
        # A task that was given no GPU takes none: it would be somebody else's
        return [*words, "--backend", "cupy" if gpu else "numba", *more]

    def simulate(self, frames: str) -> list[str]:
        return self.task(frames, self.gpu, "--states-only")

    def render(self, frames: str, tile: str = "") -> list[str]:
        return self.task(frames, self.gpu, "--from-states", *(("--tile", tile) if tile else ()))

    def assemble(self, frames: str) -> list[str]:
        return self.task(frames, False, "--assemble")


def job_of(
    loaded: Shot,
    given: str,
    size: str,
    frames: Sequence[int],
    formats: Sequence[str],
    out: Path,
    *,
    samples: int | None = None,
    chunk: int | None = None,
    pieces: int = 1,
    gpu: bool = False,
    threads: int | None = None,
    setup: Sequence[str] = (),
) -> ExportedJob:
    """The job of a loaded shot that was ``given`` by name or path. Raises UserError."""
    picture = loaded.size(size)
    if threads is not None and threads < 1:
        raise UserError(f"--threads: expected at least 1, got {threads}")
    shot = given if given in shot_names() else os.path.abspath(given)
    folder = os.path.abspath(out)
    for option, text in (("SHOT", shot), ("--out", folder)):
        require_text(option, text)
    setup = [line for text in setup for line in text.splitlines() if line.strip()]
    for line in setup:
        require_text("--setup", line.replace("\t", " "))
    if sum(len(line.encode()) for line in setup) > SETUP_BYTES_MAX:
        raise UserError(f"--setup: expected at most {SETUP_BYTES_MAX} bytes, got more; put them into a script")
    windows = tiles(picture.width, picture.height, pieces) if pieces > 1 else []
    return ExportedJob(
        shot=shot,
        name=loaded.name,
        size=size,
        frames=frames,
        formats=",".join(formats),
        samples=samples,
        out=folder,
        chunk=chunk,
        tiles=[",".join(map(str, window)) for window in windows] if len(windows) > 1 else [],
        gpu=gpu,
        threads=threads,
        setup=setup,
    )


def require_text(option: str, text: str) -> None:
    """Raise UserError where a text cannot stand on a line of a script, or in a template."""
    if any(unicodedata.category(character) in NO_TEXT for character in text):
        raise UserError(f"{option}: expected characters that can be printed, on one line, not {shown(text)!r}")


def chunks_of(frames: Sequence[int], size: int) -> list[str]:
    """Frames of each task, ``size`` of them, as ``--frames`` takes them."""
    return [frames_text(frames[start : start + size]) for start in range(0, len(frames), size)]


def lines_of(words: Sequence[str], width: int) -> list[str]:
    """Words put together to lines of about so many characters."""
    lines, length = [[]], 0  # type: list[list[str]], int
    for word in words:
        if lines[-1] and length + 1 + len(word) > width:
            lines.append([])
            length = 0
        lines[-1].append(word)
        length += 1 + len(word)
    return [" ".join(line) for line in lines if line]
