"""Golden frames made again: what is found against what is expected, and how they are renewed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import CheckFailed, UserError
from bench.check import golden as hashes
from bench.check.golden import digest_of, golden_frames, golden_of, load_golden, write_golden
from bench.check.proof import prove, renewed
from bench.pipeline import makers
from bench.shot.load import Shot, load_shot, shot_names
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, digest
from tests.support.tiny_shot import write_tiny_shot


def found(frame: int) -> dict[str, str]:
    return {"state": digest(f"state {frame}"), "picture": digest(f"picture {frame}")}


def golden(**frames: dict[str, str]) -> Any:
    return {"wave": {"S": {"frames": {number[1:]: expected for number, expected in frames.items()}}}}


@pytest.fixture
def wave(monkeypatch: pytest.MonkeyPatch) -> Shot:
    monkeypatch.setattr(makers, "MAKERS", Workshop().makers())
    return load_shot("wave")


def test_each_golden_frame_is_proved_or_told_why_not(wave: Shot) -> None:
    wrong = {**found(3), "picture": digest("another")}
    first, second = prove(wave, FakeBackend(), golden(f1=found(1), f3=wrong))
    assert (first.frame, first.passed, first.why) == (1, True, None)
    assert (second.frame, second.passed, second.why) == (3, False, "not the golden picture")
    assert (second.shot, second.backend, second.state_sha256) == ("wave", "fake", digest("state 3"))


def test_a_frame_that_cannot_be_made_is_a_failed_proof(monkeypatch: pytest.MonkeyPatch, wave: Shot) -> None:
    workshop = Workshop(fail_at=2, failure=CheckFailed("a number that is not finite"))
    monkeypatch.setattr(makers, "MAKERS", workshop.makers())
    (proof,) = prove(wave, FakeBackend(), golden(f3=found(3)))
    assert (proof.passed, proof.why, proof.state_sha256) == (False, "a number that is not finite", None)


def test_a_picture_that_is_not_finite_is_a_failed_proof(monkeypatch: pytest.MonkeyPatch, wave: Shot) -> None:
    monkeypatch.setattr(makers, "MAKERS", Workshop(radiance=math.inf).makers())
    (proof,) = prove(wave, FakeBackend(), golden(f3=found(3)))
    assert not proof.passed and str(proof.why).startswith("frame 3: 2 of 32 pixels of the picture are not finite")


def test_a_shot_without_hashes_is_not_proved(wave: Shot) -> None:
    (proof,) = prove(wave, FakeBackend(), {})
    assert (proof.frame, proof.passed, proof.why) == (0, False, "golden.json has no hashes of it at size S")


def test_renewed_hashes_are_proved_and_leave_others_alone(wave: Shot, tmp_path: Path) -> None:
    other = {"lava": {"S": {"frames": {"1": found(9)}}}}
    made = renewed({**other, **golden(f1=found(8), f5=found(8))}, wave, FakeBackend())
    assert made == {**other, **golden(f1=found(1), f3=found(3), f5=found(5))}
    write_golden(made, tmp_path / "golden.json")
    assert load_golden(tmp_path / "golden.json") == made
    assert all(proof.passed for proof in prove(wave, FakeBackend(), made))


def test_hashes_of_a_larger_size_are_kept_with_those_that_came_out_beside_them(wave: Shot, tmp_path: Path) -> None:
    small = golden(f1=found(1), f3=found(3))
    made = renewed(small, wave, FakeBackend(), "M")
    assert made["wave"]["S"] == small["wave"]["S"]
    assert made["wave"]["M"] == {"frames": {"1": found(1), "3": found(3)}, "made_with": digest_of(small, "wave")}
    assert digest_of(golden(f1=found(1), f3=found(4)), "wave") != digest_of(small, "wave")
    write_golden(made, tmp_path / "golden.json")
    assert load_golden(tmp_path / "golden.json") == made
    assert [proof.passed for proof in prove(wave, FakeBackend(), made, "M")] == [True, True]
    del made["wave"]["M"]["made_with"]
    write_golden(made, tmp_path / "golden.json")
    with pytest.raises(UserError, match="made_with"):
        load_golden(tmp_path / "golden.json")


@pytest.mark.parametrize("name", shot_names())
def test_hashes_that_no_test_makes_anew_are_of_the_present_kernels(name: str) -> None:
    """``shotmark verify --size M --update-golden`` renews them; it takes some minutes."""
    committed = load_golden()
    assert golden_frames(committed, name, "M") == [1, 3]
    assert committed[name]["M"].get("made_with") == digest_of(committed, name)


def test_a_shot_of_one_s_own_has_none(tmp_path: Path) -> None:
    own = load_shot(str(write_tiny_shot(tmp_path, "wave")))
    for call in (lambda: prove(own, FakeBackend(), {}), lambda: renewed({}, own, FakeBackend())):
        with pytest.raises(UserError, match=r"expected a shot that ships \(lava, tornado, wave\)"):
            call()


def test_golden_hashes_hold_for_the_shot_as_it_ships(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hashes, "load_golden", lambda: golden(f1=found(1)))
    wave, own = load_shot("wave"), load_shot(str(write_tiny_shot(tmp_path, "wave")))
    samples = wave.size("S").samples
    assert golden_of(wave, "S")(1) == golden_of(wave, "S", samples)(1) == found(1)
    assert golden_of(wave, "S")(2) is None and golden_of(wave, "S", samples + 1)(1) is None
    assert golden_of(own, "S")(1) is None
