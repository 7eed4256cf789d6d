"""Whatever is done to the folder of a render: no wrong frame comes of it, and no file counts for what it is not."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.base.errors import UserError
from bench.cli.main import main
from bench.pipeline.folder.frame_folder import file_sha256
from bench.pipeline.folder.sealed import ABOUT
from bench.pipeline.folder.shot_folder import ShotFolder
from tests.bench.pipeline.folder.test_shot_folder import HEADER, picture_says, render
from tests.support.fake_shot import digest
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

LAST = 9
SAYS = {"png": picture_says}


def right(folder: Path, frames: range = range(1, LAST + 1)) -> bool:
    return all((folder / f"wave.{frame:04d}.png").read_text() == f"{frame} {2**frame}" for frame in frames)


def state(folder: Path, frame: int) -> Path:
    return folder / "state" / f"{frame:06d}.npz"


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as found:
        return dict(found)


# --- states ------------------------------------------------------------------------------------------
def test_a_state_under_another_frames_number_is_not_that_frame(tmp_path: Path) -> None:
    render(tmp_path, "1-6")
    shutil.copy(state(tmp_path, 4), state(tmp_path, 5))
    (tmp_path / "wave.0006.png").unlink()
    log = render(tmp_path, "6")
    assert right(tmp_path, range(1, 7))
    assert log[0] == "simulate 32", "it went on from frame 4's own file"


def test_a_state_that_says_another_number_of_itself_is_found_out(tmp_path: Path) -> None:
    """The text in the file is edited too; what the simulation restores is still frame 4."""
    render(tmp_path, "1-6")
    whole = arrays(state(tmp_path, 4))
    about = json.dumps({**json.loads(str(whole[ABOUT])), "frame": 5}, sort_keys=True)
    np.savez(state(tmp_path, 5), **{**whole, ABOUT: np.array(about)})
    manifest = tmp_path / "manifest.json"
    manifest.unlink()  # which would know frame 5's state
    render(tmp_path, "6")
    assert right(tmp_path, range(6, 7))


@pytest.mark.parametrize("key", ["shot", "size", "samples", "version"])
def test_a_state_of_another_render_is_passed_over(tmp_path: Path, key: str) -> None:
    header = {**HEADER, "version": "1"}
    with ShotFolder(tmp_path / "other", {**header, key: "another"}) as other:
        other.states.save(4, {"value": np.array([99]), "frame": np.array(4)}, digest("99"))
    with ShotFolder(tmp_path / "ours", header) as ours:
        shutil.copy(state(tmp_path / "other", 4), state(tmp_path / "ours", 4))
        assert list(ours.states.load(9)) == []
        ours.states.save(4, {"value": np.array([16]), "frame": np.array(4)}, digest("16"))
        assert [frame for frame, _, _ in ours.states.load(9)] == [4]


def test_a_state_that_the_manifest_knows_otherwise_is_passed_over(tmp_path: Path) -> None:
    render(tmp_path, "1-8")
    with ShotFolder(tmp_path, HEADER) as folder:
        folder.states.save(8, {"value": np.array([99]), "frame": np.array(8)}, digest("99"))
    assert render(tmp_path, "9")[0] == "simulate 32"
    assert right(tmp_path)


def test_a_state_that_is_not_the_golden_one_is_passed_over(tmp_path: Path) -> None:
    with ShotFolder(tmp_path, HEADER) as folder:
        folder.states.save(4, {"value": np.array([99]), "frame": np.array(4)}, digest("99"))
    golden = {"state": digest("16"), "picture": digest("picture 16")}
    render(tmp_path, "5", golden=lambda frame: golden if frame == 4 else None)
    assert right(tmp_path, range(5, 6))


def test_a_state_of_an_older_version_is_passed_over(tmp_path: Path) -> None:
    render(tmp_path, "1-4")
    whole = arrays(state(tmp_path, 4))
    del whole[ABOUT]
    np.savez(state(tmp_path, 4), **whole)
    assert render(tmp_path, "5")[0] == "simulate 2" and right(tmp_path, range(1, 6))


def test_files_that_are_no_states_are_passed_over(tmp_path: Path) -> None:
    render(tmp_path, "1-4")
    for name in ("²", "-3", "١", "6 ", "12345678901234567890"):
        (tmp_path / "state" / f"{name}.npz").write_bytes(b"PK")
    os.mkfifo(state(tmp_path, 3))
    state(tmp_path, 2).mkdir()
    # A zip whose method Python does not know: an error of zipfile's own kind
    zipped = bytearray(state(tmp_path, 4).read_bytes())
    directory = zipped.index(b"PK\x01\x02")
    zipped[directory + 10] = 99
    state(tmp_path, 4).write_bytes(zipped)
    assert render(tmp_path, "5")[-1] == "trace 5" and right(tmp_path, range(1, 6))


# --- pictures and manifest ---------------------------------------------------------------------------
def edit(folder: Path, change: Callable[[Any], None]) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document["frames"])
    path.write_text(json.dumps(document))


def swap(folder: Path, a: int, b: int) -> None:
    """Two frames' pictures under each other's names."""
    one, two, between = (folder / name for name in (f"wave.{a:04d}.png", f"wave.{b:04d}.png", "between"))
    one.rename(between)
    two.rename(one)
    between.rename(two)


def test_entries_under_each_others_numbers_count_for_nothing(tmp_path: Path) -> None:
    render(tmp_path, "1-4")

    def change(frames: Any) -> None:
        frames["2"], frames["3"] = frames["3"], frames["2"]

    edit(tmp_path, change)
    swap(tmp_path, 2, 3)
    assert [line for line in render(tmp_path, "1-4") if "trace" in line] == ["trace 2", "trace 3"]
    assert right(tmp_path, range(1, 5))


def test_a_picture_says_itself_which_frame_it_is(tmp_path: Path) -> None:
    """Files and all that the manifest says of them are swapped: each hash is right, each picture is another frame's."""
    render(tmp_path, "1-4")

    def change(frames: Any) -> None:
        two, three = frames["2"]["files"], frames["3"]["files"]
        two["wave.0002.png"], three["wave.0003.png"] = three["wave.0003.png"], two["wave.0002.png"]

    edit(tmp_path, change)
    swap(tmp_path, 2, 3)
    with ShotFolder(tmp_path, HEADER) as folder:
        assert [folder.finished(frame, SAYS) for frame in (1, 2, 3, 4)] == [True, False, False, True]
    render(tmp_path, "1-4")
    assert right(tmp_path, range(1, 5))


def test_a_finished_frame_that_is_not_the_golden_one_is_made_again(tmp_path: Path) -> None:
    render(tmp_path, "1-4")
    (tmp_path / "wave.0003.png").write_text("3 99")

    def change(frames: Any) -> None:
        frames["3"]["picture_sha256"] = digest("picture 99")
        frames["3"]["files"]["wave.0003.png"] = file_sha256(tmp_path / "wave.0003.png")

    edit(tmp_path, change)
    golden = {"state": digest("8"), "picture": digest("picture 8")}
    render(tmp_path, "1-4", golden=lambda frame: golden if frame == 3 else None)
    assert right(tmp_path, range(1, 5))


def test_a_pipe_in_place_of_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    render(tmp_path, "1-2")
    (tmp_path / "wave.0002.png").unlink()
    os.mkfifo(tmp_path / "wave.0002.png")
    assert render(tmp_path, "1-2")[-1] == "trace 2" and right(tmp_path, range(1, 3))


def test_pictures_that_no_finished_frame_stands_for_are_named(tmp_path: Path) -> None:
    render(tmp_path, "1-2")
    for name in ("wave.0003.png", "wave.0002.exr", "wave.mp4", "lava.0004.png", "wave.x.png"):
        (tmp_path / name).write_text("from elsewhere")
    with ShotFolder(tmp_path, HEADER) as folder:
        assert folder.strangers(("png", "exr")) == ["wave.0002.exr", "wave.0003.png"]


# --- two renders -------------------------------------------------------------------------------------
def test_a_second_render_is_refused_in_one_line_and_sweeps_nothing_away(tmp_path: Path) -> None:
    with ShotFolder(tmp_path, HEADER):
        begun = tmp_path / ".shotmark-1-00.tmp"
        begun.write_text("half a picture")
        with pytest.raises(UserError, match=f"^{tmp_path}: another render works in this folder") as caught:
            ShotFolder(tmp_path, HEADER)
        assert "\n" not in str(caught.value) and begun.exists()
    with ShotFolder(tmp_path, HEADER):
        assert not begun.exists(), "the sweep is that of whoever has the folder"


@pytest.mark.parametrize("manifest", ["{", '{"header": {"shot": "lava"}, "frames": {}}'])
def test_a_folder_that_is_refused_stays_free(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    for _ in range(2):
        with pytest.raises(UserError, match=r"expected JSON|of another render"):
            ShotFolder(tmp_path, HEADER)


HOLDER = """
import sys, time
from pathlib import Path
from bench.pipeline.folder.shot_folder import ShotFolder
with ShotFolder(Path(sys.argv[1]), {"shot": "wave", "size": "S", "samples": 16}):
    print("has it", flush=True)
    time.sleep(600.0)
"""


def test_a_killed_render_leaves_no_lock(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "has it\n"
        with pytest.raises(UserError, match="another render works in this folder"):
            ShotFolder(tmp_path, HEADER)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    render(tmp_path, "1-2")
    assert right(tmp_path, range(1, 3))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=f"^{tmp_path}: the file system has no locks .*; choose a folder"):
        ShotFolder(tmp_path, HEADER)


# --- the command -------------------------------------------------------------------------------------
def command(shot: Path, out: Path, *more: str) -> Any:
    words = ["render", str(shot), "--backend", "numba", "--threads", "1", "--out", str(out), *more]
    return CliRunner().invoke(main, words)


def test_a_folder_that_another_has_is_exit_code_2(tmp_path: Path) -> None:
    shot, out = write_tiny_shot(tmp_path), tmp_path / "out"
    with ShotFolder(out, HEADER):
        done = command(shot, out)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr == (
        f"shotmark: {out}: another render works in this folder; wait until it has ended, or choose another --out\n"
    )


@pytest.mark.slow
def test_real_frames_are_the_same_whatever_was_done_to_their_folder(tmp_path: Path) -> None:
    shot, out, other = write_tiny_shot(tmp_path), tmp_path / "out", tmp_path / "other"
    assert command(shot, out, "--frames", "1-6", "--format", "png,exr").exit_code == 0
    assert command(shot, other, "--frames", "1-4", "--size", "M").exit_code == 0
    made = {path.name: file_sha256(path) for path in out.glob("pool.*")}
    assert len(made) == 12
    shutil.copy(state(out, 4), state(out, 5))
    (out / "pool.0006.png").unlink()
    (out / "pool.0002.exr").write_bytes((out / "pool.0003.exr").read_bytes())
    shutil.copy(other / "pool.0004.png", out / "pool.0007.png")
    done = command(shot, out, "--frames", "1-6", "--format", "png,exr")
    assert done.exit_code == 0 and "named so: pool.0007.png; delete" in done.stderr
    (out / "pool.0007.png").unlink()
    assert {path.name: file_sha256(path) for path in out.glob("pool.*")} == made
    shutil.copy(state(other, 4), state(out, 4))
    state(out, 5).unlink()
    (out / "pool.0006.png").unlink()
    assert command(shot, out, "--frames", "6").exit_code == 0
    assert {path.name: file_sha256(path) for path in out.glob("pool.*")} == made


# --- anything ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished render, and beside it one of other samples."""
    folder = tmp_path_factory.mktemp("whole")
    render(folder / "ours", "1-8")
    with ShotFolder(folder / "other", {**HEADER, "samples": 64}) as other:
        for frame in (4, 8):
            other.states.save(frame, {"value": np.array([99]), "frame": np.array(frame)}, digest("99"))
    return folder


def mangle(rng: random.Random, folder: Path, other: Path) -> None:
    """One of the things that people and power cuts do to files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        return
    one, two = rng.choice(files), rng.choice([*files, *sorted((other / "state").iterdir())])
    target = rng.choice([one, state(folder, rng.randrange(12)), folder / f"wave.{rng.randrange(12):04d}.png"])
    if target.is_dir():
        return
    content = one.read_bytes()
    place = rng.randrange(len(content) + 1)
    match rng.randrange(8):
        case 0:
            one.unlink()
        case 1:
            one.rename(target)
        case 2:
            target.write_bytes(two.read_bytes())
        case 3:
            other_content = two.read_bytes()
            one.write_bytes(other_content)
            if folder in two.parents:
                two.write_bytes(content)
        case 4:
            one.write_bytes(content[:place])
        case 5:
            one.write_bytes(content[:place] + rng.randbytes(3) + content[place + 3 :])
        case 6:
            text = content.decode("latin-1").split('"')
            a, b = rng.randrange(len(text)), rng.randrange(len(text))
            text[a], text[b] = text[b], text[a]
            one.write_bytes('"'.join(text).encode("latin-1"))
        case 7:
            one.unlink()
            one.mkdir()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4))
def test_a_mangled_folder_is_refused_in_one_line_or_ends_with_the_right_frames(
    whole: Path, seed: int, changes: int
) -> None:
    rng, folder = random.Random(seed), whole / "mangled"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole / "ours", folder)
    for _ in range(changes):
        mangle(rng, folder, whole / "other")
    try:
        render(folder, f"1-{LAST}")
    except UserError as error:
        assert "\n" not in str(error) and str(folder) in str(error)
        return
    except OSError as error:  # a folder in a file's place: the command line makes it one line too
        assert error.filename and str(folder) in str(error.filename)
        return
    assert right(folder)
