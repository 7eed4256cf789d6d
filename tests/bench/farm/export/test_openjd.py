"""The OpenJD template: openjd-cli takes it and makes the shot; what a user wrote reaches a task as it was."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from bench.farm.export import export
from bench.pipeline.folder.shot_folder import parse_frames
from tests.bench.farm.export.made import NASTY, WORDS, entries, job, program, rendered_alone, tiny

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openjd") is None, reason="openjd-cli is not installed (extra dev)"
)


def openjd(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    programs = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
    env = {**os.environ, "PATH": programs, **more}
    return subprocess.run(["openjd", *words], env=env, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gpu": True, "threads": 4, "samples": 8},
        {"pieces": 24, "frames": [1, 2, 5, 9]},
        {"setup": ["module load x"]},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_openjd_takes_it(options: dict[str, Any], tmp_path: Path) -> None:
    made = job(tmp_path / NASTY, **options)
    for ending in ("json", "yaml"):
        path = tmp_path / f"job.{ending}"
        path.write_text(export(made, "openjd"))
        done = openjd("check", path)
        assert done.returncode == 0, done.stdout + done.stderr
    told = openjd("summary", path).stdout
    renders = len(made.frames) * max(1, len(made.tiles))
    assert "Total steps: 3\n" in told and f"Total tasks: {renders + 2}\n" in told, told


@pytest.mark.slow
def test_a_form_that_openjd_does_not_know_is_refused_by_it(tmp_path: Path) -> None:
    """The check can fail: without the extension chunks are unknown."""
    template = json.loads(export(job(), "openjd"))
    del template["extensions"]
    (tmp_path / "job.json").write_text(json.dumps(template))
    done = openjd("check", tmp_path / "job.json")
    assert done.returncode != 0 and "TASK_CHUNKING" in done.stdout + done.stderr


def test_hosts_need_what_was_asked_for_alone() -> None:
    def needs(**options: Any) -> list[Any]:
        return [step.get("hostRequirements") for step in json.loads(export(job(**options), "openjd"))["steps"]]

    gpu, cores = {"name": "amount.worker.gpu", "min": 1}, {"name": "amount.worker.vcpu", "min": 4}
    assert needs() == [None, None, None]
    assert needs(gpu=True) == [{"amounts": [gpu]}, {"amounts": [gpu]}, None]
    assert needs(threads=4) == [{"amounts": [cores]}] * 3


def resolved(text: str) -> list[list[str]]:
    """The words of every task, as openjd's own model makes them from the template."""
    from openjd.model import (
        StepParameterSpaceIterator,
        SymbolTable,
        create_job,
        decode_job_template,
        preprocess_job_parameters,
    )

    template = decode_job_template(template=json.loads(text), supported_extensions=["TASK_CHUNKING"])
    at = Path.cwd()
    values = preprocess_job_parameters(
        job_template=template, job_parameter_values={}, job_template_dir=at, current_working_dir=at
    )
    made = create_job(job_template=template, job_parameter_values=values)
    found = []
    for step in made.steps:
        for task in StepParameterSpaceIterator(space=step.parameterSpace):
            names = {f"Param.{name}": value.value for name, value in made.parameters.items()}
            names |= {f"Task.Param.{name}": value.value for name, value in task.items()}
            table = SymbolTable(source=names)
            action = step.script.actions.onRun
            found.append([word.resolve(symtab=table) for word in (action.command, *action.args)])
    return found


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(WORDS)
@hypothesis.example(NASTY)
@hypothesis.example("{{Param.Shot}}")
@hypothesis.example("{{")
@hypothesis.example("\ufeff\u00a0\u3000")
def test_no_folder_breaks_out_of_the_template(name: str) -> None:
    made = job(f"/{name}"[:300], frames=range(1, 8), chunk=3, pieces=2)
    simulate, *renders, assemble = resolved(export(made, "openjd"))
    assert simulate == ["shotmark", *made.simulate("1-7")]
    done = []
    for words in renders:
        frames, tile = words[words.index("--frames") + 1], words[words.index("--tile") + 1]
        assert words == ["shotmark", *made.render(frames, tile)]
        done += [(tile, frame) for frame in parse_frames(frames, 60)]
    assert sorted(done) == sorted((tile, frame) for tile in made.tiles for frame in range(1, 8))
    assert assemble == ["shotmark", *made.assemble("1-7")]


def test_frames_that_are_not_evenly_spaced_are_all_rendered() -> None:
    frames = [1, 2, 3, 5, 9, 13, 17, 30, 31, 40]
    _, *renders, _ = resolved(export(job(frames=frames, chunk=3), "openjd"))
    given = [words[words.index("--frames") + 1] for words in renders]
    assert sorted(frame for text in given for frame in parse_frames(text, 60)) == frames
    assert len(given) == 4


@pytest.mark.slow
@pytest.mark.parametrize("with_setup", [False, True], ids=["plain", "setup"])
def test_openjd_makes_the_shot(with_setup: bool, tmp_path: Path) -> None:
    """Chunks of frames, in a folder with a nasty name, end in the hashes of one thread; lines of a shell run first."""
    shot = tiny(tmp_path)
    out = tmp_path / NASTY / "out"
    last, setup = (1, [f"echo \"it's so\" >> '{tmp_path}/tried'", "cd /"]) if with_setup else (3, [])
    template = tmp_path / "job.json"
    made = job(out, str(shot), frames=range(1, last + 1), chunk=2, threads=1, setup=setup)
    template.write_text(export(made, "openjd"))
    path = os.pathsep.join((str(program(tmp_path)), sysconfig.get_path("scripts"), os.environ["PATH"]))
    alone = rendered_alone(shot, tmp_path / "alone", f"1-{last}")
    done = openjd("run", template, PATH=path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert entries(out) == alone
    if with_setup:
        assert (tmp_path / "tried").read_text() == "it's so\n" * 3
