"""The loop of a farm's run: hand out what is ready, take back what ended, try elsewhere what went wrong.

Never more tasks are with the engine than it has workers: so the order is ours to the last. Nobody is asked to try
again; a task that failed says where, and a worker it failed on gives it back while there is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.base.errors import Unavailable
from bench.farm.dispatch.answers import (
    DONE,
    ELSEWHERE,
    FAILED,
    HUNG,
    LOST,
    MISSING,
    TRIES_MOST,
    Answer,
    answer_of,
)
from bench.farm.dispatch.board import Board
from bench.farm.dispatch.shown import NAMES_MOST, Shown, Status
from bench.farm.dispatch.task import ASSEMBLE, PART, RENDER, SIMULATE, Out, Task, Worker
from bench.farm.dispatch.times import START_LIMIT_S, Times
from bench.farm.dispatch.view import View
from bench.farm.engine.protocol import Engine, Returned
from bench.farm.log import FarmLog
from bench.farm.site import Pool
from bench.project.model.pieces import parts_of

LOOK_S = 0.2  # between two looks for new states
WAIT_S = 0.1  # for what comes back, at the most
SHOW_S = 0.5
FIRST_POOL_S = 60.0  # the simulation waits so long for the first pool of the site, the fastest, before it takes any
AGAIN_S, AGAIN_MOST_S = 0.3, 5.0  # before a task that was given back goes out again; longer from time to time
BEGIN_WITHIN_S = 45.0  # a task is begun, once it was handed to a free worker
GRACE_S = 30.0  # beyond a limit that a worker should have kept by itself


@dataclass(frozen=True)
class Run:
    """What does not change while a run goes on."""

    token: str  # of this run alone: names of its notes begin with it
    begun_s: float  # unix time
    order: Mapping[str, object]  # what every order says
    pools: tuple[Pool, ...]  # in the site's order
    frames: int  # that are wanted, with those that were there
    pieces: int | None = None  # parts of every frame, where somebody fixed their number
    longest_s: float = float("inf")  # no piece may take longer, or a wall time would cut it off
    projected_s: float | None = None  # how long all of it was said to take


class Dispatcher:
    """One run of a farm."""

    def __init__(
        self,
        run: Run,
        engine: Engine,
        board: Board,
        view: View,
        times: Times,
        log: FarmLog,
        shown: Shown,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """``stopped`` says whether somebody wants the run to end; what is done is kept."""
        self.run_, self.engine, self.board, self.view = run, engine, board, view
        self.times, self.log, self.shown, self.stopped = times, log, shown, stopped
        self.begun_s = run.begun_s
        self._arrivals: list[float] = []  # when there was one worker more than ever before
        self._outs: dict[int, Out] = {}
        self._notes: dict[int, str] = {}  # names of the notes of what is out
        self._number = 0
        self._known: set[Worker] = set()
        self._state_losses: dict[int, int] = {}
        self._unready_at: dict[int, int] = {}  # frames without a state when a simulation went out
        self._looked_s = self._shown_s = float("-inf")

    def run(self) -> None:
        """Until every frame is finished or given up, or somebody wants it to end. Raises what ends it early."""
        self._look()
        while self.board.left:
            if self.stopped():
                return
            self._hand_out()
            self._show()
            for back in self.engine.wait(WAIT_S):
                self._take(back)
            self._doubt_the_mute()
            self._give_up_on_the_late()
            if self.engine.now() - self._looked_s > LOOK_S:
                self._look()
            self._require_an_end()
        self._shown_s = float("-inf")
        self._show()

    def _look(self) -> None:
        self._looked_s = self.engine.now()
        if self.board.unready:
            self.board.fluids(self.view.fluids())

    def _require_an_end(self) -> None:
        """Raise Unavailable where what is left can never be done."""
        problem = self.engine.problem()
        if problem is not None and not any(self.engine.workers().values()):
            raise Unavailable(f"{problem}; what is finished is kept, the same command goes on")

    # --- out ---------------------------------------------------------------------------------
    def _hand_out(self) -> None:
        workers = self.engine.workers()
        self._arrivals += [self.engine.now()] * (sum(workers.values()) - len(self._arrivals))
        for pool in self.run_.pools:
            free = workers.get(pool.name, 0) - sum(out.pool == pool.name for out in self._outs.values())
            while free > 0:
                task = self.board.pop(self.engine.now(), partial(self._allows, pool))
                if task is None:
                    break
                if task.kind == RENDER and self._cut(task):
                    continue
                self._submit(pool, task, sum(workers.values()))
                free -= 1

    def _allows(self, pool: Pool, task: Task) -> bool:
        first = self.run_.pools[0]
        waited = self.engine.now() - self.begun_s > FIRST_POOL_S
        return task.kind != SIMULATE or pool is first or waited

    def _cut(self, task: Task) -> bool:
        """Whether a frame goes out in parts; they are ready then."""
        assert task.frame is not None
        if task.attempt > 1:
            return False
        return self.board.cut_frame(task.frame, self.run_.pieces or self._parts(task.frame))

    def _parts(self, frame: int) -> int:
        ready_s = [0.0, *(0.0 for one in self.board.uncut if one not in self.board.unready and one != frame)]
        step_s = self.times.simulate_s or 0.0
        ready_s += [step_s * (place + 1) for place in range(len(self.board.unready))]
        return parts_of(self.times.cost(frame), ready_s, self._free_s(), self.times.handing_s, self.run_.longest_s)

    def _free_s(self) -> list[float]:
        """When each worker will be free, in seconds from now."""
        now, free = self.engine.now(), []
        for out in self._outs.values():
            free.append(max(0.0, self._expected_s(out.task) - (now - out.submitted_s)))
        idle = sum(self.engine.workers().values()) - len(free)
        return free + [0.0] * max(0, idle)

    def _expected_s(self, task: Task) -> float:
        if task.kind == SIMULATE:
            return (self.times.simulate_s or 0.0) * len(self.board.unready) + self.engine.now() - self.begun_s
        cost = self.times.cost(task.frame) if task.frame is not None else None
        if cost is None:
            return float("inf")  # nobody knows: it is not free
        if task.kind == PART and task.frame is not None:
            return cost.of_part(len(self.board.cuts.get(task.frame, (0,))))
        return cost.fixed_s if task.kind == ASSEMBLE else cost.whole_s

    def _submit(self, pool: Pool, task: Task, workers: int) -> None:
        self._number += 1
        note = f"{self.run_.token}-{self._number:06d}"
        limit_s = self.times.limit_s(task.kind, len(task.frames), self.run_.frames)
        limit_s = limit_s * 2**task.hung if limit_s is not None else None
        order = {
            **self.run_.order,
            "note": note,
            "backend": pool.backend,
            "threads": pool.threads,
            "task": {"kind": task.kind, "frame": task.frame, "part": task.part, "frames": list(task.frames)},
            "limit_s": limit_s,
            "start_limit_s": START_LIMIT_S,
            "avoid": [list(worker) for worker in sorted(task.avoid)],
            "others": workers > len(task.avoid) and task.bounces <= 3 * workers,
        }
        submitted_s = self.engine.now()
        ticket = self.engine.submit(pool.name, order)
        self._outs[ticket] = Out(task, pool.name, ticket, submitted_s, limit_s)
        self._notes[ticket] = note
        if task.kind == SIMULATE:
            self._unready_at[ticket] = len(self.board.unready)

    # --- back --------------------------------------------------------------------------------
    def _take(self, back: Returned) -> None:
        out, note = self._outs.pop(back.ticket), self._notes.pop(back.ticket)
        begun = self.view.begun(note) if back.answer is None else {}
        late = back.answer is None and self.view.was_late(note)
        answer = answer_of(back.answer, back.lost, begun, late, out.limit_s)
        self.view.forget(note, out.task.claim if answer.outcome in (LOST, HUNG) else None)
        unready = self._unready_at.pop(back.ticket, None)
        self._hear(answer)
        self._log(out, answer)
        if out.given_up:
            self._take_late(out, answer)
            return
        answer.raise_if_it_ends_the_run(str(self.view.out))
        if answer.outcome == DONE:
            self._learn(out, answer)
            self._done(out.task, unready)
        elif answer.outcome == ELSEWHERE:
            out.task.bounces += 1
            self._again(out.task)
        elif answer.kind == MISSING and out.task.frame is not None:
            self._missing(out.task, answer)
        else:
            self._failed(out.task, answer, unready)

    def _done(self, task: Task, unready: int | None) -> None:
        if task.kind == SIMULATE:
            self._simulated(task, unready)
            if self.board.unready:
                self._tried(task, "it ended, but not all states are there", None)
        elif task.kind == PART:
            self.board.part_done(task)
        elif task.frame is not None and task.frame not in self.board.done:
            self.board.finish(task.frame)
            self.log.write("frame", frame=task.frame)

    def _take_late(self, out: Out, answer: Answer) -> None:
        """A task that somebody else has by now came back after all: what it made counts."""
        if answer.outcome == DONE and out.task.kind != SIMULATE:
            self._done(out.task, None)

    def _failed(self, task: Task, answer: Answer, unready: int | None) -> None:
        if task.kind == SIMULATE:
            self._simulated(task, unready)
        self._tried(task, answer.why or answer.outcome, answer)

    def _simulated(self, task: Task, unready: int | None) -> None:
        """A simulation has ended, somehow."""
        self._look()
        self.board.simulating = False
        if unready is not None and len(self.board.unready) < unready:
            task.failures = 0  # it came further: a long simulation outlives many nodes

    def _tried(self, task: Task, why: str, answer: Answer | None) -> None:
        """Try it again elsewhere, or give it up."""
        where = f" on {answer.worker[0]}" if answer is not None and answer.worker is not None else ""
        task.count(tried=answer is None or answer.outcome != LOST or answer.begun_s is not None)
        task.hung += answer is not None and answer.outcome == HUNG
        if answer is not None and answer.worker is not None:
            task.avoid.add(answer.worker)
        line = f"{task.name}{where}: {why}"
        if task.failures < TRIES_MOST:
            self.shown.tell(f"{line}; tried again")
            task.attempt += 1
            task.bounces = 0
            if task.kind == SIMULATE:
                task.frames = tuple(sorted(self.board.unready))
            if task.kind != SIMULATE or task.frames:
                self._again(task)
            return
        self.shown.tell(f"{line}; given up after {task.failures} tries")
        frames = sorted(self.board.unready) if task.kind == SIMULATE else [task.frame]
        self.board.fail([frame for frame in frames if frame is not None], line)

    def _again(self, task: Task) -> None:
        task.not_before_s = self.engine.now() + min(AGAIN_MOST_S, AGAIN_S * (1 + task.bounces))
        self.board.push(task)

    def _missing(self, task: Task, answer: Answer) -> None:
        """What a task stands on was damaged, and is gone: that is made again first."""
        assert task.frame is not None
        losses = self._state_losses[task.frame] = self._state_losses.get(task.frame, 0) + 1
        line = f"{task.name}: {answer.why}"
        if losses >= TRIES_MOST:
            self.shown.tell(f"{line}; given up after {losses} tries")
            self.board.fail([task.frame], line)
        elif task.kind == ASSEMBLE:
            self.shown.tell(f"{line}; its parts are made again")
            self.board.parts_lost(task.frame, losses)
        else:
            self.shown.tell(f"{line}; simulated again")
            self.board.lost_state(task.frame)
            self._look()

    def _doubt_the_mute(self) -> None:
        """A task that nobody begins is with a node whose workers are dead, though the node lives."""
        for ticket, out in self._outs.items():
            if out.begun or out.doubted or self.engine.now() - out.submitted_s < BEGIN_WITHIN_S:
                continue
            out.begun = bool(self.view.begun(self._notes[ticket]))
            if not out.begun:
                out.doubted = True
                sound = {str(self.view.begun(note).get("block")) for note in self._notes.values()}
                self.shown.tell(
                    f"{out.task.name}: no worker has begun it in {BEGIN_WITHIN_S:.0f} s; its node is given back"
                )
                self.engine.renew(out.pool, sound)

    def _give_up_on_the_late(self) -> None:
        """A worker ends itself at its limit; one that cannot, in the depths of a system call, is not waited for."""
        now = self.engine.now()
        for out in self._outs.values():
            if out.limit_s is None or out.given_up:
                continue
            if now - out.submitted_s > out.limit_s + START_LIMIT_S + GRACE_S:
                out.given_up = True
                again = Task(out.task.kind, out.task.frame, out.task.part, out.task.frames)
                again.attempt, again.failures, again.hung = out.task.attempt, out.task.failures, out.task.hung
                begun = self.view.begun(self._notes[out.ticket])
                self._failed(again, answer_of(None, None, begun, True, out.limit_s), None)

    # --- told --------------------------------------------------------------------------------
    def _hear(self, answer: Answer) -> None:
        """Note a worker that is heard of for the first time."""
        who, worker = answer.who, answer.worker
        if worker is None or worker in self._known or "ready_at_s" not in who:
            return
        # Its first task may have come long after it could have worked
        there_s = self._arrivals[min(len(self._known), len(self._arrivals) - 1)] if self._arrivals else float("inf")
        ready_s = max(0.0, min(there_s, float(str(who["ready_at_s"]))) - self.begun_s)
        self._known.add(worker)
        words = {key: who.get(key) for key in ("node", "worker", "pid", "backend", "threads", "device")}
        self.log.write("worker", **words, ready_s=round(ready_s, 6))

    def _learn(self, out: Out, answer: Answer) -> None:
        paths = 1.0
        if out.task.part is not None and out.task.frame in self.board.cuts:
            whole = sum(_paths(part) for part in self.board.cuts[out.task.frame])
            paths = _paths(out.task.part) / max(1, whole)
        self.times.learn(answer.made, paths)
        if answer.begun_s is not None and answer.ended_s is not None:
            self.times.handed(self.engine.now() - out.submitted_s - (answer.ended_s - answer.begun_s))

    def _log(self, out: Out, answer: Answer) -> None:
        task = out.task
        self.log.write(
            "task",
            task=task.name,
            kind=task.kind,
            frame=task.frame,
            part=list(task.part) if task.part is not None else None,
            attempt=task.attempt,
            submitted_s=out.submitted_s,
            begun_s=answer.begun_s,
            ended_s=answer.ended_s,
            returned_s=self.engine.now(),
            node=answer.worker[0] if answer.worker is not None else None,
            worker=answer.worker[1] if answer.worker is not None else None,
            outcome=answer.outcome,
            why=answer.why if answer.outcome in (FAILED, LOST, HUNG) else None,
            made=list(answer.made),
        )

    def _show(self) -> None:
        now = self.engine.now()
        if now - self._shown_s < SHOW_S:
            return
        self._shown_s = now
        board, workers = self.board, sum(self.engine.workers().values())
        there = self.run_.frames - len(board.frames)
        begun = {out.task.frame for out in self._outs.values() if out.task.frame is not None}
        begun |= set(board.parts)
        working = [f"{out.task.name}{self._where(ticket)}" for ticket, out in list(self._outs.items())[:NAMES_MOST]]
        working += [out.task.name for out in list(self._outs.values())[NAMES_MOST:]]
        self.shown.status(
            Status(
                frames=self.run_.frames,
                done=there + len(board.done),
                failed=len(board.failed),
                rendering=len(begun - board.done - set(board.failed)),
                simulated=self.run_.frames - len(board.unready),
                workers=workers,
                workers_wanted=sum(pool.nodes * pool.workers for pool in self.run_.pools),
                working=tuple(working),
                queue=self.engine.queue(),
                left_s=self._left_s(max(1, workers)),
            )
        )

    def _where(self, ticket: int) -> str:
        node = self.view.begun(self._notes[ticket]).get("node")
        return f" on {node}" if node is not None else ""

    def _left_s(self, workers: int) -> float | None:
        """From what was measured; before that, what is left of the projection."""
        left = self.board.left
        if not left:
            return 0.0
        costs = [cost.whole_s for frame in left if (cost := self.times.cost(frame)) is not None]
        chain_s = (self.times.simulate_s or 0.0) * len(self.board.unready)
        if not costs:
            projected = self.run_.projected_s
            return max(0.0, projected - (self.engine.now() - self.begun_s)) if projected is not None else None
        last_s = costs[-1] if self.board.unready else max(costs) if len(left) < workers else 0.0
        return max(chain_s + last_s, (sum(costs) + chain_s) / workers)


def _paths(part: Sequence[int]) -> int:
    x_low, y_low, x_high, y_high, sample_low, sample_high = part
    return (x_high - x_low) * (y_high - y_low) * (sample_high - sample_low)
