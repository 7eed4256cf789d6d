"""The PyOutline script: the real package makes a job's specification of it, and a host's shell takes its commands."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import hypothesis
import hypothesis.strategies as st
import pytest

from bench.base.errors import UserError
from bench.farm.export import export
from bench.farm.export.opencue import NOT_QUOTED
from bench.pipeline.folder.shot_folder import parse_frames
from tests.bench.farm.export.made import NASTY, WORDS, entries, job, program, rendered_alone, tiny

# As nasty as OpenCue lets a folder be
QUIET = "".join(character for character in NASTY if character not in NOT_QUOTED)
SPECIFY = """
import runpy, sys
import outline.cuerun
job = runpy.run_path(sys.argv[1])["job"]
print(outline.cuerun.OutlineLauncher(job, user="somebody").serialize(use_pycuerun=False))
"""


with_pyoutline = pytest.mark.skipif(
    importlib.util.find_spec("outline") is None, reason="opencue-pyoutline is not installed (extra dev)"
)


def specified(text: str, home: Path) -> ElementTree.Element:
    """What the real PyOutline would send to Cuebot."""
    script = home / "job.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SPECIFY, script],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    spec = done.stdout[done.stdout.index("<") :]
    return ElementTree.fromstring(re.sub(r"<\?xml.*?\?>|<!DOCTYPE[^>]*>", "", spec))


@pytest.mark.slow
@with_pyoutline
def test_pyoutline_makes_a_job_of_it(tmp_path: Path) -> None:
    """Serialised for Cuebot, without one: three layers, the middle one by pieces, each after the last."""
    made = job(f"/{QUIET}", frames=range(1, 61, 3), pieces=2, chunk=5, gpu=True, threads=4, setup=["module load x"])
    spec = specified(export(made, "opencue"), tmp_path)
    layers = {layer.get("name"): layer for layer in spec.iter("layer")}
    assert list(layers) == ["simulate", "render0", "render1", "assemble"]

    def told(name: str, *keys: str) -> list[str | None]:
        return [layers[name].findtext(key) for key in keys]

    assert told("simulate", "range", "chunk", "cores", "gpus") == ["1", "1", "4.0", "1"]
    assert told("render0", "range", "chunk", "cores", "gpus") == ["1-58x3", "5", "4.0", "1"]
    assert told("assemble", "range", "chunk", "cores", "gpus") == ["1", "1", "4.0", None]
    before = ["sh", "-c", 'module load x; exec "$0" "$@"', "shotmark"]
    frames = "#FRAME_START#-#FRAME_END#:3"
    assert {name: shlex.split(told(name, "cmd")[0] or "") for name in layers} == {
        "simulate": [*before, *made.simulate("1-58:3")],
        "render0": [*before, *made.render(frames, made.tiles[0])],
        "render1": [*before, *made.render(frames, made.tiles[1])],
        "assemble": [*before, *made.assemble("1-58:3")],
    }
    depends = [tuple(d.findtext(key) for key in ("deplayer", "onlayer")) for d in spec.iter("depend")]
    assert {d.get("type") for d in spec.iter("depend")} == {"LAYER_ON_LAYER"}
    assert sorted(depends) == [  # type: ignore[type-var]
        ("assemble", "render0"), ("assemble", "render1"), ("render0", "simulate"), ("render1", "simulate"),
    ]  # fmt: skip


@pytest.mark.slow
@with_pyoutline
def test_its_commands_make_the_shot(tmp_path: Path) -> None:
    """Each command of the specification run by a shell, layer after layer, with frames in place of Cuebot's tokens."""
    shot = tiny(tmp_path, QUIET)
    out = tmp_path / QUIET / "out"
    made = job(out, str(shot), frames=range(1, 4), chunk=2, threads=1, setup=[f'echo "$0" >> "{tmp_path}/tried"'])
    spec = specified(export(made, "opencue"), tmp_path)
    alone = rendered_alone(shot, tmp_path / "alone", "1-3")
    env = {**os.environ, "PATH": f"{program(tmp_path)}{os.pathsep}{os.environ['PATH']}"}
    for layer in spec.iter("layer"):
        command, chunk = layer.findtext("cmd") or "", int(layer.findtext("chunk") or 0)
        frames = parse_frames(layer.findtext("range") or "", 60)
        for start in range(0, len(frames), chunk):
            part = frames[start : start + chunk]
            line = command.replace("#FRAME_START#", str(part[0])).replace("#FRAME_END#", str(part[-1]))
            subprocess.run(["sh", "-c", line], env=env, check=True, capture_output=True, timeout=300)
    assert entries(out) == alone
    assert (tmp_path / "tried").read_text() == "shotmark\n" * 4


def commands(text: str) -> list[list[str]]:
    """The words of each layer's command, from the script run beside a PyOutline that only listens."""
    heard = []

    class Shell:
        def __init__(self, name: str, command: list[str], **options: Any) -> None:
            heard.append(command)

        def depend_all(self, other: object) -> None:
            assert isinstance(other, Shell)

    fake, modules, shell = ModuleType("outline"), ModuleType("outline.modules"), ModuleType("outline.modules.shell")
    fake.Outline = lambda name, current: name  # type: ignore[attr-defined]
    shell.Shell = Shell  # type: ignore[attr-defined]
    found = {"outline": fake, "outline.cuerun": fake, "outline.modules": modules, "outline.modules.shell": shell}
    before = {name: sys.modules.get(name) for name in found}
    sys.modules.update(found)
    try:
        exec(compile(text, "job.py", "exec"), {"__name__": "job"})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return heard


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(WORDS)
@hypothesis.example(NASTY)
@hypothesis.example(QUIET)
@hypothesis.example('"]); exit(9) #'[:-2])
@hypothesis.example('"""')
def test_no_folder_breaks_out_of_the_script(name: str) -> None:
    """What is not refused in one line reaches a shell as one word, with nothing in it for a shell or Cuebot to see."""
    made = job(f"/{name}", frames=range(1, 8), chunk=3)
    try:
        text = export(made, "opencue")
    except UserError as error:
        assert set(name) & set(NOT_QUOTED) and "\\n" not in str(error)
        return
    simulate, render, assemble = commands(text)
    assert text.isascii()
    assert shlex.split(" ".join(simulate)) == ["shotmark", *made.simulate("1-7")]
    assert shlex.split(" ".join(render)) == ["shotmark", *made.render("#FRAME_START#-#FRAME_END#")]
    assert shlex.split(" ".join(assemble)) == ["shotmark", *made.assemble("1-7")]


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.lists(st.text("abc '\"$`#!{}()&;|\\\\", min_size=1), max_size=3))
def test_no_setup_breaks_out_of_the_script(setup: list[str]) -> None:
    made = job("/out", frames=[1], setup=setup)
    try:
        (simulate, *_) = commands(export(made, "opencue"))
    except UserError:
        return
    words = shlex.split(" ".join(simulate))
    assert words[-len(made.simulate("1")) :] == made.simulate("1")
    assert words[: -len(made.simulate("1"))] == (
        ["sh", "-c", "; ".join((*made.setup, 'exec "$0" "$@"')), "shotmark"] if made.setup else ["shotmark"]
    )


@pytest.mark.parametrize(
    ("frames", "chunk", "token", "size"),
    [
        (range(1, 61), None, "#FRAME_START#-#FRAME_END#", 4),
        (range(1, 61), 1, "#IFRAME#", 1),
        (range(2, 61, 5), 3, "#FRAME_START#-#FRAME_END#:5", 3),
        ([7], 9, "#IFRAME#", 1),
        ([1, 2, 9], None, "#IFRAME#", 1),
    ],
)
def test_frames_are_said_in_cuebot_s_tokens(frames: Any, chunk: int | None, token: str, size: int) -> None:
    """Cuebot puts the first and the last frame of a chunk there; ``render`` takes what comes of it."""
    text = export(job(frames=frames, chunk=chunk), "opencue")
    (_, render, _) = commands(text)
    assert render[render.index("--frames") + 1] == token and f"chunk={size}," in text
    listed = list(frames)
    for start in range(0, len(listed), size):
        part = listed[start : start + size]
        given = token.replace("#IFRAME#", str(part[0])).replace("#FRAME_START#", str(part[0]))
        assert parse_frames(given.replace("#FRAME_END#", str(part[-1])), 60) == part
