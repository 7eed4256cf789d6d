"""A render can be stopped at any moment and goes on where it was; what is finished is not made again."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from bench.base.errors import CheckFailed, UserError
from bench.pipeline.folder import sealed
from bench.pipeline.folder.pictures import Still
from bench.pipeline.folder.shot_folder import ShotFolder, parse_frames
from bench.pipeline.frame import Makers
from bench.pipeline.shoot import RenderJob, shoot, start_simulation
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import digest

HEADER = {"shot": "wave", "size": "S", "samples": 16}


class Machine:
    """A simulation whose state is a number that doubles, and a renderer that draws that number."""

    radiance: ClassVar[dict[int, float]] = {}  # of a whole picture by its number; 1 of any other

    def __init__(self, log: list[str], fail_at: int | None = None) -> None:
        self.log, self.fail_at = log, fail_at
        self.value = np.ones(1, np.int64)
        self.frame = 0

    def advance_frame(self) -> None:
        self.value = self.value * 2
        self.frame += 1
        self.log.append(f"simulate {self.value[0]}")

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"value": self.value, "frame": np.array(self.frame)}

    def crossed(self, whole: bool) -> tuple[dict[str, np.ndarray], str]:
        return self.snapshot(), self.state_digest()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.value, self.frame = state["value"], int(state["frame"])

    def state_digest(self) -> str:
        return digest(str(self.value[0]))

    @property
    def fluid(self) -> int:
        return int(self.value[0])

    def surface(self, fluid: int) -> int:
        return fluid

    def trace(self, bricks: int, frame: int, samples: int | None, between: Any = None) -> int:
        if frame == self.fail_at:
            raise KeyboardInterrupt
        self.log.append(f"trace {frame}")
        return bricks

    def resolve(self, sums: int) -> int:
        return sums

    def fetch(self, resolved: int) -> Any:
        rgb, variance = np.full((2, 2, 2, 3), self.radiance.get(resolved, 1.0), np.float32)
        return SimpleNamespace(digest=digest(f"picture {resolved}"), value=resolved, rgb=rgb, variance=variance)


def write_picture(picture: Any, scene: Any, frame: int, path: Path) -> None:
    path.write_text(f"{frame} {picture.value}")


def picture_says(path: Path) -> dict[str, object]:
    frame, value = path.read_text().split()
    return {"shot": "wave", "size": "S", "samples": 16, "frame": int(frame), "sha256": digest(f"picture {value}")}


PNG = {"png": Still(write_picture, picture_says)}


def render(folder: Path, frames: str, fail_at: int | None = None, **options: Any) -> list[str]:
    log: list[str] = []
    makers = Makers(
        build_scene=lambda shot, size, **how: None,
        simulation=lambda scene, backend: Machine(log),
        renderer=lambda scene, backend: Machine(log, fail_at),
        write_picture=lambda *rest: None,
    )
    shot: Any = None
    job = RenderJob(shot, "S", parse_frames(frames, 60))
    with ShotFolder(folder, HEADER) as opened:
        shoot(job, opened, FakeBackend(), makers, PNG, **options)
    return log


@pytest.mark.parametrize(
    ("text", "frames"),
    [("3", [3]), ("1-3", [1, 2, 3]), ("2,1-3", [1, 2, 3]), ("1-10:4", [1, 5, 9]), ("all", list(range(1, 61)))],
)
def test_frames_are_read(text: str, frames: list[int]) -> None:
    assert parse_frames(text, 60) == frames


@pytest.mark.parametrize("text", ["", "0", "61", "5-3", "a", "1-", "-1", "1-99999999999", "1-5:0", "1;2", "²"])
def test_wrong_frames_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--frames: expected"):
        parse_frames(text, 60)


def test_a_stopped_render_goes_on_from_the_kept_state(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        render(tmp_path, "1-8", fail_at=7)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"wave.{i:04d}.png" for i in range(1, 7)]
    again = render(tmp_path, "1-8")
    # Frame 4's state was kept: 5 and 6 are simulated again, only 7 and 8 are traced.
    assert again == ["simulate 32", "simulate 64", "simulate 128", "trace 7", "simulate 256", "trace 8"]
    assert (tmp_path / "wave.0008.png").read_text() == "8 256"
    assert render(tmp_path, "1-8") == []


def test_a_picture_that_is_not_finite_ends_the_render_and_leaves_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "radiance", {8: np.nan})
    with pytest.raises(CheckFailed, match=r"^frame 3: 4 of 4 pixels of the picture are not finite, the first in row"):
        render(tmp_path, "1-4")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["wave.0001.png", "wave.0002.png"]


def test_frames_that_were_changed_or_removed_are_made_again(tmp_path: Path) -> None:
    render(tmp_path, "1-6")
    (tmp_path / "wave.0002.png").write_text("scribble")
    (tmp_path / "wave.0006.png").unlink()
    log = render(tmp_path, "1-6")
    assert [line for line in log if line.startswith("trace")] == ["trace 2", "trace 6"]
    assert (tmp_path / "wave.0002.png").read_text() == "2 4"


def test_damaged_states_are_passed_over(tmp_path: Path) -> None:
    render(tmp_path, "1-8")
    (tmp_path / "state" / "000008.npz").write_bytes(b"PK\x03\x04 cut off")
    path = tmp_path / "state" / "000004.npz"
    with np.load(path) as arrays:
        whole = dict(arrays)
    np.savez(path, **{**whole, "value": np.array([7])})
    log = render(tmp_path, "9")
    assert log[0] == "simulate 2" and log[-1] == "trace 9"
    assert (tmp_path / "wave.0009.png").read_text() == "9 512"


def test_states_that_are_looked_at_are_not_held_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two states of a large shot, or two simulations of it, are more than a machine holds."""
    alive: list[weakref.ref[Any]] = []
    beside: list[int] = []  # of them, when another one is read or made
    read = sealed.load_arrays

    def counted(made: Any) -> Any:
        beside.append(sum(one() is not None for one in alive))
        return made

    class Wrong(Machine):
        def restore(self, state: dict[str, np.ndarray]) -> None:
            alive.extend((weakref.ref(self), weakref.ref(state["value"])))
            super().restore({name: np.array(values) for name, values in state.items()})

        def state_digest(self) -> str:
            return "another"

    render(tmp_path, "1-8")
    monkeypatch.setattr(sealed, "load_arrays", lambda path: counted(None) or read(path))
    makers: Any = SimpleNamespace(simulation=lambda scene, backend: counted(Wrong([])))
    scene: Any = None
    with ShotFolder(tmp_path, HEADER) as folder:
        found, first = start_simulation(scene, folder.states, FakeBackend(), makers, lambda frame: None, 9)
    assert (first, found.frame, len(alive)) == (1, 0, 4)
    assert beside == [0] * 5, "two states, their two simulations, and the one from the beginning"


def test_a_state_and_its_digest_cross_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crossings: list[object] = []

    def crossed(self: Machine, whole: bool) -> tuple[dict[str, np.ndarray], str]:
        crossings.append(whole)
        return self.snapshot(), digest(str(self.value[0]))

    def hashed(self: Machine) -> str:
        crossings.append("hashed")
        return digest(str(self.value[0]))

    monkeypatch.setattr(Machine, "crossed", crossed)
    monkeypatch.setattr(Machine, "state_digest", hashed)
    render(tmp_path, "1-8")
    assert crossings == ["hashed", "hashed", "hashed", True] * 2, "every fourth state is kept"


def test_pickled_states_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (print, ("unpickled",))

    render(tmp_path, "1-4")
    np.savez(tmp_path / "state" / "000004.npz", value=np.array([Bomb()], dtype=object))
    assert render(tmp_path, "5")[0] == "simulate 2"


def test_a_folder_with_another_render_is_refused(tmp_path: Path) -> None:
    render(tmp_path, "1")
    with pytest.raises(UserError, match="it holds frames of another render"):
        ShotFolder(tmp_path, {**HEADER, "samples": 64})


@pytest.mark.parametrize("text", ["", "[]", '{"header": 1}', "{", '{"header": {"shot": "wave"}, "frames": {"1": {"st'])
def test_a_broken_manifest_is_one_line_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    render(tmp_path, "1-5")
    manifest = tmp_path / "manifest.json"
    manifest.write_text(text)
    with pytest.raises(
        UserError, match=r"manifest\.json: .*expected .*; delete this file and render again, its frames"
    ):
        ShotFolder(tmp_path, HEADER)
    manifest.unlink()
    assert render(tmp_path, "1-5")[-1] == "trace 5", "what the line says can be done"
    assert set(json.loads(manifest.read_text())["frames"]) == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5-1", "the first, 5, is after the last, 1"),
        ("1-60:0", "the step is 0"),
        ("2-61", "the shot ends at 60"),
        ("0-3", "frames begin at 1"),
    ],
)
def test_frames_that_cannot_be_say_why(text: str, why: str) -> None:
    with pytest.raises(UserError, match=rf"--frames: expected frames from 1 to 60, not '{text}': {why}"):
        parse_frames(text, 60)


def test_golden_hashes_are_checked_on_the_way(tmp_path: Path) -> None:
    right = {"state": digest("4"), "picture": digest("picture 4")}
    render(tmp_path, "1-2", golden=lambda frame: right if frame == 2 else None)
    with pytest.raises(CheckFailed, match="frame 3: the state's SHA-256"):
        render(tmp_path, "3", golden=lambda frame: right)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["frames"]) == {"1", "2"}
    assert not list(tmp_path.glob(".shotmark-*"))
