"""One schema reads and writes: what was written by any version comes back, and what is wrong is told in fixed words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import UserError
from bench.base.files import dump, load_json
from bench.record.read import newest_record, parse_record, read_record
from bench.record.schema import SCHEMA, ScalingRow
from bench.record.store import claim
from bench.record.write import Draft, document_of
from tests.support.source_tree import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
CERTIFICATE, REJECTED = FIXTURES / "certificate.json", FIXTURES / "rejected.json"  # of a version before this schema
COMMITTED = sorted((ROOT / "results").glob("**/[0-9]*.json"))


def test_there_are_records_of_every_kind() -> None:
    runs = [read_record(path) for path in COMMITTED]
    assert {record.run.get("series") for record in runs} == {None, "sizes", "frames", "workers"}
    assert {row.cache for record in runs for row in record.rows} == {None, "warm"}, "rows with and without LATER"
    certificate = read_record(CERTIFICATE).certificate
    assert certificate is not None and certificate.complete and certificate.parts[1].part == "twins"
    assert certificate.parts[1].data == {"sizes": {"mpm_key": [1], "mpm_sort": [1]}, "wrong": {}}
    assert [entry.stage for entry in read_record(REJECTED).rejected][:2] == ["frame", "simulate"]


@pytest.mark.parametrize(
    "path", [*COMMITTED, CERTIFICATE, REJECTED], ids=lambda path: f"{path.parent.name}-{path.name[:4]}"
)
def test_a_record_that_is_read_and_written_is_the_same(path: Path) -> None:
    written = dump(document_of(read_record(path)))
    assert json.loads(written) == load_json(path)
    assert written == path.read_bytes(), "order and number format are the same too"


def test_a_draft_comes_back_as_it_was(tmp_path: Path) -> None:
    draft = Draft(claim(tmp_path, "abc_20260101_000000"), {"asked": "for"})
    row = read_record(COMMITTED[0]).rows[0]
    draft.rows["wave-S-numba"] = (row,)
    draft.scaling["wave"] = (ScalingRow(1, 6, 2.0, {"GPU 0": 6}), ScalingRow(2, 6, 1.5, {"GPU 0": 3, "GPU 1": 3}))
    draft.save()
    record = read_record(draft.path)
    assert record.rows == (row,) and record.scaling == draft.scaling and record.run == {"asked": "for"}
    assert not record.complete and record.begun == draft.begun and record.rejected == ()
    draft.reject("wave-S-numba", read_record(REJECTED).rejected)
    draft.save()
    record = read_record(draft.path)
    assert record.rows == () and record.rejected == read_record(REJECTED).rejected


def corrupt(path: Path, keys: str, value: Any) -> dict[str, Any]:
    """A record with one value replaced; ``keys`` are dot-separated, numbers index lists."""
    document: Any = load_json(path)
    place = document
    *parents, last = [int(key) if key.isdigit() else key for key in keys.split(".")]
    for key in parents:
        place = place[key]
    place[last] = value
    return document  # type: ignore[no-any-return]


INFO, AT = "benchmarks.0.extra_info", "benchmarks[0].extra_info"
NAME = "a name of letters, digits, '.', '_' and '-'"
SECONDS = "seconds, a finite number that is not negative"
STAGE = "one of simulate, surface, trace, resolve, encode, kernels, resident, frame"


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        ("shotmark", 1, "shotmark: expected an object; this is no record of Shotmark"),
        ("shotmark.schema", "1", "shotmark.schema: expected a whole number from 1"),
        (
            "shotmark.schema",
            99,
            "shotmark.schema: expected 1, this file has 99: another version of Shotmark wrote it",
        ),
        ("shotmark.complete", 1, "shotmark.complete: expected true or false"),
        ("shotmark.run", [], "shotmark.run: expected an object"),
        ("shotmark.peak_memory_bytes", -1, "shotmark.peak_memory_bytes: expected a whole number from 0"),
        ("shotmark.rejected", {}, "shotmark.rejected: expected a list"),
        ("machine_info.shotmark.id", "../x", f"machine_info.shotmark.id: expected {NAME}"),
        ("commit_info.dirty", "no", "commit_info.dirty: expected true, false or null"),
        ("commit_info.id", 5, "commit_info.id: expected text"),
        ("datetime", None, "datetime: expected text"),
        ("datetime", "x" * 501, "datetime: expected at most 500 characters"),
        ("benchmarks", [1], "benchmarks: expected objects"),
        ("benchmarks", [{}] * 10_001, "benchmarks: expected at most 10000 rows"),
        (INFO, [], f"{AT}: expected an object"),
        (f"{INFO}.shot", None, f"{AT}.shot: expected text"),
        (f"{INFO}.stage", "nap", f"{AT}.stage: expected {STAGE}"),
        (f"{INFO}.threads", True, f"{AT}.threads: expected a whole number from 1"),
        (f"{INFO}.frame", 1.0, f"{AT}.frame: expected a whole number from 0"),
        (f"{INFO}.verified", "sure", f'{AT}.verified: expected "golden", "repeat" or null'),
        (f"{INFO}.work_sha256", "0" * 63, f"{AT}.work_sha256: expected 64 hex digits or null"),
        (f"{INFO}.work", {"x": []}, f"{AT}.work.x: expected a number, text or null"),
        (f"{INFO}.kernels_s", {"k": -1}, f"{AT}.kernels_s: expected {SECONDS}"),
        (f"{INFO}.cold_s", "1", f"{AT}.cold_s: expected {SECONDS}"),
        ("benchmarks.0.stats.data", {}, "benchmarks[0].stats.data: expected a list of seconds"),
        ("benchmarks.0.stats.data", [], "benchmarks[0].stats.data: expected 1 to 100000 samples"),
        ("benchmarks.0.stats.data", [1.0, 2e9], f"benchmarks[0].stats.data: expected {SECONDS}"),
    ],
)
def test_a_wrong_value_is_told_in_these_words(keys: str, value: Any, line: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_record(corrupt(COMMITTED[1], keys, value), Path("a.json"))
    assert str(caught.value) == f"a.json: {line}"


@pytest.mark.parametrize(
    ("path", "keys", "value", "line"),
    [
        (REJECTED, "shotmark.rejected.2.stage", "nap", "shotmark.rejected[2].stage: expected one of simulate"),
        (REJECTED, "shotmark.rejected.0.expected", {"state": 1}, "shotmark.rejected[0].expected.state: expected text"),
        (REJECTED, "shotmark.rejected.0", {}, "shotmark.rejected[0].shot: expected a value"),
        (REJECTED, f"{INFO}.joules", ["much"], f"{AT}.joules: expected a number"),
        (REJECTED, f"{INFO}.throttled_s", 1.0, f"{AT}.throttled_s: expected a list of seconds"),
        (REJECTED, f"{INFO}.device", 0, f"{AT}.device: expected text"),
        (CERTIFICATE, "shotmark.certificate", [], "shotmark.certificate: expected an object"),
        (CERTIFICATE, "shotmark.certificate.parts", {}, "shotmark.certificate.parts: expected a list"),
        (CERTIFICATE, "shotmark.certificate.parts.1.line", 5, "shotmark.certificate.parts[1].line: expected text"),
        (CERTIFICATE, "shotmark.scaling", {"wave": [1]}, "shotmark.scaling.wave[0]: expected an object"),
    ],
)
def test_what_was_not_looked_at_before_is_no_more_trusted(path: Path, keys: str, value: Any, line: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_record(corrupt(path, keys, value), Path("a.json"))
    assert str(caught.value).startswith(f"a.json: {line}") and "\n" not in str(caught.value)


def add_keys(document: Any) -> None:
    """What a later version of the same schema may write beside what is known."""
    for place in (document, document["shotmark"], document["benchmarks"][0]["extra_info"], document["commit_info"]):
        place["from_tomorrow"] = {"a": [1]}


def drop_optional(document: Any) -> None:
    for row in document["benchmarks"]:
        for name in ("threads", "verified", "cold_s", "compile_s", "kernels_s", "device", "joules"):
            row["extra_info"].pop(name, None)


@pytest.mark.parametrize("change", [add_keys, drop_optional])
def test_keys_that_are_not_known_or_not_there_do_not_hinder(change: Callable[[Any], None]) -> None:
    document = load_json(COMMITTED[1])
    change(document)
    record = parse_record(document, Path("a.json"))
    assert len(record.rows) == len(read_record(COMMITTED[1]).rows)
    assert document_of(record)["shotmark"]["schema"] == SCHEMA  # type: ignore[index]


def test_the_newest_record_is_found_and_none_is_a_line(tmp_path: Path) -> None:
    assert newest_record(ROOT / "results").path in COMMITTED
    with pytest.raises(UserError, match="expected a record, found none"):
        newest_record(tmp_path)


def test_pydantic_is_imported_with_the_first_record_not_before() -> None:
    program = (
        "import sys, bench.record.read, bench.record.write, bench.record.compare, bench.report.tables;"
        "assert 'pydantic' not in sys.modules and 'scipy' not in sys.modules;"
        "from pathlib import Path; bench.record.read.list_records(Path('results')); assert 'pydantic' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
