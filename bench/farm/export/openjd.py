"""A shot as an Open Job Description template (jobtemplate-2023-09 with TASK_CHUNKING): AWS Deadline Cloud and others.

JSON, which is YAML too. What a user wrote stands in the defaults of parameters, in which nothing is looked for. Steps
wait for each other: rendering begins when the whole simulation has ended.
"""

from __future__ import annotations

import json
from dataclasses import replace

from bench.base.errors import UserError
from bench.farm.export.job import CHUNK, PROGRAM, ExportedJob
from bench.shot.load import shown

LENGTH_MAX = 1024  # of a parameter's value
TILES_MAX = 1024
NOTICE_S = 120  # from SIGTERM to SIGKILL
SHELL = """#!/bin/sh
{setup}
exec {program} "$@"
"""


def write(job: ExportedJob) -> str:
    """The template. Raises UserError where OpenJD cannot say it."""
    for option, text in (("SHOT", job.shot), ("--out", job.out), ("--frames", job.frames_text)):
        if len(text) > LENGTH_MAX:
            raise UserError(f"{option}: OpenJD takes {LENGTH_MAX} characters, got {len(text)}")
    if len(job.tiles) > TILES_MAX:
        raise UserError(f"--pieces: OpenJD takes {TILES_MAX} tiles, got {len(job.tiles)}")
    for line in job.setup:
        if "{{" in line or "}}" in line:
            raise UserError(
                f"--setup: OpenJD takes {{{{ and }}}} for its own, got {shown(line)!r}; put it into a script"
            )
    named, frames = replace(job, shot="{{Param.Shot}}", out="{{Param.Out}}"), "{{Param.Frames}}"
    tile = "{{Task.Param.Tile}}" if job.tiles else ""
    space: list[dict[str, object]] = [
        {
            "name": "Frame",
            "type": "CHUNK[INT]",
            "range": frames,
            "chunks": {"defaultTaskCount": "{{Param.ChunkSize}}", "rangeConstraint": "NONCONTIGUOUS"},
        }
    ]
    if job.tiles:
        space.append({"name": "Tile", "type": "STRING", "range": list(job.tiles)})
    simulate = _step(job, "Simulate", named.simulate(frames), gpu=job.gpu)
    render = _step(job, "Render", named.render("{{Task.Param.Frame}}", tile), gpu=job.gpu, after="Simulate")
    render["parameterSpace"] = {"taskParameterDefinitions": space}
    template = {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": f"shotmark {job.title}",
        "description": "Made by `shotmark farm export --to openjd`: simulate, render, assemble.",
        "parameterDefinitions": [
            _text("Shot", job.shot, "A shot that ships, or the absolute path of its file."),
            _text("Out", job.out, "Absolute path of the shot folder, which every machine sees."),
            _text("Frames", job.frames_text, "Such as 1-60, 1,5,10-20 or 1-60:4."),
            {
                "name": "ChunkSize",
                "type": "INT",
                "minValue": 1,
                "default": job.chunk or CHUNK,
                "description": "Frames of one task.",
            },
        ],
        "steps": [simulate, render, _step(job, "Assemble", named.assemble(frames), after="Render")],
    }
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def _text(name: str, default: str, description: str) -> dict[str, object]:
    return {"name": name, "type": "STRING", "minLength": 1, "default": default, "description": description}


def _step(job: ExportedJob, name: str, words: list[str], gpu: bool = False, after: str = "") -> dict[str, object]:
    """A step; hosts need what was asked for alone."""
    command: dict[str, object] = {"command": PROGRAM, "args": words}
    script: dict[str, object] = {"actions": {"onRun": command}}
    if job.setup:
        script["embeddedFiles"] = [
            {
                "name": "Run",
                "type": "TEXT",
                "runnable": True,
                "data": SHELL.format(setup="\n".join(job.setup), program=PROGRAM),
            }
        ]
        command |= {"command": "{{Task.File.Run}}"}
    command["cancelation"] = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTICE_S}
    step: dict[str, object] = {"name": name, "script": script}
    if after:
        step["dependencies"] = [{"dependsOn": after}]
    amounts = [("amount.worker.gpu", 1)] if gpu else []
    if job.threads is not None:
        amounts.append(("amount.worker.vcpu", job.threads))
    if amounts:
        step["hostRequirements"] = {"amounts": [{"name": key, "min": least} for key, least in amounts]}
    return step
