"""Claims: one makes a thing, others wait; whoever is gone holds nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.pipeline.folder import claims
from bench.pipeline.folder.claims import Claims, machine
from tests.support.source_tree import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from bench.pipeline.folder.claims import Claims
with Claims(Path(sys.argv[1])).take("it", lambda: False):
    print("has it", flush=True)
    time.sleep(600.0)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert process.stdout is not None and process.stdout.readline() == "has it\n"
    return process


def test_of_many_who_ask_one_makes_it(tmp_path: Path) -> None:
    made, finished = [], threading.Event()

    def work(number: int) -> None:
        claim = Claims(tmp_path).take("it", finished.is_set)
        if claim is not None:
            with claim:
                made.append(number)
                time.sleep(0.3)
                finished.set()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    assert len(made) == 1 and list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_claimed(tmp_path: Path) -> None:
    assert Claims(tmp_path).take("it", lambda: True) is None and list(tmp_path.iterdir()) == []


def test_a_holder_that_works_is_waited_for_and_one_that_was_killed_is_not(tmp_path: Path) -> None:
    process, told = holder(tmp_path), list[str]()
    looks = iter([False, False, True])
    try:
        assert Claims(tmp_path).live() == ["it"]
        assert Claims(tmp_path).take("it", lambda: next(looks), told.append) is None
        assert told == [f"it: process {process.pid} makes it"] * 2
    finally:
        process.kill()
        process.communicate()
    assert Claims(tmp_path).live() == []
    claim = Claims(tmp_path).take("it", lambda: False)
    assert claim is not None
    with claim:
        assert Claims(tmp_path).live() == ["it"]
    assert list(tmp_path.iterdir()) == []


def elsewhere(tmp_path: Path, age_s: float) -> None:
    """A claim of a process of another machine."""
    path = tmp_path / "it"
    path.write_text(json.dumps({"machine": "another one", "pid": os.getpid(), "token": "0"}))
    os.utime(path, (path.stat().st_mtime - age_s,) * 2)


def test_a_holder_elsewhere_is_known_by_its_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the file system's clock: this machine's says anything."""
    monkeypatch.setattr(time, "time", lambda: 1.0)
    elsewhere(tmp_path, 0.5 * claims.STALE_S)
    assert Claims(tmp_path).live() == ["it"]
    elsewhere(tmp_path, 1.1 * claims.STALE_S)
    assert Claims(tmp_path).live() == []
    claim = Claims(tmp_path).take("it", lambda: False)
    assert claim is not None and json.loads((tmp_path / "it").read_text())["machine"] == machine()


def test_a_sign_of_life_is_given(tmp_path: Path) -> None:
    claim = Claims(tmp_path, beat_s=0.02).take("it", lambda: False)
    assert claim is not None
    path = tmp_path / "it"
    with claim:
        for _ in range(3):
            os.utime(path, (0, 0))
            while path.stat().st_mtime == 0:
                time.sleep(0.01)
        path.unlink()  # taken over: nothing to give a sign of
        time.sleep(0.1)
        assert not path.exists()


def test_two_who_take_over_do_not_take_each_other_s(tmp_path: Path) -> None:
    """The second has seen the stale claim, and comes when the first has put its own in its place."""
    elsewhere(tmp_path, 2 * claims.STALE_S)
    second = Claims(tmp_path)
    seen = second._holder(tmp_path / "it")
    claim = Claims(tmp_path).take("it", lambda: False)
    assert claim is not None and seen is not None
    ours = (tmp_path / "it").read_text()
    second._take_away(tmp_path / "it", seen)
    assert (tmp_path / "it").read_text() == ours


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"pid": "x", "machine": 3}', b"[" * 5000])
def test_a_claim_that_says_nothing_goes_by_its_age(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)
    assert Claims(tmp_path).live() == ["it"]
    os.utime(path, (1.0, 1.0))
    claim = Claims(tmp_path).take("it", lambda: False)
    assert claim is not None
    with claim:
        assert Claims(tmp_path).live() == ["it"]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*names: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", link)
    claim = Claims(tmp_path).take("it", lambda: False)
    assert claim is not None
    looks = iter([False, True])
    with claim:
        assert Claims(tmp_path).take("it", lambda: next(looks)) is None
