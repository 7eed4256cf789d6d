"""A record: what one run measured, in pytest-benchmark's own JSON, with Shotmark's fields beside it.

The document has pytest-benchmark's keys ``machine_info commit_info benchmarks datetime version``, so its ``list`` and
``compare`` work, and one more, ``shotmark``: ``schema``, ``complete``, ``run`` (what was asked for),
``peak_memory_bytes`` (of the process), ``rejected`` (rows whose output did not verify; never a time). Each row of
``benchmarks`` is one stage of one shot, its raw seconds are ``stats.data`` and its ``extra_info`` holds: ``shot size
backend threads stage frame verified state_sha256 picture_sha256 work work_sha256 cold_s compile_s kernels_s`` (see
``Row``). Unknown is null.

Stages: ``simulate surface trace resolve encode`` follow each other. Three totals are never mixed: ``kernels`` (the
sum of kernel launches), ``resident`` (simulate to resolve, state on the device), ``frame`` (that and transfers,
encoding and disk).

History of the schema:
  1  the first.

Records come from strangers. The reader takes nothing on trust: size, types, lengths, finite numbers and
hashes are checked, and what is wrong is one line (UserError) that names file, key and what was expected.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base.errors import UserError
from bench.base.files import SHA256, load_json
from bench.pipeline.frame import STAGES as STAGES
from bench.record.store import all_record_paths

SCHEMA = 1
TOTALS = ("kernels", "resident", "frame")
ROW_COUNT_MAX = 10_000
SAMPLE_COUNT_MAX = 100_000
TEXT_LENGTH_MAX = 500
SECONDS_MAX = 1e9
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")


@dataclass(frozen=True)
class Row:
    """One stage of one shot as it was measured."""

    shot: str
    size: str
    backend: str
    threads: int | None  # CPU threads; None on a GPU
    stage: str  # one of STAGES or TOTALS
    frame: int
    samples_s: tuple[float, ...]  # raw seconds, one a round
    verified: str | None  # "golden": equal to the committed SHA-256; "repeat": every round gave the same bits
    state_sha256: str | None  # of the simulation after the frame
    picture_sha256: str | None  # of the resolved frame
    work: dict[str, Any]  # counts: particle_substeps, samples, pixels ...
    work_sha256: str | None  # of the manifest that says what was asked for and done
    cold_s: float | None  # the first call, with compiling or loading and first touch
    compile_s: float | None  # seconds that the compiler ran in it
    kernels_s: dict[str, float]  # by kernel, median over the rounds; only in totals

    @property
    def key(self) -> tuple[str, str, str]:
        """What two records are matched by: shot, size, stage."""
        return self.shot, self.size, self.stage


@dataclass(frozen=True)
class Record:
    """A read and checked record."""

    path: Path
    time: str  # ISO 8601
    machine: dict[str, Any]  # bench.record.machine.describe() of the machine that wrote it
    machine_id: str
    commit: str | None
    clean: bool | None  # whether the tree was clean
    complete: bool  # False: the run was stopped; what it had finished is here
    run: dict[str, Any]
    peak_memory_bytes: int | None  # of the whole process
    rows: tuple[Row, ...]
    rejected: tuple[dict[str, Any], ...]

    def row(self, shot: str, stage: str, size: str | None = None, backend: str | None = None) -> Row | None:
        """The row of a stage, or None."""
        for row in self.rows:
            if row.shot == shot and row.stage == stage and size in (None, row.size) and backend in (None, row.backend):
                return row
        return None


class _Reader:
    """Takes values out of a document and says what was expected where one is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, expected: str) -> UserError:
        return UserError(f"{self.path}: {key}: expected {expected}")

    def get(self, value: Any, key: str, kind: type, expected: str, optional: bool = False) -> Any:
        name = key.rpartition(".")[2]
        found = value.get(name)
        if found is None and optional:
            return None
        if not isinstance(found, kind) or (kind in (int, float) and isinstance(found, bool)):
            raise self.fail(key, expected)
        return found

    def text(self, value: Any, key: str, optional: bool = False) -> Any:
        found = self.get(value, key, str, "text", optional)
        if found is not None and len(found) > TEXT_LENGTH_MAX:
            raise self.fail(key, f"at most {TEXT_LENGTH_MAX} characters")
        return found

    def name(self, value: Any, key: str) -> str:
        found = self.text(value, key)
        if not NAME.fullmatch(found):
            raise self.fail(key, "a name of letters, digits, '.', '_' and '-'")
        return str(found)

    def sha256(self, value: Any, key: str) -> Any:
        found = self.text(value, key, optional=True)
        if found is not None and not SHA256.fullmatch(found):
            raise self.fail(key, "64 hex digits or null")
        return found

    def seconds(self, found: Any, key: str) -> float:
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0.0 <= found <= SECONDS_MAX:
            raise self.fail(key, "seconds, a finite number that is not negative")
        return float(found)

    def whole(self, value: Any, key: str, low: int, optional: bool = False) -> Any:
        found = self.get(value, key, int, f"a whole number from {low}", optional)
        if found is not None and not low <= found < 2**63:
            raise self.fail(key, f"a whole number from {low}")
        return found


def read_record(path: Path) -> Record:
    """Read and check one record; raises UserError that names file, key and what was expected."""
    return parse_record(load_json(path), path)


def parse_record(document: Any, path: Path) -> Record:
    """Check a document that was read from ``path``."""
    reader = _Reader(path)
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a record, a JSON object")
    if not isinstance(document.get("shotmark"), dict):
        raise reader.fail("shotmark", "an object; this is no record of Shotmark")
    own = document["shotmark"]
    schema = reader.whole(own, "shotmark.schema", 1)
    if schema != SCHEMA:
        raise reader.fail("shotmark.schema", f"{SCHEMA}, this file has {schema}: another version of Shotmark wrote it")
    machine = reader.get(document, "machine_info", dict, "an object")
    described = reader.get(machine, "machine_info.shotmark", dict, "an object")
    commit = reader.get(document, "commit_info", dict, "an object")
    rows = reader.get(document, "benchmarks", list, "a list")
    rejected = reader.get(own, "shotmark.rejected", list, "a list")
    if len(rows) > ROW_COUNT_MAX or len(rejected) > ROW_COUNT_MAX:
        raise reader.fail("benchmarks", f"at most {ROW_COUNT_MAX} rows")
    if not all(isinstance(row, dict) for row in [*rows, *rejected]):
        raise reader.fail("benchmarks", "objects")
    dirty = reader.get(commit, "commit_info.dirty", bool, "true, false or null", optional=True)
    return Record(
        path=path,
        time=reader.text(document, "datetime"),
        machine=described,
        machine_id=reader.name(described, "machine_info.shotmark.id"),
        commit=reader.text(commit, "commit_info.id", optional=True),
        clean=None if dirty is None else not dirty,
        complete=reader.get(own, "shotmark.complete", bool, "true or false"),
        run=reader.get(own, "shotmark.run", dict, "an object"),
        peak_memory_bytes=reader.whole(own, "shotmark.peak_memory_bytes", 0, optional=True),
        rows=tuple(_parse_row(reader, row, f"benchmarks[{index}]") for index, row in enumerate(rows)),
        rejected=tuple(rejected),
    )


def _parse_row(reader: _Reader, row: dict[str, Any], key: str) -> Row:
    info = reader.get(row, f"{key}.extra_info", dict, "an object")
    stats = reader.get(row, f"{key}.stats", dict, "an object")
    data = reader.get(stats, f"{key}.stats.data", list, "a list of seconds")
    if not 1 <= len(data) <= SAMPLE_COUNT_MAX:
        raise reader.fail(f"{key}.stats.data", f"1 to {SAMPLE_COUNT_MAX} samples")
    at = f"{key}.extra_info"
    stage = reader.name(info, f"{at}.stage")
    if stage not in (*STAGES, *TOTALS):
        raise reader.fail(f"{at}.stage", f"one of {', '.join((*STAGES, *TOTALS))}")
    verified = reader.text(info, f"{at}.verified", optional=True)
    if verified not in ("golden", "repeat", None):
        raise reader.fail(f"{at}.verified", '"golden", "repeat" or null')
    kernels = reader.get(info, f"{at}.kernels_s", dict, "an object", optional=True) or {}
    work = reader.get(info, f"{at}.work", dict, "an object")
    for name, value in work.items():
        if not isinstance(value, int | float | str | None) or len(str(value)[:1000]) > TEXT_LENGTH_MAX:
            raise reader.fail(f"{at}.work.{name[:50]}", "a number, text or null")
    optional_s = {
        name: None if info.get(name) is None else reader.seconds(info[name], f"{at}.{name}")
        for name in ("cold_s", "compile_s")
    }
    return Row(
        shot=reader.name(info, f"{at}.shot"),
        size=reader.name(info, f"{at}.size"),
        backend=reader.name(info, f"{at}.backend"),
        threads=reader.whole(info, f"{at}.threads", 1, optional=True),
        stage=stage,
        frame=reader.whole(info, f"{at}.frame", 0),
        samples_s=tuple(reader.seconds(value, f"{key}.stats.data") for value in data),
        verified=verified,
        state_sha256=reader.sha256(info, f"{at}.state_sha256"),
        picture_sha256=reader.sha256(info, f"{at}.picture_sha256"),
        work=work,
        work_sha256=reader.sha256(info, f"{at}.work_sha256"),
        kernels_s={str(name): reader.seconds(value, f"{at}.kernels_s") for name, value in kernels.items()},
        **optional_s,
    )


def list_records(results: Path) -> tuple[list[Record], list[str]]:
    """Every readable record below ``results``, oldest first, and one line for each file that is none."""
    records, lines = [], []
    for path in all_record_paths(results):
        try:
            records.append(read_record(path))
        except UserError as error:
            lines.append(str(error))
    return sorted(records, key=lambda record: (record.time, str(record.path))), lines


def find_record(name: str, results: Path) -> Record:
    """A record by path, or by the start of its name (``0003``) in the results folder; the newest of several."""
    if Path(name).is_file() or os.sep in name or name.endswith(".json"):
        return read_record(Path(name))
    paths = [path for path in all_record_paths(results) if name and path.name.startswith(name)]
    if not paths:
        raise UserError(f"{name}: expected a record's file, or the start of a record's name in {results}")
    return max((read_record(path) for path in paths), key=lambda record: record.time)
