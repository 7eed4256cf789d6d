"""How long a graph of tasks takes on a number of GPUs: one shot event by event, a film by its bounds.

A shot is a chain of simulation frames on one GPU, each after the one before; when a frame's state exists, the tasks
that render it may start on any free GPU. Tasks of one shot last equally long, so taking them in order as GPUs become
free (list scheduling) is the best there is.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence


def shot_makespan_s(step_s: float, task_s: float, frames: int, tasks_per_frame: int, gpus: int) -> float:
    """Seconds until the last task of a shot is done.

    step_s: one frame of the chain. task_s: one render task. With one GPU everything is done in turn; with more, one
    runs the chain and renders after it, the others render from the start.
    """
    if frames <= 0 or gpus <= 0:
        return 0.0
    if gpus == 1:
        return frames * (step_s + tasks_per_frame * task_s)
    chain_s = frames * step_s
    # More GPUs than tasks never start one
    free_s = [0.0] * min(gpus - 1, frames * tasks_per_frame) + [chain_s]
    heapq.heapify(free_s)
    end_s = chain_s
    for frame in range(1, frames + 1):
        for _ in range(tasks_per_frame):
            done_s = max(free_s[0], frame * step_s) + task_s
            heapq.heapreplace(free_s, done_s)
            end_s = max(end_s, done_s)
    return end_s


def split_for(frames: int, gpus: int) -> int:
    """Tasks per frame that give every GPU one of a shot's tasks."""
    return max(1, math.ceil(gpus / max(1, frames)))


def film_bounds_s(work_s: Sequence[float], longest_s: float, gpus: int) -> tuple[float, float]:
    """(least, most) seconds of list-scheduling shots of ``work_s`` GPU-seconds each (Graham 1969).

    longest_s: the longest shot by itself on these GPUs.
    """
    share_s = math.fsum(work_s) / gpus
    return max(share_s, longest_s), share_s + longest_s * (1.0 - 1.0 / gpus)


def amdahl_s(serial_s: float, parallel_s: float, gpus: int) -> float:
    """Serial part, and the rest evenly spread: what a shot takes when its tasks are fine and no frame waits."""
    return serial_s + parallel_s / gpus
