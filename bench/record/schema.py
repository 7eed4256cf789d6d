"""A record: what one run measured, in pytest-benchmark's own JSON, with Shotmark's fields beside it.

The document has pytest-benchmark's keys ``machine_info commit_info benchmarks datetime version``, so its ``list`` and
``compare`` work, and one more, ``shotmark``: ``schema``, ``complete``, ``run`` (what was asked for),
``peak_memory_bytes`` (of the process), ``rejected`` (rows whose output did not verify; never a time), and where there
is one ``certificate`` and ``scaling``. Each row of ``benchmarks`` is one stage of one shot, its raw seconds are
``stats.data`` and its ``extra_info`` holds what a ``Row`` has. Unknown is null.

Here is what a record is made of, and where in the document each part stands: ``read`` and ``write`` both follow it.

Stages: ``simulate surface trace resolve encode`` follow each other. Three totals are never mixed: ``kernels`` (the
sum of kernel launches), ``resident`` (simulate to resolve, state on the device), ``frame`` (that and transfers,
encoding and disk).

History of the schema:
  1  the first. Rows have gained ``LATER`` since, ``device_uuid``, ``before_s`` and ``warnings``; their ``work``
     ``sound_steps`` and ``particle_sound_steps``: where these are missing a substep was one sound step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

from bench.backend.limits import GpuUnused
from bench.pipeline.frame import STAGES as STAGES
from bench.record.values import (
    LIST,
    OBJECT,
    Count,
    Digest,
    Expected,
    Flag,
    FlagOrNull,
    LongText,
    Name,
    Number,
    Object,
    Positive,
    Proof,
    Samples,
    Scalar,
    Seconds,
    SecondsList,
    Text,
    one_of,
)

SCHEMA = 1
CERTIFICATE_SCHEMA = 1
TOTALS = ("kernels", "resident", "frame")
ROW_COUNT_MAX = 10_000
INCOMPLETE = "incomplete: its run was stopped or has not ended, and only what it had finished is here"
LATER = ("device", "cache", "transfer_s", "sm_clock_hz", "joules", "throttled_s")  # that the first rows did not have
SELDOM = ("device_uuid", "sm_clock_share", "states_compared", "before_s", "warnings")  # not written where unknown

Stage = Annotated[Name, Expected(f"one of {', '.join(STAGES + TOTALS)}", pattern=one_of(*STAGES, *TOTALS))]


@dataclass(frozen=True)
class Row:
    """One stage of one shot as it was measured."""

    shot: Name
    size: Name
    backend: Name
    threads: Positive | None  # CPU threads; None on a GPU
    stage: Stage  # one of STAGES or TOTALS
    frame: Count
    samples_s: Samples  # raw seconds, one a round; of those near the run's usual clock
    verified: Proof | None  # "golden": equal to the committed SHA-256; "repeat": every round gave the same bits
    state_sha256: Digest | None  # of the simulation after the frame
    picture_sha256: Digest | None  # of the resolved frame
    work: Annotated[dict[str, Scalar], OBJECT]  # counts: particle_sound_steps, samples, pixels ...
    work_sha256: Digest | None  # of the manifest that says what was asked for and done
    cold_s: Seconds | None  # the first call, with compiling or loading and first touch
    compile_s: Seconds | None  # seconds that the compiler ran in it; only of the frame
    kernels_s: Annotated[dict[str, Seconds], OBJECT] | None  # by kernel, median over the rounds; only of the kernels
    device: Text | None = None  # name of the GPU
    cache: Text | None = None  # how warm the data were; None: of a row that was written before LATER was noted
    transfer_s: Seconds | None = None  # of encode: the picture on its way to the host
    sm_clock_hz: Annotated[tuple[Number | None, ...], LIST] | None = None  # one a round, of a GPU; only of the frame
    joules: Annotated[tuple[Number | None, ...], LIST] | None = None  # of the board, one a round; only of the frame
    throttled_s: SecondsList | None = None  # of rounds far below the run's usual clock: they are in no figure
    device_uuid: Text | None = None  # which of several GPUs of that name; not written where it is not known
    sm_clock_share: Number | None = None  # median of sm_clock_hz over the highest; of the frame, where it is known
    # Rounds whose state was compared on the device, word for word, with the hashed one: of the frame alone,
    # and not written where every round was hashed
    states_compared: Count | None = None
    # Of the frame, before the first one: scene, upload, first_touch (what first calls took over later ones), compiling
    # left out; not written where it is not known
    before_s: Annotated[dict[str, Seconds | None], OBJECT] | None = None
    # Of the frame: what it and those before it went beyond of what the shot is made for, a line each; not written
    # where there is nothing to say
    warnings: Annotated[tuple[Text, ...], LIST] | None = None
    benchmark: Object = field(default_factory=dict)  # what pytest-benchmark writes beside: name, group, options, stats

    @property
    def key(self) -> tuple[str, str, str]:
        """What two records are matched by: shot, size, stage."""
        return self.shot, self.size, self.stage

    @property
    def particle_sound_steps(self) -> int | None:
        """What a simulation's time is quoted in; in a row that does not say each substep was one sound step."""
        found = self.work.get("particle_sound_steps", self.work.get("particle_substeps"))
        return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Rejected:
    """One stage of a shot that did not verify: no seconds go with it."""

    shot: Name
    size: Name
    backend: Name
    threads: Positive | None
    stage: Stage
    frame: Count
    reason: Text
    state_sha256: Digest | None
    picture_sha256: Digest | None
    expected: dict[str, Text] | None  # golden SHA-256 of state and picture
    unavailable: Flag = False  # whether memory or the device was missing, not the right bits


@dataclass(frozen=True)
class Part:
    """One part of a certificate."""

    part: Text
    verdict: Text  # passed, FAILED, noted (a figure without a limit) or left out
    line: LongText
    seconds: Seconds | None  # that it took
    data: object = None  # what it found, as JSON
    begun_s: Seconds | None = None  # seconds after the certificate was begun; None: not noted


@dataclass(frozen=True)
class Certificate:
    """What a machine proved, in the order in which it was done."""

    schema: Count
    begun: Text  # ISO 8601
    complete: Flag
    budget_s: Number
    spent_s: Number
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ScalingRow:
    """The same frames on so many devices of one machine."""

    devices: Positive
    frames: Count  # that were rendered
    seconds: Seconds  # that all of them took
    frames_by_device: dict[str, Count]
    handover_s: Seconds | None = None  # of a frame, what crossing to its device and back took
    handover_bytes: Count | None = None  # of a frame, there and back

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds


@dataclass(frozen=True)
class Record:
    """A read and checked record."""

    path: Path
    time: Text  # ISO 8601
    machine_id: Name
    commit: Text | None
    clean: FlagOrNull  # whether the tree was clean
    complete: Flag  # False: the run was stopped; what it had finished is here
    run: Object  # what was asked for
    peak_memory_bytes: Count | None  # of the whole process
    rows: tuple[Row, ...]
    rejected: tuple[Rejected, ...]
    certificate: Certificate | None = None  # of certify
    scaling: dict[str, tuple[ScalingRow, ...]] | None = None  # by shot, of a run on all devices
    machine_info: Object = field(default_factory=dict)  # pytest-benchmark's view, our description under "shotmark"
    commit_info: Object = field(default_factory=dict)  # pytest-benchmark's view
    benchmark_version: Text | None = None  # of pytest-benchmark
    version: Text | None = None  # of Shotmark
    begun: Text | None = None  # ISO 8601

    @property
    def gpu_unused(self) -> GpuUnused | None:
        """Of a run that left the choice to Shotmark; None where a GPU was used, none was there, or it was not noted."""
        found = self.run.get("gpu_unused")
        return GpuUnused(str(found["reason"]), found.get("helps")) if isinstance(found, dict) else None

    def row(self, shot: str, stage: str, size: str | None = None, backend: str | None = None) -> Row | None:
        """The row of a stage, or None."""
        for row in self.rows:
            if row.shot == shot and row.stage == stage and size in (None, row.size) and backend in (None, row.backend):
                return row
        return None


# Where a field stands in the document, or in a row of its ``benchmarks``
RECORD_PLACES = {
    "time": "datetime",
    "machine_info": "machine_info",
    "machine_id": "machine_info.shotmark.id",
    "commit_info": "commit_info",
    "commit": "commit_info.id",
    "clean": "commit_info.dirty",  # the opposite
    "rows": "benchmarks",
    "benchmark_version": "version",
    **{
        name: f"shotmark.{name}"
        for name in ("version", "begun", "complete", "run", "peak_memory_bytes", "rejected", "certificate", "scaling")
    },
}
BESIDE = ("group", "name", "fullname", "params", "param", "options", "stats")  # ``Row.benchmark``
INFO = tuple(each.name for each in fields(Row) if each.name not in ("samples_s", "benchmark"))  # ``extra_info``
