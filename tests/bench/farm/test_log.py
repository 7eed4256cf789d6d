"""The log of a farm's runs: whole lines, whatever ended the run before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bench.farm.log import FarmLog, read_log


def test_events_come_back_in_order(tmp_path: Path) -> None:
    log = FarmLog(tmp_path, lambda: 12.3456789)
    assert log.write("begin", frames=[1, 2]) == 12.345679
    log.write("end", outcome="done")
    assert list(read_log(log.path)) == [
        {"event": "begin", "at_s": 12.345679, "frames": [1, 2]},
        {"event": "end", "at_s": 12.345679, "outcome": "done"},
    ]


def test_half_a_line_costs_that_line_alone(tmp_path: Path) -> None:
    FarmLog(tmp_path).write("begin")
    with open(tmp_path / "log.jsonl", "ab") as file:
        file.write(b'{"event": "task", "ma')
    FarmLog(tmp_path).write("begin")
    assert [one["event"] for one in read_log(tmp_path / "log.jsonl")] == ["begin", "begin"]


def test_a_log_that_is_not_there_or_none_is_empty(tmp_path: Path) -> None:
    assert list(read_log(tmp_path / "log.jsonl")) == []
    (tmp_path / "log.jsonl").write_bytes(b'[]\n{"event": 3}\n\xff\n')
    assert list(read_log(tmp_path / "log.jsonl")) == []


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FarmLog(tmp_path)
    monkeypatch.setattr(os, "write", lambda handle, content: len(content) // 2)
    with pytest.raises(OSError, match="No space") as caught:
        log.write("begin")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(log.path)
