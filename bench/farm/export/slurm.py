"""A shot as one bash script for Slurm: it queues itself three times, a job, an array and a job, each after the last.

What a user wrote stands in it quoted, after the lines that sbatch reads options from. A job is told before its time
ends (``--signal``): it keeps what it has, ends, and is queued again. A task that dies is tried again where it is.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from bench.base.errors import UserError
from bench.farm.export.job import CHUNK, PROGRAM, ExportedJob, chunks_of, lines_of
from bench.shot.load import shown

ARRAY_MAX = 1001  # elements: MaxArraySize of slurm.conf where nobody changed it
TOLD_BEFORE_S = 120
ATTEMPTS = 3  # of a task that dies
RESTARTS_MAX = 50  # of a job whose time ends
OF_LOGS = "%\\"  # of --output, and of the folder that it lies in
LINE = 100

SCRIPT = """\
#!/bin/bash
# {title}, {frames} frames, on Slurm. Written by `shotmark farm export --to slurm`.
#   bash THIS_FILE [options of sbatch, as --partition=gpu --time=4:00:00 --mem=16G]
# queues three jobs: simulate, render (an array of {elements}), assemble. Queued again it goes on where it was.
# Logs lie in the folder logs of the shot folder.
#SBATCH --job-name={title}
#SBATCH --signal=B:USR1@{told}
#SBATCH --requeue
#SBATCH --open-mode=append
set -eu

out={out}
chunks=(
{chunks}
)
tiles=(
{tiles}
)

# A job's surroundings: lines of --setup
prepare() {{
	:
{setup}
}}

told= child=
trap 'told=time; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :' USR1
trap 'told=stop; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :' TERM

# Do a task; one that dies is tried again. Time that ends queues the job again: the task has kept what it had.
run() {{
	local attempt status=143
	for attempt in {{1..{attempts}}}; do
		[ -z "$told" ] || break
		{program} "$@" &
		child=$!
		wait "$child" || :
		while kill -0 "$child" 2>/dev/null; do wait "$child" || :; done  # a signal ends a wait, not the task
		status=0
		wait "$child" || status=$?
		[ "$status" -ge 128 ] || break  # it said itself what is wrong, or all is well
		[ -n "$told" ] || echo "attempt $attempt of {attempts} ended with $status" >&2
	done
	if [ "$told" = time ] && [ "$status" -ge 128 ]; then
		if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {restarts} ]; then
			echo "its time has ended {restarts} times: give it more with --time" >&2
			exit "$status"
		fi
		scontrol requeue "$SLURM_JOB_ID"
	fi
	exit "$status"
}}

case ${{1-}} in
task:simulate | task:render | task:assemble)
	set +u
	prepare
	set -u
	;;
*)
	mkdir -p "$out/logs"
	queue() {{  # name of the logs, options, step
		job=$(sbatch --parsable --chdir="$out/logs" --kill-on-invalid-dep=yes --output="$@")
		job=${{job%%;*}}  # a cluster's name may follow
		step=${{!#}}
		echo "${{step#task:}} $job"
	}}
	queue simulate-%j.log{needs} "$@" "$0" task:simulate
	queue render-%A_%a.log --dependency="afterok:$job" --array=0-{last}{needs} "$@" "$0" task:render
	queue assemble-%j.log --dependency="afterok:$job"{cores} "$@" "$0" task:assemble
	exit
	;;
esac

case $1 in
task:simulate)
	run {simulate}
	;;
task:render)
	chunk=${{chunks[SLURM_ARRAY_TASK_ID / {pieces}]}}
	tile=${{tiles[SLURM_ARRAY_TASK_ID % {pieces}]-}}
	run {render}
	;;
task:assemble)
	run {assemble}
	;;
esac
"""


def write(job: ExportedJob) -> str:
    """The script. Raises UserError where Slurm cannot do it."""
    for sign in OF_LOGS:
        if sign in job.out:
            raise UserError(f"--out: Slurm takes {sign} in a log's path for its own, got {shown(job.out)!r}")
    pieces = max(1, len(job.tiles))
    chunks = chunks_of(job.frames, _chunk(job, pieces))
    elements = len(chunks) * pieces
    cores = f" --cpus-per-task={job.threads}" if job.threads is not None else ""
    named = replace(job, out=OUT)
    return SCRIPT.format(
        title=job.title,
        frames=len(job.frames),
        elements=elements,
        last=elements - 1,
        pieces=pieces,
        told=TOLD_BEFORE_S,
        attempts=ATTEMPTS,
        restarts=RESTARTS_MAX,
        program=PROGRAM,
        out=shlex.quote(job.out),
        chunks="\n".join(f"\t{line}" for line in lines_of(chunks, LINE)),
        tiles="\n".join(f"\t{line}" for line in lines_of(job.tiles, LINE)),
        setup="\n".join(f"\t{line}" for line in job.setup),
        needs=cores + (" --gres=gpu:1" if job.gpu else ""),
        cores=cores,
        simulate=_quoted(named.simulate(job.frames_text)),
        render=_quoted(named.render(FRAMES, TILE if job.tiles else "")),
        assemble=_quoted(named.assemble(job.frames_text)),
    )


OUT, FRAMES, TILE = "\0out", "\0chunk", "\0tile"  # variables of the script: no text of a user holds a NUL


def _quoted(words: list[str]) -> str:
    return " ".join(f'"${word[1:]}"' if word.startswith("\0") else shlex.quote(word) for word in words)


def _chunk(job: ExportedJob, pieces: int) -> int:
    """Frames of one element: as asked, else more where an array has no room for so many elements."""
    if pieces > ARRAY_MAX:
        raise UserError(f"--pieces: Slurm takes {ARRAY_MAX} elements in an array, got {pieces} tiles")
    fewest = -(-len(job.frames) // (ARRAY_MAX // pieces))
    if job.chunk is None:
        return max(CHUNK, fewest)
    if job.chunk < fewest:
        raise UserError(
            f"--chunk: expected at least {fewest} for {len(job.frames)} frames in {pieces} pieces, got {job.chunk}: "
            f"Slurm takes {ARRAY_MAX} elements in an array"
        )
    return job.chunk
