"""What a worker's answer means, and what to do with a task that has none."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

from bench.base.errors import CheckFailed, Unavailable, UserError, one_line
from bench.farm.dispatch.task import Worker

DONE, FAILED, LOST, HUNG, ELSEWHERE = "done", "failed", "lost", "hung", "elsewhere"
# What went wrong, by kind. The first four end the run: trying again elsewhere would end the same way, or do harm
PROOF, DISK, FOLDER, UNUSABLE = "proof", "disk", "folder", "unusable"
MISSING, INPUT, MEMORY, SYSTEM, DEFECT = "missing", "input", "memory", "system", "defect"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TRIES_MOST = 4  # a first one, and three elsewhere


@dataclass(frozen=True)
class Answer:
    """How one try of a task ended."""

    outcome: str  # DONE, FAILED, LOST, HUNG or ELSEWHERE
    kind: str | None  # what went wrong; None of what did not
    why: str | None
    number: int  # of an error of the system, 0 where it has none
    file: str | None  # that it is about
    made: tuple[Mapping[str, object], ...]
    begun_s: float | None
    ended_s: float | None
    worker: Worker | None
    who: Mapping[str, object]  # as the worker describes itself; empty where it says nothing

    def raise_if_it_ends_the_run(self, out: str) -> None:
        """Raise what the whole run ends with, where it does."""
        if self.outcome != FAILED:
            return
        on = f"node {self.worker[0]}: " if self.worker is not None else ""
        if self.kind == PROOF:
            raise CheckFailed(f"{on}{self.why}")
        if self.kind == DISK:
            raise OSError(self.number or errno.ENOSPC, str(self.why), self.file or out)
        if self.kind == FOLDER:
            raise Unavailable(
                f"{on}{out} is not there, or is another folder: --out has to lie on a file system that all nodes share"
            )
        if self.kind == UNUSABLE:
            raise Unavailable(f"{on}{self.why}")


def answer_of(
    said: Mapping[str, object] | None,
    lost: str | None,
    begun: Mapping[str, object],
    was_late: bool,
    limit_s: float | None,
) -> Answer:
    """The answer of a task that came back; of one that did not, from what its worker noted when it began."""
    if said is None:
        why = f"it took longer than its limit of {limit_s:.0f} s" if was_late and limit_s else (lost or "no answer")
        outcome, begun_s = HUNG if was_late else LOST, _number(begun, "begun_s")
        return Answer(outcome, None, why, 0, None, (), begun_s, None, worker_of(begun), {})
    made = said.get("made")
    number = said.get("errno")
    return Answer(
        outcome=str(said.get("outcome")),
        kind=_text(said, "kind"),
        why=_text(said, "why"),
        number=number if isinstance(number, int) else 0,
        file=_text(said, "file"),
        made=tuple(one for one in made if isinstance(one, Mapping)) if isinstance(made, list | tuple) else (),
        begun_s=_number(said, "begun_s"),
        ended_s=_number(said, "ended_s"),
        worker=worker_of(said),
        who=said,
    )


def worker_of(words: Mapping[str, object]) -> Worker | None:
    """Node and number of whoever says so."""
    if words.get("node") is None:
        return None
    return str(words["node"]), str(words.get("worker"))


def error_words(error: BaseException) -> dict[str, object]:
    """What a worker says of an error: its kind, a line, and of the system's errors their number and file."""
    kind = DEFECT
    match error:
        case CheckFailed():
            kind = PROOF
        case Unavailable():
            kind = MISSING
        case UserError():
            kind = INPUT
        case MemoryError():
            kind = MEMORY
        case OSError():
            kind = DISK if error.errno in DISK_FULL else SYSTEM
    words: dict[str, object] = {"kind": kind, "why": one_line(error)}
    if isinstance(error, OSError):
        words |= {"errno": error.errno or 0, "file": str(error.filename) if error.filename else None}
        words["why"] = error.strerror or one_line(error)
    elif kind == MEMORY:
        words["why"] = "the node's memory does not hold that"
    elif kind == DEFECT:
        words["why"] = f"{type(error).__name__}: {one_line(error)}"
    return words


def _number(words: Mapping[str, object], key: str) -> float | None:
    value = words.get(key)
    return float(value) if isinstance(value, int | float) else None


def _text(words: Mapping[str, object], key: str) -> str | None:
    value = words.get(key)
    return None if value is None else str(value)[:400]
