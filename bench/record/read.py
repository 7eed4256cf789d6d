"""Reading records. They come from strangers: nothing is taken on trust.

Size, types, lengths, finite numbers and hashes are checked, and what is wrong is one line (UserError) that names file,
key and what was expected. Keys that this version does not know are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.base.errors import UserError
from bench.base.files import load_json
from bench.record.schema import BESIDE, INFO, RECORD_PLACES, ROW_COUNT_MAX, SCHEMA, Record, Row
from bench.record.store import RECORD_NAME, all_record_paths, record_number
from bench.record.values import Text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
Place = tuple[int | str, ...]  # of a value inside others, as pydantic names it
Tell = Callable[[str], None]  # is given a line for the user, beside what was asked for

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
    return _readable(all_record_paths(results))


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records oldest first: by number within a folder, whatever their dates say, and by date between folders.

    A clock that was set back makes no record older than one of a lower number: it counts as of the same moment.
    """
    folders: dict[Path, list[Record]] = {}
    for record in records:
        numbered = RECORD_NAME.fullmatch(record.path.name)
        folders.setdefault(record.path.parent if numbered else record.path, []).append(record)
    placed: list[tuple[datetime, str, int, str, Record]] = []
    for folder, found in folders.items():
        latest = datetime.min.replace(tzinfo=UTC)
        for number, name, record in sorted(((_number(r), r.path.name, r) for r in found), key=lambda one: one[:2]):
            latest = max(latest, _moment(record))
            placed.append((latest, str(folder), number, name, record))
    return [record for *_, record in sorted(placed, key=lambda one: one[:4])]


def _number(record: Record) -> int:
    return record_number(record.path) if RECORD_NAME.fullmatch(record.path.name) else 0


def _moment(record: Record) -> datetime:
    """When it was written; the beginning of time where its text is no date."""
    try:
        found = datetime.fromisoformat(record.time)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def newest_record(
    results: Path,
    tell: Tell = lambda line: None,
    wanted: Callable[[Record], bool] = lambda record: True,
    what: str = "a record",
) -> Record:
    """The newest record that is wanted; raises UserError where there is none.

    Told of files that cannot be read, where dates of several machines decided, and where its own is not the latest.
    """
    records, lines = list_records(results)
    for line in lines:
        tell(f"left out: {line}")
    found = [record for record in records if wanted(record)]
    if not found:
        raise UserError(f"{results}: expected {what}, found none; shotmark run makes one")
    newest = found[-1]
    machines = len({record.path.parent for record in found})
    if machines > 1:
        tell(f"{results}: records of {machines} machines, the newest by its date is {newest.path}")
    elif _moment(newest) < max(map(_moment, found)):
        tell(f"{newest.path}: an earlier record has a later date; the newest is the one of the highest number")
    return newest


def find_record(name: str, results: Path, tell: Tell = lambda line: None) -> Record:
    """A record by path, or by the start of its name (``0003``) in the results folder.

    Of several this machine's, of those the newest; told which were meant. A whole number is no start of a longer one.
    """
    if Path(name).is_file() or os.sep in name:
        return read_record(Path(name))
    paths = [path for path in all_record_paths(results) if name and path.name.startswith(name)]
    paths = [path for path in paths if path.name.startswith(f"{name}_")] or paths
    if not paths:
        if name.endswith(".json"):
            return read_record(Path(name))
        raise UserError(f"{name}: expected a record's file, or the start of a record's name in {results}")
    if len(paths) == 1:
        return read_record(paths[0])
    found, lines = _readable(paths)
    if not found:
        raise UserError(lines[0])
    for line in lines:
        tell(f"left out: {line}")
    if len(found) == 1:
        return found[0]
    this = _this_machine()
    here = [record for record in found if record.machine_id == this]
    chosen = (here or found)[-1]
    taken = "this machine's newest" if len(here) > 1 else "this machine's" if here else "the newest"
    tell(f"{name}: {_what_fits(found)} fit; taken is {taken}, {chosen.path}")
    return chosen


def _what_fits(found: Sequence[Record]) -> str:
    """``3 records of 2 machines, with numbers 0001, 0002``."""
    machines = len({record.path.parent for record in found})
    numbers = sorted({record.path.name.partition("_")[0] for record in found})
    of = f" of {machines} machines" if machines > 1 else ""
    some = ", ".join(numbers[:5]) + (" ..." if len(numbers) > 5 else "")
    return f"{len(found)} records{of}" + (f" with numbers {some}" if len(numbers) > 1 else "")


def _readable(paths: Iterable[Path]) -> tuple[list[Record], list[str]]:
    """The records that can be read, oldest first, and one line for each file that cannot."""
    records, lines = [], []
    for path in paths:
        try:
            records.append(read_record(path))
        except UserError as error:
            lines.append(str(error))
    return in_order(records), lines


def _this_machine() -> str:
    """What this machine is called in the records that it writes."""
    from bench.record import machine

    return machine.describe()["id"]
