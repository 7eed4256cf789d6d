"""A shot as a PyOutline script: ``python FILE`` launches it on OpenCue.

Cuebot hands a layer's command to a shell of the host, and puts frame numbers in place of its tokens (``#IFRAME#``). So
what a user wrote stands between single quotes, which are the same in every shell, and may hold neither these nor what a
shell or Cuebot takes for its own in spite of them. The simulation is one frame of a layer: PyOutline drops a layer's
dependency on itself, and simulating from several frames at once would only wait.
"""

from __future__ import annotations

from bench.base.errors import UserError
from bench.farm.export.job import CHUNK, PROGRAM, ExportedJob
from bench.pipeline.folder.rows import frames_text, rows_of
from bench.shot.load import shown

SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
NOT_QUOTED = "'!#\\"

SCRIPT = '''\
#!/usr/bin/env python3
"""{title}, {frames} frames, on OpenCue: `python THIS_FILE` launches it. Written by `shotmark farm export --to opencue`.

Hosts need the program {program}, not PyOutline: the job has its commands as they are.
"""

import outline
import outline.cuerun
from outline.modules.shell import Shell

job = outline.Outline({title!r}, current=True)

simulate = Shell(
    "simulate",
    command={simulate},
    range="1"{needs},
)
renders = []
for number, command in enumerate({renders}):
    render = Shell(
        "render%d" % number,
        command=command,
        range={range!r},
        chunk={chunk}{needs},
    )
    render.depend_all(simulate)
    renders.append(render)
assemble = Shell(
    "assemble",
    command={assemble},
    range="1"{cores},
)
for render in renders:
    assemble.depend_all(render)

if __name__ == "__main__":
    outline.cuerun.launch(job, use_pycuerun=False)
'''


def write(job: ExportedJob) -> str:
    """The script. Raises UserError where OpenCue cannot say it."""
    frames, chunk = _frames_of_a_task(job)
    cores = f", threads={job.threads}" if job.threads is not None else ""
    return SCRIPT.format(
        title=job.title,
        frames=len(job.frames),
        program=PROGRAM,
        range=frames_text(job.frames, "x"),
        chunk=chunk,
        simulate=_words(job, job.simulate(job.frames_text)),
        renders=_listed([_words(job, job.render(frames, tile), frames) for tile in job.tiles or ("",)]),
        assemble=_words(job, job.assemble(job.frames_text)),
        needs=cores + (", gpus=1" if job.gpu else ""),
        cores=cores,
    )


def _listed(commands: list[str]) -> str:
    return "[\n" + "".join(f"    {command},\n" for command in commands) + "]"


def _frames_of_a_task(job: ExportedJob) -> tuple[str, int]:
    """What ``--frames`` of a task is, in Cuebot's tokens, and how many frames that are.

    Cuebot writes a chunk that is no plain row in its own way: only evenly spaced frames go in chunks.
    """
    rows = rows_of(job.frames)
    if len(job.frames) == 1 or (len(rows) > 1 and job.chunk in (None, 1)) or job.chunk == 1:
        return "#IFRAME#", 1
    if len(rows) > 1:
        raise UserError(
            f"--chunk: OpenCue takes chunks of evenly spaced frames alone, not of {shown(job.frames_text)!r}; "
            "leave --chunk out"
        )
    step = rows[0].step
    return "#FRAME_START#-#FRAME_END#" + (f":{step}" if step > 1 else ""), job.chunk or CHUNK


def _words(job: ExportedJob, words: list[str], tokens: str = "") -> str:
    """A command as a list in Python, each word as the host's shell shall see it; ``tokens`` are Cuebot's to replace."""
    before = [PROGRAM]
    if job.setup:
        before = ["sh", "-c", "; ".join((*job.setup, 'exec "$0" "$@"')), PROGRAM]
    return ascii([word if word == tokens else _quoted(word) for word in (*before, *words)])


def _quoted(word: str) -> str:
    if SAFE.issuperset(word):
        return word
    wrong = [character for character in NOT_QUOTED if character in word]
    if wrong:
        raise UserError(
            f"{shown(word)}: OpenCue hands commands to a shell of the host, which takes {wrong[0]} for its own even "
            "between quotes; choose another path, or put --setup into a script"
        )
    return f"'{word}'"
