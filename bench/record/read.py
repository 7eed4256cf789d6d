"""Reading records. They come from strangers: nothing is taken on trust.

Size, types, lengths, finite numbers and hashes are checked, and what is wrong is one line (UserError) that names file,
key and what was expected. Keys that this version does not know are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.base.errors import UserError
from bench.base.files import load_json
from bench.record.schema import BESIDE, INFO, RECORD_PLACES, ROW_COUNT_MAX, SCHEMA, Record, Row
from bench.record.store import all_record_paths
from bench.record.values import Text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
Place = tuple[int | str, ...]  # of a value inside others, as pydantic names it

# What pydantic says where a record holds something else than an object, a list or a value
WORDS = {"dataclass_type": "an object", "dict_type": "an object", "tuple_type": "a list", "missing": "a value"}


def read_record(path: Path) -> Record:
    """Read and check one record; raises UserError that names file, key and what was expected."""
    return parse_record(load_json(path), path)


def parse_record(document: object, path: Path) -> Record:
    """Check a document that was read from ``path``."""
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a record, a JSON object")
    own = document.get("shotmark")
    if not isinstance(own, dict):
        raise _refusal(path, "shotmark", "an object; this is no record of Shotmark")
    schema = own.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or not 1 <= schema < 2**63:
        raise _refusal(path, "shotmark.schema", "a whole number from 1")
    if schema != SCHEMA:
        found = f"{SCHEMA}, this file has {schema}: another version of Shotmark wrote it"
        raise _refusal(path, "shotmark.schema", found)
    machine = _object(document, "machine_info", path)
    described = _object(machine, "machine_info.shotmark", path)
    commit = _object(document, "commit_info", path)
    rows = _objects(document, "benchmarks", path)
    _check_run(own.get("run"), path)
    _objects(own, "shotmark.rejected", path)
    dirty = commit.get("dirty")
    flat: dict[str, object] = {
        name: own.get(key.rpartition(".")[2]) for name, key in RECORD_PLACES.items() if key.startswith("shotmark.")
    }
    flat |= {
        "path": path,
        "time": document.get("datetime"),
        "machine_info": machine,
        "machine_id": described.get("id"),
        "commit_info": commit,
        "commit": commit.get("id"),
        "clean": not dirty if isinstance(dirty, bool) else dirty,
        "rows": tuple(_parse_row(row, f"benchmarks[{index}]", path) for index, row in enumerate(rows)),
        "benchmark_version": document.get("version"),
    }
    return _validated(_record_adapter(), flat, path, _record_key)


def _check_run(run: object, path: Path) -> None:
    """What of the request is shown: the rest of it may say what it likes."""
    unused = run.get("gpu_unused") if isinstance(run, dict) else None
    if unused is not None:
        if not isinstance(unused, dict):
            raise _refusal(path, "shotmark.run.gpu_unused", "an object")
        for name, adapter in (("reason", _text_adapter()), ("helps", _text_or_null_adapter())):
            key = f"shotmark.run.gpu_unused.{name}"
            _validated(adapter, unused.get(name), path, lambda place, key=key: key)  # type: ignore[misc]


def _parse_row(row: dict[str, object], key: str, path: Path) -> Row:
    info, stats = _object(row, f"{key}.extra_info", path), _object(row, f"{key}.stats", path)
    flat = {name: info.get(name) for name in INFO}
    flat["samples_s"] = stats.get("data")
    flat["benchmark"] = {name: row[name] for name in BESIDE if name in row}
    return _validated(_row_adapter(), flat, path, lambda place: f"{key}.{_row_key(place)}")


@cache
def _record_adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


@cache
def _text_adapter() -> TypeAdapter[str]:
    from pydantic import TypeAdapter

    return TypeAdapter(Text)


@cache
def _text_or_null_adapter() -> TypeAdapter[str | None]:
    from pydantic import TypeAdapter

    return TypeAdapter(Text | None)


@cache
def _row_adapter() -> TypeAdapter[Row]:
    from pydantic import TypeAdapter

    return TypeAdapter(Row)


def _validated(adapter: TypeAdapter[T], flat: object, path: Path, key_of: Callable[[Place], str]) -> T:
    """What the adapter makes of the values; the first mistake in them is the line."""
    from pydantic import ValidationError

    try:
        return adapter.validate_python(flat)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _refusal(path, key_of(found["loc"]), WORDS.get(found["type"], found["msg"])) from None


def _record_key(place: Place) -> str:
    """``("certificate", "parts", 2, "line")`` -> ``shotmark.certificate.parts[2].line``."""
    inner = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:50]}" for step in place[1:])
    return RECORD_PLACES[str(place[0])] + inner


def _row_key(place: Place) -> str:
    """Which of the counts, but not which of the seconds: all of those have to be seconds."""
    name = str(place[0])
    if name == "samples_s":
        return "stats.data"
    return f"extra_info.{name}" + (f".{str(place[1])[:50]}" if name == "work" and len(place) > 1 else "")


def _refusal(path: Path, key: str, expected: str) -> UserError:
    return UserError(f"{path}: {key}: expected {expected}")


def _object(value: dict[str, object], key: str, path: Path) -> dict[str, object]:
    found = value.get(key.rpartition(".")[2])
    if not isinstance(found, dict):
        raise _refusal(path, key, "an object")
    return found


def _objects(value: dict[str, object], key: str, path: Path) -> list[dict[str, object]]:
    found = value.get(key.rpartition(".")[2])
    if not isinstance(found, list):
        raise _refusal(path, key, "a list")
    if len(found) > ROW_COUNT_MAX:
        raise _refusal(path, "benchmarks", f"at most {ROW_COUNT_MAX} rows")
    if not all(isinstance(each, dict) for each in found):
        raise _refusal(path, "benchmarks", "objects")
    return found


def list_records(results: Path) -> tuple[list[Record], list[str]]:
    """Every readable record below ``results``, oldest first, and one line for each file that is none."""
    records, lines = [], []
    for path in all_record_paths(results):
        try:
            records.append(read_record(path))
        except UserError as error:
            lines.append(str(error))
    return sorted(records, key=lambda record: (record.time, str(record.path))), lines


def newest_record(results: Path) -> Record:
    """The newest record that can be read; raises UserError where there is none."""
    records, _ = list_records(results)
    if not records:
        raise UserError(f"{results}: expected a record, found none; shotmark run makes one")
    return records[-1]


def find_record(name: str, results: Path) -> Record:
    """A record by path, or by the start of its name (``0003``) in the results folder; the newest of several."""
    if Path(name).is_file() or os.sep in name or name.endswith(".json"):
        return read_record(Path(name))
    paths = [path for path in all_record_paths(results) if name and path.name.startswith(name)]
    if not paths:
        raise UserError(f"{name}: expected a record's file, or the start of a record's name in {results}")
    return max((read_record(path) for path in paths), key=lambda record: record.time)
