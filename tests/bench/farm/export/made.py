"""Jobs to export, and what shows that a farm has made them right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st

from bench.farm.export.job import ExportedJob, job_of
from bench.shot.load import load_shot
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

# What breaks out of quotes, of a template, of a token, of an option
NASTY = 'o u\'t/"$HOME" `id` $(id) \\ {{Param.Out}} {out} %j #IFRAME# !! ;&|<>*?~ -x ü 山'
# No separators of folders, none of what is refused anyway
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="/"), min_size=1)


def job(folder: Path | str = "x", shot: str = "wave", **options: Any) -> ExportedJob:
    frames = options.pop("frames", range(1, 61))
    return job_of(load_shot(shot), shot, options.pop("size", "S"), list(frames), ["png"], Path(folder), **options)


def program(folder: Path) -> Path:
    """A folder for PATH in which ``shotmark`` is this checkout's, for jobs that run elsewhere."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "shotmark").write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m bench "$@"\n')
    (programs / "shotmark").chmod(0o755)
    return programs


def tiny(folder: Path, name: str = NASTY) -> Path:
    """The tiny shot, in a folder whose name is made to break things."""
    at = folder / name
    at.mkdir(parents=True)
    return write_tiny_shot(at)


def entries(out: Path) -> dict[str, tuple[str, str, dict[str, str]]]:
    """State, picture and files of each frame, by SHA-256."""
    frames = json.loads((out / "manifest.json").read_text())["frames"]
    return {name: (frame["state_sha256"], frame["picture_sha256"], frame["files"]) for name, frame in frames.items()}


def rendered_alone(shot: Path, out: Path, frames: str) -> dict[str, tuple[str, str, dict[str, str]]]:
    """The frames made in one go on one thread."""
    subprocess.run(
        [sys.executable, "-m", "bench", "render", shot, "--out", out, "--frames", frames]
        + ["--backend", "numba", "--threads", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        timeout=300,
    )
    return entries(out)
