"""Writing records: the document of a record, and the draft that a run fills and saves as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest_benchmark

from bench import __version__
from bench.base.files import dump
from bench.record import machine
from bench.record.schema import INFO, LATER, SCHEMA, Certificate, Record, Rejected, Row, ScalingRow
from bench.record.store import Slot


def document_of(record: Record) -> dict[str, object]:
    """The record as pytest-benchmark's JSON; what was read comes out as it was."""
    own: dict[str, object] = {
        "schema": SCHEMA,
        "version": record.version,
        "complete": record.complete,
        "begun": record.begun,
        "run": record.run,
        "peak_memory_bytes": record.peak_memory_bytes,
        "rejected": [asdict(each) for each in record.rejected],
    }
    if record.certificate is not None:
        own["certificate"] = asdict(record.certificate)
    if record.scaling is not None:
        own["scaling"] = scaling_document(record.scaling)
    return {
        "machine_info": record.machine_info,
        "commit_info": record.commit_info,
        "benchmarks": [row_document(row) for row in record.rows],
        "datetime": record.time,
        "version": record.benchmark_version,
        "shotmark": own,
    }


def row_document(row: Row) -> dict[str, object]:
    """One of ``benchmarks``."""
    left_out = [name for name in ("device_uuid", "before_s") if getattr(row, name) is None]
    left_out += LATER if row.cache is None else ()
    beside = {name: value for name, value in row.benchmark.items() if name not in ("options", "stats")}
    return {
        **beside,
        "extra_info": {name: getattr(row, name) for name in INFO if name not in left_out},
        "options": row.benchmark.get("options"),
        "stats": {**_stats(row), "data": row.samples_s},
    }


def _stats(row: Row) -> dict[str, object]:
    found = row.benchmark.get("stats")
    return found if isinstance(found, dict) else {}


def scaling_document(scaling: Mapping[str, Sequence[ScalingRow]]) -> dict[str, object]:
    """For the record and ``--json``."""
    return {shot: [asdict(row) for row in rows] for shot, rows in scaling.items()}


class Draft:
    """The record of a run that still goes on: what is known is set here, and ``save`` writes all of it anew."""

    def __init__(self, slot: Slot, run: Mapping[str, object]) -> None:
        self.slot = slot
        self.run = run  # what was asked for
        self.begun = datetime.now(UTC).isoformat()
        self.rows: dict[str, tuple[Row, ...]] = {}  # by identity of what was measured
        self.rejected: dict[str, tuple[Rejected, ...]] = {}
        self.scaling: dict[str, tuple[ScalingRow, ...]] = {}
        self.certificate: Certificate | None = None
        self.complete = False

    @property
    def path(self) -> Path:
        """Where the record lies once it was saved."""
        return self.slot.path

    def reject(self, identity: str, rejected: tuple[Rejected, ...]) -> None:
        """What did not verify has no rows."""
        self.rows.pop(identity, None)
        self.rejected[identity] = rejected

    def record(self) -> Record:
        """What would be written now."""
        described, commit = machine.describe(), machine.commit()
        return Record(
            path=self.slot.path,
            time=datetime.now(UTC).isoformat(),
            machine_id=described["id"],
            commit=commit["id"],
            clean=commit["clean"],
            complete=self.complete,
            run=dict(self.run),
            peak_memory_bytes=machine.peak_memory_bytes(),
            rows=tuple(row for rows in self.rows.values() for row in rows),
            rejected=tuple(each for several in self.rejected.values() for each in several),
            certificate=self.certificate,
            scaling=self.scaling or None,
            machine_info=machine.pytest_benchmark_view(described),
            commit_info=machine.pytest_benchmark_commit(commit),
            benchmark_version=pytest_benchmark.__version__,
            version=__version__,
            begun=self.begun,
        )

    def save(self) -> None:
        """Write the record, whole or not at all."""
        self.slot.write(dump(document_of(self.record())))
