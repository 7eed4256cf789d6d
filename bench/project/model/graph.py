"""The tasks of shots and films, as a few flat arrays.

Tasks that become ready together stand in one *group*: the tiles and sample ranges of a frame, or the parts of a
simulation that is split over several GPUs. A group starts when all groups before it have ended, and ends with its
last task. Groups are numbered so that an edge leads from a lower to a higher number; ten million tasks in ten million
groups take 0.4 GB.

A frame: simulate (after the frame before), render in parts, merge, encode, transfer. A film is made once; how often its
frames are made again multiplies what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIMULATE, RENDER, MERGE, ENCODE, TRANSFER = range(5)
KINDS = ("simulate", "render", "merge", "encode", "transfer")  # on a GPU the first two, on CPU cores the next two
TASKS_MAX = 100_000_000
SPLIT_EFFICIENCY = (0.50, 0.78, 0.95)  # low, likely, high: of a simulation split over several GPUs

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]
I32: TypeAlias = NDArray[np.int32]
Numbers = TypeVar("Numbers", F32, I32)


@dataclass(frozen=True)
class Tasks:
    """A graph of tasks. ``duration_s`` is for one task, every other array for one group or one edge."""

    duration_s: F32  # on the measured GPU, or on one CPU core; without reading, writing and waiting
    first: I32  # (groups + 1): the first task of each group
    kind: NDArray[np.int8]  # of all tasks of a group
    shot: I32  # which shot a group belongs to
    read_bytes: F32  # from shared storage, each task
    write_bytes: F32  # to shared storage, each task; of a transfer: over the link
    edge_first: I32  # (groups + 1): the first edge that leaves each group
    edge_to: I32  # the group that an edge leads to
    needs: I32  # edges that lead to each group
    shot_count: int

    @property
    def task_count(self) -> int:
        return len(self.duration_s)

    @property
    def group_count(self) -> int:
        return len(self.kind)


def make_tasks(
    *,
    duration_s: ArrayLike,
    kind: ArrayLike,
    edges: tuple[ArrayLike, ArrayLike],
    count: ArrayLike | None = None,
    shot: ArrayLike | None = None,
    read_bytes: ArrayLike = 0.0,
    write_bytes: ArrayLike = 0.0,
) -> Tasks:
    """Tasks from groups of ``count`` tasks each (one, where not given) and edges (from, to) between groups.

    duration_s: one number for each group, or one for each task. Raises ValueError for an edge that does not lead
    forward, an empty group, and numbers that are negative or not finite.
    """
    kinds = np.array(kind, np.int8)
    groups = len(kinds)
    counts = np.ones(groups, np.int32) if count is None else np.ascontiguousarray(count, np.int32)
    total = int(counts.sum(dtype=np.int64))
    if total > TASKS_MAX:
        raise ValueError(f"expected at most {TASKS_MAX:,} tasks, got {total:,}")
    if groups and int(counts.min()) < 1:
        raise ValueError("expected at least one task in each group")
    first = np.zeros(groups + 1, np.int32)
    np.cumsum(counts, out=first[1:])
    seconds = np.asarray(duration_s, np.float32)
    if len(seconds) == groups and total != groups:
        seconds = np.repeat(seconds, counts)
    if len(seconds) != total:
        raise ValueError(f"expected {total:,} durations, got {len(seconds):,}")
    # Copies: what is broadcast cannot be written, which to a compiled function is another type
    sizes = [np.array(np.broadcast_to(np.asarray(size, np.float32), groups)) for size in (read_bytes, write_bytes)]
    for numbers in (seconds, *sizes):
        if len(numbers) and not (float(numbers.min()) >= 0.0 and math.isfinite(float(numbers.max()))):
            raise ValueError("expected durations and sizes that are finite and not negative")
    edge_first, edge_to, needs = _sorted_edges(edges, groups)
    shots = np.zeros(groups, np.int32) if shot is None else np.array(shot, np.int32)
    return Tasks(
        duration_s=np.array(seconds),
        first=first,
        kind=kinds,
        shot=shots,
        read_bytes=sizes[0],
        write_bytes=sizes[1],
        edge_first=edge_first,
        edge_to=edge_to,
        needs=needs,
        shot_count=int(shots.max()) + 1 if groups else 0,
    )


def _sorted_edges(edges: tuple[ArrayLike, ArrayLike], groups: int) -> tuple[I32, I32, I32]:
    """(first edge of each group, where each leads, edges that lead to each group)."""
    source, target = (np.array(part, np.int32) for part in edges)
    if len(source) and not (source.min() >= 0 and target.max() < groups and bool((source < target).all())):
        raise ValueError("expected edges from a lower to a higher group")
    edge_first = np.zeros(groups + 1, np.int32)
    np.cumsum(np.bincount(source, minlength=groups), out=edge_first[1:])
    needs = np.bincount(target, minlength=groups).astype(np.int32)
    if len(source) and bool((source[1:] < source[:-1]).any()):
        target = target[np.argsort(source, kind="stable")]
    return edge_first, target, needs


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames of many shots, one after another; every array has a number for each frame.

    A frame without simulation has 0 in ``simulate_s``, and so for every other step.
    """

    start: NDArray[np.bool_]  # the frame begins a shot: no frame comes before it in its simulation
    shot: I32
    simulate_s: F32
    surface_s: F32
    render_s: F32  # trace and resolve of the whole frame
    merge_s: F32
    encode_s: F32
    parts: I32  # render tasks of a frame
    state_bytes: F32  # simulated state of a frame: written once, read by every task that renders it
    part_bytes: F32  # what one render task leaves
    frame_bytes: F32  # encoded frame, sent over the link


class _Step(NamedTuple):
    """One step of every frame."""

    kind: int
    there: NDArray[np.bool_]  # whether a frame has it
    seconds: F32  # of one task
    tasks: I32
    read_bytes: F32  # each task
    write_bytes: F32


def frame_tasks(frames: Frames, *, simulate_gpus: int = 1, efficiency: float = SPLIT_EFFICIENCY[1]) -> Tasks:
    """The graph of all frames.

    A simulation may be split over ``simulate_gpus`` GPUs, each taking 1 / (GPUs x efficiency) of the time; the next
    frame waits for the slowest. The surface is built by every render task for itself.
    """
    if simulate_gpus < 1 or not 0.0 < efficiency <= 1.0:
        raise ValueError("expected at least one GPU for a simulation, and an efficiency above 0 and up to 1")
    one = np.ones(len(frames.parts), np.int32)
    split = 1.0 if simulate_gpus == 1 else 1.0 / (simulate_gpus * efficiency)
    simulate_s = frames.simulate_s * np.float32(split)
    parts = frames.parts
    render_s = (frames.render_s / parts + frames.surface_s).astype(np.float32)
    state_bytes = frames.state_bytes / np.float32(simulate_gpus)
    merge_bytes = (frames.part_bytes * parts).astype(np.float32)
    # What is not there has no task
    steps = [
        _Step(SIMULATE, frames.simulate_s > 0.0, simulate_s, one * simulate_gpus, state_bytes, state_bytes),
        _Step(RENDER, render_s > 0.0, render_s, parts, frames.state_bytes, frames.part_bytes),
        _Step(MERGE, (parts > 1) & (render_s > 0.0), frames.merge_s, one, merge_bytes, frames.part_bytes),
        _Step(ENCODE, frames.encode_s > 0.0, frames.encode_s, one, frames.part_bytes, frames.frame_bytes),
        _Step(TRANSFER, frames.frame_bytes > 0.0, 0.0 * render_s, one, frames.frame_bytes, frames.frame_bytes),
    ]
    here = np.stack([step.there for step in steps], axis=1)
    number = np.cumsum(here.ravel(), dtype=np.int32).reshape(here.shape) - 1  # of each group that is there

    def of_groups(columns: Sequence[Numbers]) -> Numbers:
        return np.stack(columns, axis=1)[here]

    return make_tasks(
        duration_s=of_groups([step.seconds for step in steps]),
        kind=np.broadcast_to(np.array([step.kind for step in steps], np.int8), here.shape)[here],
        count=of_groups([step.tasks for step in steps]),
        shot=np.broadcast_to(frames.shot[:, None], here.shape)[here],
        read_bytes=of_groups([step.read_bytes for step in steps]),
        write_bytes=of_groups([step.write_bytes for step in steps]),
        edges=_frame_edges(frames, here, number),
    )


def _frame_edges(frames: Frames, here: NDArray[np.bool_], number: I32) -> tuple[I32, I32]:
    count, steps = here.shape
    sources, targets = [], []

    def add(source: I32, target: I32) -> None:
        sources.append(source.astype(np.int32))
        targets.append(target.astype(np.int32))

    # Within a frame: from each step to the next that is there
    last = np.full(count, -1, np.int32)
    for step in range(steps):
        there = here[:, step]
        joined = there & (last >= 0)
        add(last[joined], number[joined, step])
        last = np.where(there, number[:, step], last)
    # From frame to frame of a simulation
    chained = here[1:, 0] & here[:-1, 0] & ~frames.start[1:]
    add(number[:-1, 0][chained], number[1:, 0][chained])
    return np.concatenate(sources), np.concatenate(targets)


@dataclass(frozen=True, kw_only=True)
class ShotTasks:
    """A shot of a film as tasks: seconds and sizes of a frame, one number for all or one for each frame."""

    frames: int
    simulate_s: ArrayLike
    surface_s: ArrayLike
    trace_s: ArrayLike
    resolve_s: ArrayLike
    encode_s: ArrayLike
    parts: int = 1  # tiles x sample ranges
    merge_s: ArrayLike = 0.0
    state_bytes: ArrayLike = 0.0
    part_bytes: ArrayLike = 0.0
    frame_bytes: ArrayLike = 0.0


def film_tasks(shots: Sequence[ShotTasks], *, simulate_gpus: int = 1, efficiency: float = SPLIT_EFFICIENCY[1]) -> Tasks:
    """Many shots, side by side."""
    return frame_tasks(film_frames(shots), simulate_gpus=simulate_gpus, efficiency=efficiency)


def film_frames(shots: Sequence[ShotTasks]) -> Frames:
    """The frames of all shots in a row. Raises ValueError for counts that are not positive."""
    if any(shot.frames < 1 or shot.parts < 1 for shot in shots):
        raise ValueError("expected at least one frame and part of each shot")
    lengths = np.array([shot.frames for shot in shots], np.int64)
    ends = np.cumsum(lengths)
    total = int(lengths.sum())
    if total > TASKS_MAX:
        raise ValueError(f"expected at most {TASKS_MAX:,} frames, got {total:,}")
    start = np.zeros(total, np.bool_)
    start[ends - lengths] = True

    def column(name: str) -> F32:
        made = np.empty(total, np.float32)
        for shot, end in zip(shots, ends):
            made[end - shot.frames : end] = np.asarray(getattr(shot, name), np.float32)
        return made

    return Frames(
        start=start,
        shot=np.repeat(np.arange(len(shots), dtype=np.int32), lengths),
        simulate_s=column("simulate_s"),
        surface_s=column("surface_s"),
        render_s=column("trace_s") + column("resolve_s"),
        merge_s=column("merge_s"),
        encode_s=column("encode_s"),
        parts=np.repeat(np.array([shot.parts for shot in shots], np.int32), lengths),
        state_bytes=column("state_bytes"),
        part_bytes=column("part_bytes"),
        frame_bytes=column("frame_bytes"),
    )
