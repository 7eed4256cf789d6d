"""The process of a command: streams of every encoding, readers that go away, signals, packages with our names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.base.errors import EXIT_DEFECT, EXIT_UNAVAILABLE, Stopped
from bench.cli import start
from tests.support.source_tree import ROOT, copy_project
from tests.support.tiny_shot import write_tiny_shot

SHOTMARK = [sys.executable, "-m", "bench"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
NEEDS_DEV_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
NEEDS_SIGNALS = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to answer")


def shotmark(*words: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = {**ENVIRONMENT, **environment}
    return subprocess.run([*SHOTMARK, *words], cwd=folder, env=env, capture_output=True)


# --- who reads, and in which encoding -------------------------------------------------------------
@pytest.mark.parametrize("words", [["compare", "0002", "0004"], ["report", "0004"], ["shots"], ["project", "0004"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str]) -> None:
    with subprocess.Popen(
        [*SHOTMARK, *words], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 0 and told == b""


def test_a_reader_that_goes_away_does_not_hide_a_failed_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = (
        "import click, sys\n"
        "from bench.cli import main, start\n"
        "@click.command()\n@click.pass_context\n"
        "def failing(context):\n"
        "    [click.echo('x' * 100) for _ in range(10_000)]\n"
        "    context.exit(1)\n"
        "main.LazyGroup.get_command = lambda self, ctx, name: failing\n"
        "sys.argv = ['shotmark', 'run']\n"
        "start.main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == 1


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "gbk", "cp1252", "utf-16"])
@pytest.mark.parametrize("words", [["compare", "0002", "0004"], ["report", "0004"]])
def test_an_encoding_replaces_what_it_lacks(encoding: str, words: list[str]) -> None:
    done = shotmark(*words, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and done.stderr == b""
    assert len(done.stdout) > 500 and "170" in done.stdout.decode(encoding, errors="replace")


def test_the_c_locale_is_no_error() -> None:
    done = shotmark("compare", "0002", "0004", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 0 and done.stderr == b"" and b"95 % interval" in done.stdout


@NEEDS_DEV_FULL
def test_a_full_disk_under_the_output_is_one_line() -> None:
    for buffered in ("", "1"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*SHOTMARK, "compare", "0002", "0004"],
                cwd=ROOT,
                env={**ENVIRONMENT, "PYTHONUNBUFFERED": buffered},
                stdout=full,
                stderr=subprocess.PIPE,
            )
        assert done.returncode == 2
        assert done.stderr.startswith(b"shotmark: standard output: ") and done.stderr.count(b"\n") == 1


@NEEDS_DEV_FULL
@pytest.mark.parametrize(("words", "code"), [(["compare", "0002", "0004"], 0), (["nope"], 2)])
def test_errors_that_nobody_can_read_change_no_exit_code(words: list[str], code: int) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*SHOTMARK, *words], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=full)
    assert done.returncode == code


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    line = f'"{sys.executable}" -m bench compare 0002 0004 {closed}'
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, env=ENVIRONMENT, capture_output=True)
    assert done.returncode == 0 and b"Traceback" not in done.stderr


# --- signals --------------------------------------------------------------------------------------
@NEEDS_SIGNALS
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_as_ctrl_c_does(name: str, tmp_path: Path) -> None:
    """One line, 128 and the number, no claim left, and what was finished is in the record."""
    number = getattr(signal, name)
    results = tmp_path / "results"
    shot = str(write_tiny_shot(tmp_path))
    words = ["run", shot, "--frames", "1", "--rounds", "10000", "--results", str(results)]
    # A job in the background ignores Ctrl-C, and so would what it starts
    with subprocess.Popen(
        [*SHOTMARK, *words],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        while not [*results.glob("*/*.json")] and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        *_, told = process.stderr.read().strip().split("\n")
    assert process.returncode == 128 + number
    (record,) = results.glob("*/*.json")
    assert told == f"shotmark: stopped; {record} holds what was finished"
    assert not [path for path in record.parent.iterdir() if path.name.startswith(".0")], "a claim is left"
    assert '"complete": false' in record.read_text()


@NEEDS_SIGNALS
def test_what_was_ignored_stays_ignored() -> None:
    """``nohup`` keeps a run alive when its terminal goes."""
    program = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from bench.cli import start; start._answer_signals()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert signal.getsignal(signal.SIGTERM) is start._stop\n"
    )
    subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=True)


def test_exit_codes_of_signals() -> None:
    assert Stopped.exit_code_of(KeyboardInterrupt()) == 130 and Stopped.exit_code_of(Stopped(15)) == 143


# --- whose packages these are -----------------------------------------------------------------------
@pytest.mark.parametrize("name", ["kernels", "bench"])
@pytest.mark.parametrize("kind", ["file", "package", "folder"])
def test_another_package_of_our_name_is_one_line(name: str, kind: str, tmp_path: Path) -> None:
    theirs = tmp_path / (f"{name}.py" if kind == "file" else name)
    if kind == "file":
        theirs.write_text("raise SystemExit('theirs runs')\n")
    else:
        theirs.mkdir()
        (theirs / "own.txt").touch()
        if kind == "package":
            (theirs / "__init__.py").write_text("raise SystemExit('theirs runs')\n")
    entry = f"{ROOT / 'bench' / 'entry'}"
    program = "import sys; from shotmark import main; sys.argv = ['shotmark', 'shots', 'wave']; main()"
    path = os.pathsep.join([str(tmp_path), entry, str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True
    )
    told = done.stderr.decode()
    if kind == "folder":  # a package comes before a folder without an __init__.py: ours is found
        assert done.returncode == 0 and b"wave" in done.stdout and told == ""
        return
    assert done.returncode == EXIT_UNAVAILABLE and done.stdout == b""
    assert told.startswith(f"shotmark: {theirs}") and f"{ROOT / name}" in told and told.count("\n") == 1, told


def test_a_package_installed_over_ours_is_one_line(tmp_path: Path) -> None:
    """PyPI has a ``kernels``: pip puts its files over ours without a word."""
    copy = copy_project(tmp_path)
    (copy / "kernels" / "__init__.py").write_text('"""Kernel Hub."""\n')
    done = subprocess.run(
        SHOTMARK + ["devices"], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True
    )
    assert done.returncode == EXIT_UNAVAILABLE and done.stdout == b""
    assert b"another package named kernels was installed over Shotmark's" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("package", ["click", "numba", "rich"])
def test_a_missing_package_is_one_line(package: str, tmp_path: Path) -> None:
    """``python -m bench`` with a Python that has nothing."""
    hide = tmp_path / "sitecustomize.py"
    hide.write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {package!r}:\n"
        f"            raise ModuleNotFoundError('No module named ' + name, name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run([*SHOTMARK, "shots", "wave"], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == EXIT_UNAVAILABLE and done.stdout == b"" and done.stderr.count(b"\n") == 1
    assert (package.encode() in done.stderr and b"What helps" in done.stderr) or b"pip install shotmark" in done.stderr


def test_a_defect_of_ours_is_one_line_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        {}["missing"]
    except KeyError as error:
        line = start.defect(error)
    (report,) = tmp_path.iterdir()
    assert line.startswith("a defect of Shotmark, not of yours: KeyError: 'missing' (test_start.py:")
    assert str(report) in line and "Traceback" in report.read_text() and "\n" not in line
    shutil.rmtree(tmp_path)
    try:
        raise ValueError("no\nroom")
    except ValueError as error:
        assert start.defect(error).endswith("; please report it")
    assert EXIT_DEFECT not in (0, 1, 2, 3)


def test_end_of_file_is_no_ctrl_c(tmp_path: Path) -> None:
    """click would print "Aborted!" and end with 1, which means a failed check."""
    program = (
        "import click, sys\nfrom bench.cli import main, start\n"
        "@click.command()\ndef failing():\n    raise EOFError('Ran out of input')\n"
        "main.LazyGroup.get_command = lambda self, ctx, name: failing\n"
        "sys.argv = ['shotmark', 'run']\nstart.main()\n"
    )
    env = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert done.returncode == EXIT_DEFECT and "Ran out of input" in done.stderr and done.stderr.count("\n") == 1
