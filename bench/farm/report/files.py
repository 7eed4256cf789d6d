"""What a farm run left in OUT, read strictly: projection.json, log.jsonl, manifest.json. Anybody may have written them.

A last line of the log that is cut (the run was killed while it wrote) is passed over and told; anything else that is
not as it should be is one line with file, line or key, and what was expected.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bench.base.errors import UserError
from bench.base.files import load_json
from bench.shot.load import shown
from bench.shot.problem import Got, Problem
from bench.shot.quantities import FROM_LIST, Tables
from bench.shot.table import UNIT, Table, validate

FOLDER, PROJECTION, LOG, MANIFEST = "farm", "projection.json", "log.jsonl", "manifest.json"
LOG_BYTES_MAX, LINE_BYTES_MAX, EVENTS_MAX = 512 * 2**20, 4 * 2**20, 2_000_000
LIST_MAX = 200_000
YEAR_3000_S = 3.3e10
NAME, TEXT = "text of 1 to 120 printable characters", "text of at most 2,000 printable characters"

PLAIN = r"^[^\p{C}\p{Zl}\p{Zp}]*$"
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=PLAIN, description=NAME)]
Text = Annotated[str, Field(max_length=2000, pattern=PLAIN, description=TEXT)]
Moment = Annotated[float, Field(ge=0.0, le=YEAR_3000_S, description="Unix time", json_schema_extra={UNIT: "s"})]
Seconds = Annotated[float, Field(ge=0.0, le=1e9, json_schema_extra={UNIT: "s"})]
Frame = Annotated[int, Field(ge=1, le=100_000)]
Frames = Annotated[tuple[Frame, ...], Field(max_length=LIST_MAX), FROM_LIST]
Strings = Annotated[tuple[Text, ...], Field(max_length=1000), FROM_LIST]
Corner = Annotated[int, Field(ge=0, le=10_000_000)]
Corners = Annotated[tuple[Corner, ...], Field(min_length=6, max_length=6), FROM_LIST]
Kind = Literal["simulate", "render", "part", "assemble"]


class Loose(Table):
    """A table that may have keys of a later version."""

    model_config = ConfigDict(extra="ignore")


class Span(Loose):
    """A figure over all draws; None where some of them never end."""

    p10: Seconds | None = None
    p50: Seconds | None = None
    p90: Seconds | None = None


class FrameForetold(Loose):
    """What was foretold of one frame."""

    frame: Frame
    state_s: Seconds | None = None
    wait_s: Seconds = 0.0
    start_s: Seconds = 0.0
    load_s: Seconds = 0.0
    surface_s: Seconds = 0.0
    trace_s: Seconds = 0.0
    write_s: Seconds = 0.0


class Foretold(Loose):
    """OUT/farm/projection.json, as far as the report needs it."""

    at_s: Moment
    site: Name
    shot: Name
    size: Name
    samples: int | None = Field(default=None, ge=1, le=1_048_576)
    frames: Frames
    workers: int = Field(ge=1, le=1_000_000)
    cores: int = Field(ge=1, le=100_000_000)
    threads: int = Field(ge=1, le=65_536)
    pieces: int | None = Field(default=None, ge=1, le=1_000_000)
    stands_on: Strings = ()
    assumed: Strings = ()
    makespan_s: Span
    chain_s: Span
    start_s: Span
    load_s: Span = Span()
    render_s: Span
    write_s: Span
    dispatch_s: Span
    wait_s: Span = Span()
    utilisation: Span
    learned: Annotated[float, Field(ge=0.01, le=100.0)] = 1.0
    linear_s: Seconds | None = None
    farm_formula_s: Seconds | None = None
    tasks: Tables[FrameForetold] = Field(default=(), max_length=LIST_MAX)


class Made(Loose):
    """What a piece of work said of itself."""

    task: Text
    kind: Kind
    frame: Frame | None = None
    part: Corners | None = None
    node: Name
    device: Text | None = None
    backend: Name | None = None
    pid: int | None = Field(default=None, ge=0, le=2**40)
    worker: Name | None = None
    begun_s: Moment
    ended_s: Moment
    start_s: Seconds | None = None
    wait_s: Seconds | None = None
    simulate_s: Seconds | None = None
    load_s: Seconds | None = None
    surface_s: Seconds | None = None
    trace_s: Seconds | None = None
    write_s: Seconds | None = None

    def took(self, name: str) -> float:
        """Seconds of a part of it, 0 where it had none."""
        return float(getattr(self, f"{name}_s") or 0.0)

    @property
    def row(self) -> tuple[str, str]:
        """Who made it: node and worker."""
        return self.node, self.worker if self.worker is not None else f"process {self.pid}"

    def validate_together(self) -> None:
        if self.ended_s < self.begun_s:
            raise Problem("ended_s", "at least begun_s", self.ended_s)


class Begin(Loose):
    """A run begins, or goes on."""

    event: Literal["begin"]
    at_s: Moment
    site: Name
    workers_wanted: int | None = Field(default=None, ge=0, le=1_000_000)


class WorkerReady(Loose):
    """A worker was first heard of."""

    event: Literal["worker"]
    at_s: Moment
    node: Name
    worker: Name | None = None
    ready_s: Seconds
    device: Text | None = None


class TaskDone(Loose):
    """A task came back, or was given up."""

    event: Literal["task"]
    at_s: Moment
    task: Text
    kind: Kind
    frame: Frame | None = None
    attempt: int = Field(default=1, ge=1, le=1_000_000)
    submitted_s: Moment | None = None
    begun_s: Moment | None = None
    ended_s: Moment | None = None
    returned_s: Moment | None = None
    node: Name | None = None
    worker: Name | None = None
    outcome: Literal["done", "failed", "lost", "hung", "elsewhere"]
    why: Text | None = None
    made: Tables[Made] = Field(default=(), max_length=LIST_MAX)

    @property
    def handing_s(self) -> float:
        """Between submitting and beginning, and between ending and being known; clocks of nodes may differ."""
        found = 0.0
        for early, late in ((self.submitted_s, self.begun_s), (self.ended_s, self.returned_s)):
            if early is not None and late is not None:
                found += late - early
        return max(0.0, found)


class FrameDone(Loose):
    """A frame is finished."""

    event: Literal["frame"]
    at_s: Moment
    frame: Frame


class End(Loose):
    """A run ends."""

    event: Literal["end"]
    at_s: Moment
    outcome: Literal["done", "stopped", "failed"]
    frames: int | None = Field(default=None, ge=0, le=LIST_MAX)


Event = Begin | WorkerReady | TaskDone | FrameDone | End
EVENTS: dict[str, type[Event]] = {
    "begin": Begin,
    "worker": WorkerReady,
    "task": TaskDone,
    "frame": FrameDone,
    "end": End,
}


@dataclass(frozen=True)
class FarmFiles:
    """All of it."""

    foretold: Foretold
    events: tuple[Event, ...]
    manifest_made: tuple[Made, ...]  # of finished frames; also what a lost task had kept
    notes: tuple[str, ...]  # what was passed over


def read_files(out: Path) -> FarmFiles:
    """What a run left in ``out``; raises UserError."""
    folder = out / FOLDER
    if not folder.is_dir():
        raise UserError(f"{shown(str(out))}: expected the folder of a farm run, with {FOLDER}/{LOG} in it")
    foretold = _table(folder / PROJECTION, Foretold, load_json(folder / PROJECTION))
    notes: list[str] = []
    events = tuple(_events(folder / LOG, notes))
    if not any(isinstance(event, Begin) for event in events):
        raise UserError(f'{shown(str(folder / LOG))}: expected an event "begin", found none')
    return FarmFiles(foretold, events, _manifest(out / MANIFEST, notes), tuple(notes))


def _table(path: Path, model: type[Foretold], document: Any) -> Foretold:
    if not isinstance(document, dict):
        raise UserError(f"{shown(str(path))}: expected a projection, an object")
    try:
        return validate(model, document)
    except Problem as problem:
        raise UserError(f"{shown(str(path))}: {problem}") from None


def _events(path: Path, notes: list[str]) -> Iterator[Event]:
    """Events in their order. A line that a killed run had begun is the last one, or stands before the next begin."""
    name, strange, cut = shown(str(path)), 0, 0
    broken: UserError | None = None
    for number, line in _lines(path, name):
        try:
            event = _event(line, name, number)
        except UserError as error:
            if broken is not None or not isinstance(error.__cause__, ValueError):
                raise broken or error from None
            broken = error
            continue
        if broken is not None:
            if not isinstance(event, Begin):
                raise broken
            broken, cut = None, cut + 1
        if event is None:
            strange += 1
        else:
            yield event
    if broken is not None:
        cut += 1
    if cut:
        notes.append(f"{cut} line{'s' * (cut > 1)} of {LOG} that a run had begun when it was killed: passed over")
    if strange:
        notes.append(f"{strange} lines of {LOG} are of events that are not known here: passed over")


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{name}: expected a regular file")
        if found.st_size > LOG_BYTES_MAX:
            raise UserError(f"{name}: expected at most {LOG_BYTES_MAX} bytes, it has {found.st_size}")
        with open(path, "rb") as file:
            for number in range(1, EVENTS_MAX + 2):
                line = file.readline(LINE_BYTES_MAX + 1)
                if not line:
                    return
                if number > EVENTS_MAX or len(line) > LINE_BYTES_MAX:
                    raise UserError(f"{name}: expected at most {EVENTS_MAX} lines of at most {LINE_BYTES_MAX} bytes")
                yield number, line
    except OSError as error:
        raise UserError(f"{name}: {error.strerror or error}") from None


def _event(line: bytes, name: str, number: int) -> Event | None:
    """The event of a line, None where its kind is not known; raises UserError, from ValueError where it is no JSON."""
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        cause = error if isinstance(error, ValueError) else None
        raise UserError(f"{name}: line {number}: expected a JSON object with finite numbers") from cause
    try:
        if not isinstance(document, dict) or not isinstance(document.get("event"), str):
            raise Problem("event", f"one of {', '.join(EVENTS)}", Got("a line without it"))
        model = EVENTS.get(document["event"])
        return None if model is None else validate(model, document)
    except Problem as problem:
        raise UserError(f"{name}: line {number}: {problem}") from None


def _refuse(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _manifest(path: Path, notes: list[str]) -> tuple[Made, ...]:
    """What the manifest says of who made the frames; none where the run was not put together."""
    if not path.exists():
        notes.append(f"there is no {MANIFEST} yet: the frames were not put together")
        return ()
    document, name = load_json(path, 64 * 2**20), shown(str(path))
    frames = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(frames, dict):
        raise UserError(f"{name}: frames: expected a table of frames")
    found = []
    for frame, entry in frames.items():
        made = entry.get("made", []) if isinstance(entry, dict) else None
        if not isinstance(made, list) or not all(isinstance(one, dict) for one in made):
            raise UserError(f"{name}: frames.{shown(str(frame))[:20]}.made: expected a list of tables")
        for number, one in enumerate(made):
            try:
                found.append(validate(Made, one))
            except Problem as problem:
                key = problem.under(f"frames.{shown(str(frame))[:20]}.made[{number}]")
                raise UserError(f"{name}: {key}") from None
    return tuple(found)
