"""Faults for a farm on the emulated Slurm: ``python -m tests.farm_nodes.faults --every 20 --drain gb2 --after 30``.

Kills a random worker time and again, as a kernel does that is short of memory; takes nodes away once. A worker is a
process of a job that has Numba's compiler loaded: one that makes frames, not one that waits or hands out. Each fault is
a JSON line on standard output. It ends after ``--seconds``, by Ctrl-C, or when it is told to (SIGTERM).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.farm_nodes.slurm import Slurm, descendants

COMPILER = "llvmlite"


def workers(slurm: Slurm) -> list[psutil.Process]:
    """Processes of jobs that make frames just now, by process id; not those that such a one began to help it."""
    found = {}
    for process in descendants(slurm.steps()):
        with contextlib.suppress(psutil.Error, OSError):
            if COMPILER in Path(f"/proc/{process.pid}/maps").read_text():
                found[process.pid] = (process, process.ppid())
    return [process for pid, (process, parent) in sorted(found.items()) if parent not in found]


def kill_one(slurm: Slurm, rng: random.Random) -> dict[str, object] | None:
    """Kill one worker; says which, or None where there was none."""
    found = workers(slurm)
    if not found:
        return None
    process = rng.choice(found)
    with contextlib.suppress(psutil.Error):
        node = process.environ().get("SLURMD_NODENAME")
        process.kill()
        return {"fault": "kill", "node": node, "pid": process.pid}
    return None


def take_away(slurm: Slurm, node: str, state: str) -> dict[str, object]:
    """``drain``: what runs there ends, nothing begins. ``down``: what runs there is killed, and queued again."""
    slurm.run("scontrol", "update", f"nodename={node}", f"state={state}", "reason=a test of the farm")
    return {"fault": state, "node": node}


def give_back(slurm: Slurm, node: str) -> None:
    """Let a node that was taken away work again."""
    with contextlib.suppress(RuntimeError):  # it came back by itself
        slurm.run("scontrol", "update", f"nodename={node}", "state=resume")


def faults(
    slurm: Slurm,
    every_s: float | None,
    taken: dict[str, str],
    after_s: float,
    rng: random.Random,
    seconds: float = float("inf"),
    nap_s: float = 0.2,
) -> Iterator[dict[str, object]]:
    """Do what is due; each fault as it is done. ``taken`` is the state that each node gets after ``after_s``.

    Where there is no worker when one is due, the next that is there is killed.
    """
    begun = time.monotonic()
    due = every_s
    waiting = dict(taken)
    while (now := time.monotonic() - begun) < seconds:
        if now >= after_s:
            for node, state in waiting.items():
                yield take_away(slurm, node, state)
            waiting = {}
        if every_s is not None and due is not None and now >= due and (done := kill_one(slurm, rng)):
            due = now + every_s
            yield done
        time.sleep(nap_s)


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.farm_nodes.faults", description=__doc__)
    ask.add_argument("--conf", default=os.environ.get("SLURM_CONF"), help="slurm.conf of the emulated Slurm")
    ask.add_argument("--every", type=float, default=None, help="seconds from one killed worker to the next")
    ask.add_argument("--drain", action="append", default=[], help="node that gets no new work")
    ask.add_argument("--down", action="append", default=[], help="node whose jobs are killed")
    ask.add_argument("--after", type=float, default=0.0, help="seconds until nodes are taken away")
    ask.add_argument("--seconds", type=float, default=float("inf"), help="for how long")
    ask.add_argument("--seed", type=int, default=1)
    given = ask.parse_args()
    if not given.conf or not Path(given.conf).is_file():
        ask.error("--conf or SLURM_CONF: expected the slurm.conf of an emulated Slurm (python -m tests.farm_nodes up)")
    slurm = Slurm(Path(given.conf).resolve().parent)
    taken = {**dict.fromkeys(given.drain, "drain"), **dict.fromkeys(given.down, "down")}
    try:
        for done in faults(slurm, given.every, taken, given.after, random.Random(given.seed), given.seconds):
            print(json.dumps({"at_s": time.time(), **done}), flush=True)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
