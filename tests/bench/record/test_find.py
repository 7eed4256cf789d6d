"""Which record is meant: the number decides on one machine, and what decides between several is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.errors import UserError
from bench.cli.main import main
from bench.record import read
from bench.record.read import find_record, in_order, list_records, newest_record, read_record
from tests.support.source_tree import ROOT

WHOLE = json.loads(next((ROOT / "results").glob("*/0004_*.json")).read_text(encoding="utf-8"))


def put(results: Path, machine: str, number: str, day: str, **changes: Any) -> Path:
    """A record of a machine, by its number and the date in it."""
    document = json.loads(json.dumps(WHOLE))
    document["datetime"] = day if "T" in day or not day[:1].isdigit() else f"{day}T12:00:00+00:00"
    document["machine_info"]["shotmark"]["id"] = machine
    document |= changes
    path = results / machine / f"{number}_abc_x.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def this(monkeypatch: pytest.MonkeyPatch) -> str:
    """What this machine is called."""
    monkeypatch.setattr(read, "_this_machine", lambda: "this")
    return "this"


@pytest.fixture
def told() -> list[str]:
    return []


def test_the_number_decides_whatever_the_clock_said(tmp_path: Path, told: list[str]) -> None:
    paths = [
        put(tmp_path, "m", f"{n:04d}", day) for n, day in ((1, "2026-03-01"), (2, "2026-03-02"), (3, "2019-01-01"))
    ]
    assert [record.path for record in list_records(tmp_path)[0]] == paths
    assert newest_record(tmp_path, told.append).path == paths[2]
    assert told == [f"{paths[2]}: an earlier record has a later date; the newest is the one of the highest number"]


def test_numbers_of_more_digits_are_newer(tmp_path: Path, told: list[str]) -> None:
    small, large = put(tmp_path, "m", "9999", "2026-03-01"), put(tmp_path, "m", "10000", "2026-03-02")
    assert [record.path for record in list_records(tmp_path)[0]] == [small, large]
    assert newest_record(tmp_path, told.append).path == large and told == []


def test_between_machines_the_date_decides_and_that_is_said(tmp_path: Path, told: list[str]) -> None:
    put(tmp_path, "a", "0007", "2026-03-01")
    newest = put(tmp_path, "b", "0002", "2026-03-05")
    assert newest_record(tmp_path, told.append).path == newest
    assert told == [f"{tmp_path}: records of 2 machines, the newest by its date is {newest}"]


def test_a_date_is_a_moment_not_a_text(tmp_path: Path) -> None:
    """Nine in the morning in Shanghai is before two at night in London; no date is before all."""
    shanghai = put(tmp_path, "a", "0001", "2026-03-05T09:00:00+08:00")
    london = put(tmp_path, "b", "0001", "2026-03-05T02:00:00+00:00")
    naive = put(tmp_path, "c", "0001", "2026-03-05T01:30:00")
    never = put(tmp_path, "d", "0001", "yesterday")
    assert [record.path for record in list_records(tmp_path)[0]] == [never, shanghai, naive, london]


def test_order_does_not_depend_on_how_records_come(tmp_path: Path) -> None:
    for machine in "ab":
        for number, day in (("0001", "2026-03-04"), ("0002", "2019-01-01"), ("0003", "2026-03-09")):
            put(tmp_path, machine, number, day)
    found = list_records(tmp_path)[0]
    assert [record.path for record in in_order(reversed(found))] == [record.path for record in found]


def test_a_file_that_is_no_record_is_said(tmp_path: Path, told: list[str]) -> None:
    put(tmp_path, "m", "0001", "2026-03-01")
    (tmp_path / "m" / "0002_abc_x.json").write_text('{"cut')
    assert newest_record(tmp_path, told.append).path.name.startswith("0001")
    assert len(told) == 1 and told[0].startswith(f"left out: {tmp_path / 'm' / '0002_abc_x.json'}: ")


def test_of_several_that_fit_this_machines_is_taken_and_that_is_said(
    tmp_path: Path, told: list[str], this: str
) -> None:
    ours = put(tmp_path, this, "0001", "2026-03-01")
    put(tmp_path, "zebra", "0001", "2026-03-09")
    assert find_record("0001", tmp_path, told.append).path == ours
    assert told == [f"0001: 2 records of 2 machines fit; taken is this machine's, {ours}"]


def test_of_several_strangers_the_newest_is_taken_and_that_is_said(tmp_path: Path, told: list[str], this: str) -> None:
    put(tmp_path, "a", "0001", "2026-03-01")
    newest = put(tmp_path, "b", "0001", "2026-03-09")
    assert find_record("0001", tmp_path, told.append).path == newest
    assert told == [f"0001: 2 records of 2 machines fit; taken is the newest, {newest}"]


def test_a_part_of_a_number_says_which_numbers_it_fits(tmp_path: Path, told: list[str], this: str) -> None:
    for number in range(1, 8):
        put(tmp_path, this, f"{number:04d}", f"2026-03-{10 - number:02d}")
    found = find_record("000", tmp_path, told.append)
    assert found.path.name.startswith("0007"), "the number decides, not the date"
    numbers = "0001, 0002, 0003, 0004, 0005 ..."
    assert told == [f"000: 7 records with numbers {numbers} fit; taken is this machine's newest, {found.path}"]


def test_a_whole_number_is_no_start_of_a_longer_one(tmp_path: Path, told: list[str]) -> None:
    short, long = put(tmp_path, "m", "1000", "2026-03-01"), put(tmp_path, "m", "10000", "2026-03-02")
    assert find_record("1000", tmp_path, told.append).path == short
    assert find_record("10000", tmp_path, told.append).path == long and told == []


def test_one_that_cannot_be_read_does_not_hide_the_other(tmp_path: Path, told: list[str]) -> None:
    good = put(tmp_path, "a", "0001", "2026-03-01")
    bad = put(tmp_path, "b", "0001", "2026-03-01")
    bad.write_text("[]")
    assert find_record("0001", tmp_path, told.append).path == good
    assert len(told) == 1 and str(bad) in told[0]
    good.write_text("[]")
    with pytest.raises(UserError, match="expected a record, a JSON object"):
        find_record("0001", tmp_path)


def test_a_record_is_found_by_its_whole_name_with_or_without_the_ending(tmp_path: Path) -> None:
    path = put(tmp_path, "m", "0001", "2026-03-01")
    assert find_record(path.stem, tmp_path).path == path == find_record(path.name, tmp_path).path
    with pytest.raises(UserError, match="No such file"):
        find_record("0002_abc.json", tmp_path)


@pytest.mark.parametrize("command", [("report", "0001"), ("compare", "0001", "0002", "--json")])
def test_commands_say_it_beside_their_output(tmp_path: Path, command: tuple[str, ...], this: str) -> None:
    for machine in (this, "zebra"):
        for number in ("0001", "0002"):
            put(tmp_path, machine, number, "2026-03-01")
    done = CliRunner().invoke(main, [*command, "--results", str(tmp_path)])
    assert done.exit_code == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines and all("2 records of 2 machines fit; taken is this machine's" in line for line in lines)
    assert "records of" not in done.stdout
    if "--json" in command:
        document = json.loads(done.stdout)
        assert document["a"]["machine"] == document["b"]["machine"] == this


def test_the_newest_of_several_machines_is_told_by_report(tmp_path: Path) -> None:
    put(tmp_path, "a", "0001", "2026-03-01")
    newest = put(tmp_path, "b", "0001", "2026-03-09")
    done = CliRunner().invoke(main, ["report", "--results", str(tmp_path)])
    assert done.stderr == f"shotmark: {tmp_path}: records of 2 machines, the newest by its date is {newest}\n"
    assert read_record(newest).rows
