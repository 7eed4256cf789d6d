"""Records stay whole whatever happens to the run, and a stranger's file is checked before it is believed."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import UserError
from bench.base.files import FILE_SIZE_MAX, write_atomically
from bench.measure.plugin import measure
from bench.record.read import find_record, list_records, read_record
from bench.record.store import all_record_paths, claim, record_paths
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, case
from tests.support.source_tree import ROOT


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run of one fake shot writes."""
    slot = measure([case()], [FakeBackend()], Workshop().makers(), tmp_path_factory.mktemp("results"), {})
    return json.loads(slot.path.read_text())  # type: ignore[no-any-return]


def write(folder: Path, document: Any, name: str = "0001_abc_20260101_000000.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_rows_come_back_as_they_were_written(document: dict[str, Any], tmp_path: Path) -> None:
    record = read_record(write(tmp_path, document))
    row = record.row("fake", "simulate")
    assert row is not None
    assert row.samples_s == tuple(
        r for b in document["benchmarks"] if "simulate" in b["name"] for r in b["stats"]["data"]
    )
    assert row.work["particle_substeps"] == 500
    assert len(row.work_sha256 or "") == 64
    assert record.row("fake", "simulate", backend="cupy") is None


def corrupt(document: dict[str, Any], keys: str, value: Any) -> dict[str, Any]:
    """A copy with one value replaced; ``keys`` are dot-separated, numbers index lists."""
    copy: Any = json.loads(json.dumps(document))
    place = copy
    *parents, last = [int(key) if key.isdigit() else key for key in keys.split(".")]
    for key in parents:
        place = place[key]
    place[last] = value
    return copy  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("shotmark", None),
        ("shotmark.schema", 99),
        ("shotmark.schema", "1"),
        ("shotmark.schema", True),
        ("shotmark.complete", "yes"),
        ("shotmark.rejected", {}),
        ("shotmark.rejected", [1]),
        ("benchmarks", {}),
        ("benchmarks", [None]),
        ("benchmarks.0.stats", None),
        ("benchmarks.0.stats.data", []),
        ("benchmarks.0.stats.data", [-1.0]),
        ("benchmarks.0.stats.data", ["1"]),
        ("benchmarks.0.stats.data", [True]),
        ("benchmarks.0.stats.data", [1e300]),
        ("benchmarks.0.stats.data", [10**400]),
        ("benchmarks.0.extra_info.stage", "nap"),
        ("benchmarks.0.extra_info.shot", "../../etc/passwd"),
        ("benchmarks.0.extra_info.shot", "<b>x</b>"),
        ("benchmarks.0.extra_info.shot", "x" * 1000),
        ("benchmarks.0.extra_info.frame", -1),
        ("benchmarks.0.extra_info.frame", 2**70),
        ("benchmarks.0.extra_info.threads", 0),
        ("benchmarks.0.extra_info.verified", "sure"),
        ("benchmarks.0.extra_info.state_sha256", "ABC"),
        ("benchmarks.0.extra_info.work", []),
        ("benchmarks.0.extra_info.work", {"x": {}}),
        ("benchmarks.0.extra_info.cold_s", -1),
        ("benchmarks.0.extra_info.kernels_s", {"k": "fast"}),
        ("machine_info", []),
        ("machine_info.shotmark.id", "../x"),
        ("commit_info.dirty", "no"),
        ("datetime", 5),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_key(
    document: dict[str, Any], tmp_path: Path, keys: str, value: Any
) -> None:
    path = write(tmp_path, corrupt(document, keys, value))
    with pytest.raises(UserError) as caught:
        read_record(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and "expected" in line and "\n" not in line and len(line) < 600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a": NaN}',
        '{"a": 1e999}',
        "[" * 100_000,
        '{"a": ' + "9" * 10_000 + "}",
        "\x00",
        '"\\ud800"',
    ],
)
def test_a_file_that_is_no_record_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_record(write(tmp_path, text))
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)


@pytest.mark.needs("os.mkfifo")
def test_odd_files_are_refused_without_reading_or_waiting(tmp_path: Path) -> None:
    pipe, folder, big, binary = (tmp_path / name for name in ("pipe", "folder", "big", "binary"))
    os.mkfifo(pipe)
    folder.mkdir()
    with open(big, "wb") as file:
        file.truncate(FILE_SIZE_MAX + 1)
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (pipe, folder, big, binary, tmp_path / "nothing"):
        with pytest.raises(UserError):
            read_record(path)


def test_a_listing_leaves_broken_files_out_and_names_them(document: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "m", document)
    whole = json.dumps(document)
    write(tmp_path / "m", whole[: len(whole) // 2], "0002_abc_x.json")
    write(tmp_path / "m", "{}", "0003_abc_x.json")
    write(tmp_path / "m", "not looked at", "notes.json")
    records, lines = list_records(tmp_path)
    assert [record.path.name[:4] for record in records] == ["0001"]
    assert len(lines) == 2


def test_a_record_is_found_by_the_start_of_its_name(document: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "m", document)
    assert find_record("0001", tmp_path).path == path
    assert find_record(str(path), tmp_path).path == path
    for name in ("0009", "", "../m"):
        with pytest.raises(UserError):
            find_record(name, tmp_path)


def test_pytest_benchmark_lists_and_compares_records(document: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "machine-a", document)
    write(tmp_path / "machine-b", document, "0001_def_20260102_000000.json")
    for command in (["list"], ["compare"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_benchmark", "--storage", f"file://{tmp_path}", *command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert "0001_abc" in done.stdout and "0001_def" in done.stdout


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["record.json"]


@pytest.mark.needs("resource.RLIMIT_FSIZE", "signal.SIGXFSZ")
def test_a_file_size_limit_is_met_as_a_full_disk(tmp_path: Path) -> None:
    """The kernel's own refusal, not a fake: RLIMIT_FSIZE makes the write fail half-way."""
    script = """
import resource, signal, sys
from pathlib import Path
from bench.base.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
write_atomically(path, b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(path, b"x" * 100_000)
except OSError as error:
    print(error.filename == str(path))
"""
    path = tmp_path / "record.json"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["record.json"]


def _claim_and_write(folder: str, count: int) -> None:
    for index in range(count):
        claim(Path(folder), f"abc_{os.getpid()}_{index}").write(b"{}")


def test_runs_at_the_same_time_never_share_a_number(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_claim_and_write, args=(str(tmp_path), 12)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    numbers = [path.name[:4] for path in record_paths(tmp_path)]
    assert len(numbers) == 48 == len(set(numbers))
    assert sorted(numbers) == [f"{i:04d}" for i in range(1, 49)]
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]


def test_a_claim_holds_until_it_is_written_or_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    first, second = claim(folder, "a"), claim(folder, "b")
    assert [first.path.name, second.path.name] == ["0001_a.json", "0002_b.json"]
    second.release()
    assert claim(folder, "c").path.name == "0002_c.json"  # nobody keeps this one: it is free again
    first.write(b"{}")
    assert claim(folder, "d").path.name == "0002_d.json"
    assert record_paths(folder) == [first.path] == all_record_paths(tmp_path)


CLAIMER = """
import sys, time
from pathlib import Path
from bench.record.store import claim
slot = claim(Path(sys.argv[1]), "killed")
print(slot.path.name, flush=True)
time.sleep(600.0)
"""


def test_a_killed_run_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "0001_killed.json\n"
    alive = claim(tmp_path, "beside")
    assert alive.path.name == "0002_beside.json"
    alive.release()
    process.kill()
    process.wait()
    process.stdout.close()
    claim(tmp_path, "next").write(b"{}")
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "0001_next.json"}


def test_what_a_killed_write_left_goes_when_it_is_old(tmp_path: Path) -> None:
    old, new = tmp_path / ".shotmark-1-00.tmp", tmp_path / ".shotmark-2-00.tmp"
    for path in (old, new):
        path.write_text("half a rec")
    os.utime(old, (0.0, 0.0))
    claim(tmp_path, "a").release()
    assert {path.name for path in tmp_path.iterdir()} == {".lock", new.name}


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder"):
        claim(tmp_path / "file", "x")
    with pytest.raises(UserError, match="expected a folder"):
        claim(tmp_path / "file" / "below", "x")


WRITER = """
import sys
from pathlib import Path
from bench.measure.plugin import measure
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, case
print("ready", flush=True)
while True:
    measure([case("one"), case("two")], [FakeBackend()], Workshop().makers(), Path(sys.argv[1]), {})
"""


@pytest.mark.slow
def test_kill_at_twenty_moments_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    kept: dict[Path, int] = {}
    moment = 0
    while moment < 20 or len(kept) < 20:  # on a busy machine a run gets less far before it is killed
        assert moment < 200
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.037 * (moment % 20))
        moment += 1
        process.kill()
        process.wait()
        process.stdout.close()
        records, lines = list_records(tmp_path)
        assert lines == []
        now = {record.path: sum(len(row.samples_s) for row in record.rows) for record in records}
        assert all(now[path] == size for path, size in kept.items()), "an older record changed"
        kept = now
    assert len(kept) >= 20
    # The next run works and takes the next number.
    slot = measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {})
    assert int(slot.path.name[:4]) > max(int(path.name[:4]) for path in kept)
