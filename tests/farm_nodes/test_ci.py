"""``.ci/run`` installs Slurm where it is missing and may be, and goes on without it. Nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")

# What the script calls, of this system; neither Slurm nor apt-get is among them
CALLED = ("bash", "cat", "dirname", "env", "grep", "mktemp", "rm", "sh", "tail", "tee")
SLURM = ("slurmctld", "slurmd", "sbatch", "munged")


def ci(folder: Path, user: int, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``.ci/run`` where there are these programs alone."""
    here = folder / "bin"
    here.mkdir()
    for name in CALLED:
        (here / name).symlink_to(shutil.which(name) or name)
    for name, script in {"make": "echo 3 passed in 1.00s", "id": f"echo {user}", **programs}.items():
        (here / name).write_text(f"#!{here}/sh\n{script}\n")
        (here / name).chmod(0o755)
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    script = folder / ".ci" / "run"
    script.parent.mkdir()
    # The folders of daemons would bring this system's Slurm back
    script.write_text(text.replace(":/usr/sbin:/sbin", ""))
    assert script.read_text() != text
    environment = {**os.environ, "PATH": str(here), "TMPDIR": str(folder)}
    return subprocess.run([here / "bash", script], env=environment, capture_output=True, text=True, timeout=60)


def apt(folder: Path, exit_code: int = 0) -> str:
    return f'echo "$DEBIAN_FRONTEND $*" >> {folder}/apt; echo "E: no network"; exit {exit_code}'


def test_it_installs_what_is_missing(tmp_path: Path) -> None:
    done = ci(tmp_path, 0, {"slurmctld": "", "slurmd": "", "sbatch": "", "apt-get": apt(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.splitlines()[-1] == "3 passed in 1.00s"
    assert (tmp_path / "apt").read_text().splitlines() == [
        "noninteractive update -qq",
        "noninteractive install -y -qq --no-install-recommends slurm-wlm munge",
    ]


def test_it_installs_nothing_where_all_is_there(tmp_path: Path) -> None:
    done = ci(tmp_path, 0, {**dict.fromkeys(SLURM, ""), "apt-get": apt(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "") and not (tmp_path / "apt").exists()


@pytest.mark.parametrize(
    ("user", "exit_code", "says"),
    [
        (0, None, "Slurm is not installed, and can be only by root with apt-get: its tests are left out"),
        (1000, 0, "Slurm is not installed, and can be only by root with apt-get: its tests are left out"),
        (0, 100, "Slurm could not be installed, its tests are left out: E: no network"),
    ],
)
def test_without_it_everything_else_is_checked(user: int, exit_code: int | None, says: str, tmp_path: Path) -> None:
    done = ci(tmp_path, user, {} if exit_code is None else {"apt-get": apt(tmp_path, exit_code)})
    assert (done.returncode, done.stderr.splitlines()) == (0, [says])
    assert done.stdout.splitlines()[-1] == "3 passed in 1.00s"


def test_what_fails_fails(tmp_path: Path) -> None:
    assert ci(tmp_path, 0, {**dict.fromkeys(SLURM, ""), "make": "exit 2"}).returncode == 2
