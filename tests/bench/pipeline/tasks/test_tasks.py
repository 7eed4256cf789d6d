"""Tasks of a shot: each again, in any order, on any back-end, and the frames have the bits of one render."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import CheckFailed, Unavailable, UserError
from bench.base.files import whole_file
from bench.pipeline.folder import task_folder
from bench.pipeline.folder.made import Place
from bench.pipeline.folder.pictures import stills_of
from bench.pipeline.folder.shot_folder import ShotFolder
from bench.pipeline.folder.task_folder import TaskFolder
from bench.pipeline.makers import MAKERS
from bench.pipeline.parts import Part, split
from bench.pipeline.shoot import RenderJob, render
from bench.pipeline.tasks.maker import TaskMaker
from bench.shot.load import load_shot
from kernels.base.constants import SAMPLE_CHUNK
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.tiny_shot import write_tiny_lava, write_tiny_shot

FRAMES, KINDS, SAMPLES = (1, 2, 4), ("png",), SAMPLE_CHUNK + 5
Shot = tuple[RenderJob, dict[str, dict[str, Any]], dict[str, str | int]]


def job_of(path: Path, samples: int = SAMPLES) -> RenderJob:
    return RenderJob(load_shot(str(path)), "S", FRAMES, samples)


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """The tiny shot, and its frames as one render makes them."""
    return rendered(tmp_path_factory.mktemp("shot"), write_tiny_shot)


def rendered(folder: Path, write: Callable[[Path], Path], samples: int = SAMPLES) -> Shot:
    job = job_of(write(folder), samples)
    header = job.header("0" * 64)
    with ShotFolder(folder / "whole", header) as opened:
        render(job, opened, KINDS, NumbaBackend(1), MAKERS, lambda frame: None, lambda done, text: None)
        return job, dict(opened.frames), header  # type: ignore[arg-type]


def maker_of(shot: Shot, folder: Path, backend: Any = None, **more: Any) -> TaskMaker:
    device = backend or NumbaBackend(1)
    return TaskMaker(shot[0], TaskFolder(folder, shot[2]), device, MAKERS, Place("a device", device.name), **more)


def entries(shot: Shot, folder: Path) -> dict[str, dict[str, Any]]:
    """What the manifest says, read anew."""
    with ShotFolder(folder, shot[2]) as opened:
        assert all(opened.finished(int(frame), {"png": stills_of(KINDS)["png"].says}) for frame in opened.frames)
        return dict(opened.frames)  # type: ignore[arg-type]


def same(shot: Shot, found: dict[str, dict[str, Any]]) -> bool:
    keys = ("state_sha256", "picture_sha256", "files")
    return {f: [e[k] for k in keys] for f, e in found.items()} == {f: [e[k] for k in keys] for f, e in shot[1].items()}


def test_states_frames_and_assembly_are_the_render(shot: Shot, tmp_path: Path) -> None:
    maker = maker_of(shot, tmp_path)
    made = maker.simulate(FRAMES, KINDS)
    assert [one.frame for one in made] == list(FRAMES) and maker.folder.fluid_frames() == list(FRAMES)
    frames = [maker_of(shot, tmp_path).render(frame, KINDS) for frame in FRAMES]
    assert all(one is not None and one.trace_s is not None and one.wait_s is not None for one in frames)
    assert maker.assemble(FRAMES, KINDS) == []
    found = entries(shot, tmp_path)
    assert same(shot, found)
    kinds = [piece["kind"] for piece in found["2"]["made"]]
    assert kinds == ["simulate", "render"] and found["2"]["made"][1]["device"] == "a device"
    assert maker.folder.fluid_frames() == [], "what finished frames were made from goes"


def test_nothing_is_made_again(shot: Shot, tmp_path: Path) -> None:
    maker = maker_of(shot, tmp_path)
    assert maker.simulate(FRAMES, KINDS) and maker.simulate(FRAMES, KINDS) == []
    part = Part(0, 0, 12, 3, 0, SAMPLES)
    assert maker.part(2, part) is not None and maker.part(2, part) is None
    assert maker.render(1, KINDS) is not None and maker.render(1, KINDS) is None
    assert maker.part(1, part) is None, "a part of a finished frame"
    maker.folder.clear([1])
    assert maker.simulate([1], KINDS) == [], "nor a state of one"


def test_a_state_that_is_not_there_is_one_line(shot: Shot, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"frame 2 has no state to be rendered from; render --states-only makes it$"):
        maker_of(shot, tmp_path).render(2, KINDS)
    assert maker_of(shot, tmp_path).folder.claims.live() == []


def test_what_an_assembly_lacks_is_one_line_and_the_rest_is_kept(shot: Shot, tmp_path: Path) -> None:
    maker = maker_of(shot, tmp_path)
    maker.simulate(FRAMES, KINDS)
    maker.render(4, KINDS)
    maker.part(2, Part(0, 0, 12, 5, 0, 9))
    with pytest.raises(Unavailable, match=r"frame 1 lacks every part; of 1 more frames too; --from-states"):
        maker.assemble(FRAMES, KINDS)
    with pytest.raises(Unavailable, match=r"frame 2 lacks samples from 9 on of the pixels 0,0,12,5; --from-states"):
        maker.assemble((2, 4), KINDS)
    assert list(entries(shot, tmp_path)) == ["4"]


@NEEDS_COMPILER
def test_a_frame_of_parts_of_cpu_and_gpu_is_the_frame(shot: Shot, tmp_path: Path) -> None:
    """One after the other on either, tiles and samples cut anywhere."""
    parts = [
        Part(0, 0, 5, 5, 0, 7), Part(0, 0, 5, 5, 7, 18), Part(0, 0, 5, 5, 18, SAMPLES),
        Part(5, 0, 12, 2, 0, SAMPLES), Part(5, 2, 12, 5, 0, 16), Part(5, 2, 12, 5, 16, SAMPLES),
    ]  # fmt: skip
    mixed(shot, tmp_path, parts, FRAMES)


def mixed(shot: Shot, folder: Path, parts: list[Part], frames: tuple[int, ...]) -> None:
    cpu = maker_of(shot, folder / "out")
    gpu = maker_of(shot, folder / "out", emulated_gpu(folder / "cache", seed=5))
    gpu.simulate(frames, KINDS)
    for frame in frames:
        for number, part in enumerate(parts):
            assert (gpu, cpu)[number % 2].part(frame, part) is not None
    assert [one.frame for one in cpu.assemble(frames, KINDS)] == list(frames)
    found = entries(shot, folder / "out")
    assert same(shot, found)
    assert {piece["backend"] for piece in found["1"]["made"]} == {"numba", "cupy"}


@pytest.mark.slow
@NEEDS_COMPILER
def test_lava_too(tmp_path: Path) -> None:
    mixed(rendered(tmp_path, write_tiny_lava, 20), tmp_path, split(12, 5, 20, 24), FRAMES)


def test_the_second_part_of_a_frame_finds_what_the_first_has_left(shot: Shot, tmp_path: Path) -> None:
    """Unless another frame, or another state, came between."""
    maker, rows = maker_of(shot, tmp_path), [Part(0, row, 12, row + 1, 0, SAMPLES) for row in range(5)]
    maker.simulate(FRAMES, KINDS)
    made = [maker.part(frame, part) for frame, part in ((2, rows[0]), (2, rows[1]), (1, rows[0]), (2, rows[2]))]
    assert [one is not None and one.load_s == one.surface_s == 0.0 for one in made] == [False, True, False, False]
    path = maker.folder.fluid_path(2)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(Unavailable):
        maker.part(2, rows[3])
    path.write_bytes(content)
    again = maker.part(2, rows[3])
    assert again is not None and again.load_s != 0.0 and maker.part(2, rows[4]) is not None
    maker.assemble([2], KINDS)
    assert entries(shot, tmp_path)["2"]["picture_sha256"] == shot[1]["2"]["picture_sha256"]


def test_parts_of_other_states_make_no_frame(shot: Shot, tmp_path: Path) -> None:
    """As another version's simulation would leave them, if its header could be the same."""
    maker = maker_of(shot, tmp_path)
    maker.simulate(FRAMES, KINDS)
    top, bottom = Part(0, 0, 12, 2, 0, SAMPLES), Part(0, 2, 12, 5, 0, SAMPLES)
    maker.part(2, top)
    maker.part(2, bottom)
    sums = next(one for one in maker.folder.sums(2) if one.part == bottom)
    maker.folder.save_sums(2, bottom, sums.sums, "f" * 64, [])
    with pytest.raises(CheckFailed, match="parts of frame 2 are of 2 different states"):
        maker.assemble([2], KINDS)


def test_golden_bits_are_asked_for(shot: Shot, tmp_path: Path) -> None:
    state, picture = (shot[1]["2"][key] for key in ("state_sha256", "picture_sha256"))
    right = {2: {"state": state, "picture": picture}}
    maker = maker_of(shot, tmp_path, golden=right.get)
    maker.simulate([2], KINDS)
    with pytest.raises(CheckFailed, match="the picture's SHA-256"):
        maker_of(shot, tmp_path, golden=lambda frame: {"state": state, "picture": "0" * 64}).render(2, KINDS)
    with pytest.raises(CheckFailed, match="the state's SHA-256"):
        maker_of(shot, tmp_path / "other", golden=lambda frame: {"state": "0" * 64}).simulate([2], KINDS)
    assert maker.render(2, KINDS) is not None and maker.render(2, KINDS) is None
    assert maker_of(shot, tmp_path, golden=lambda frame: {"picture": "0" * 64}).folder.finished(2, {})


def test_a_simulation_goes_on_from_a_kept_state(shot: Shot, tmp_path: Path) -> None:
    maker = maker_of(shot, tmp_path)
    maker.simulate([1], KINDS)
    assert [one.frame for one in maker.simulate([2], KINDS)] == [2]
    kept = maker.folder.states.frames()
    again = maker_of(shot, tmp_path)
    again.folder.fluid_path(2).unlink()
    assert [one.frame for one in again.simulate([2], KINDS)] == [2] and kept[0] >= 1
    again.render(2, KINDS)
    again.assemble([2], KINDS)
    assert entries(shot, tmp_path)["2"]["picture_sha256"] == shot[1]["2"]["picture_sha256"]


@pytest.mark.parametrize("damage", ["cut", "empty", "edited", "another frame's", "another room"])
def test_a_damaged_state_is_simulated_again(shot: Shot, tmp_path: Path, damage: str) -> None:
    maker = maker_of(shot, tmp_path)
    maker.simulate(FRAMES, KINDS)
    path = maker.folder.fluid_path(2)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another frame's":
        shutil.copy(maker.folder.fluid_path(1), path)
    else:
        with np.load(path) as file:
            arrays = dict(file)
        if damage == "edited":
            arrays["position"][0, 0] += np.float32(0.1)
        else:
            arrays["room"] = np.array(2**40)
        np.savez(path, **arrays)
    with pytest.raises(Unavailable, match="frame 2 has no state"):
        maker.render(2, KINDS)
    assert not path.exists()
    assert [one.frame for one in maker_of(shot, tmp_path).simulate(FRAMES, KINDS)] == [2]
    maker.render(2, KINDS)
    maker.assemble([2], KINDS)
    assert entries(shot, tmp_path)["2"]["picture_sha256"] == shot[1]["2"]["picture_sha256"]


def test_damaged_sums_are_traced_again(shot: Shot, tmp_path: Path) -> None:
    maker, part = maker_of(shot, tmp_path), Part(0, 0, 12, 5, 0, SAMPLES)
    maker.simulate([2], KINDS)
    maker.part(2, part)
    path = maker.folder.sums_path(2, part)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(Unavailable, match="frame 2 lacks every part"):
        maker.assemble([2], KINDS)
    assert maker.part(2, part) is not None and maker.assemble([2], KINDS)[0].kind == "assemble"
    assert entries(shot, tmp_path)["2"]["picture_sha256"] == shot[1]["2"]["picture_sha256"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"header": {}, "frame": 2, "entry": {}}', "\x00" * 9])
def test_an_entry_that_is_none_is_made_again(shot: Shot, tmp_path: Path, text: str) -> None:
    maker = maker_of(shot, tmp_path)
    maker.simulate([2], KINDS)
    maker.render(2, KINDS)
    maker.folder.entry_path(2).write_text(text)
    assert maker.render(2, KINDS) is not None


def test_what_another_begins_to_write_is_not_swept_away(
    shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One writes the manifest while another has written its own, and tidies up: it waits."""
    first, second = maker_of(shot, tmp_path), maker_of(shot, tmp_path)
    first.simulate([2], KINDS)
    first.render(2, KINDS)
    write, said = task_folder.write_atomically, list[str]()

    def slowly(path: Path, content: bytes) -> None:
        monkeypatch.setattr(task_folder, "write_atomically", write)
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
            other = threading.Thread(target=lambda: (second.assemble([2], KINDS), said.append("second")))
            other.start()
            other.join(1.0)
            said.append("first")

    monkeypatch.setattr(task_folder, "write_atomically", slowly)
    first.assemble([2], KINDS)
    while len(said) < 2:
        time.sleep(0.05)
    assert said == ["first", "second"] and list(entries(shot, tmp_path)) == ["2"]


def test_a_folder_of_another_shot_is_refused(shot: Shot, tmp_path: Path) -> None:
    TaskFolder(tmp_path, {**shot[2], "samples": 3})
    with pytest.raises(UserError, match="frames of another render"):
        maker_of(shot, tmp_path)


def test_a_render_and_tasks_do_not_meet(shot: Shot, tmp_path: Path) -> None:
    maker = maker_of(shot, tmp_path)
    claim = maker.folder.claims.take("simulate", lambda: False)
    assert claim is not None
    with claim, pytest.raises(UserError, match=r"tasks work in this folder \(simulate\)"):
        ShotFolder(tmp_path, shot[2])
    maker.simulate([1], KINDS)
    maker.render(1, KINDS)
    with ShotFolder(tmp_path, shot[2]) as opened:  # a render takes what tasks have finished
        assert opened.finished(1, {"png": stills_of(KINDS)["png"].says}) and opened.strangers(KINDS) == []
