"""The order of a measurement: verify, then time; what did not verify is rejected and never a time."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import CheckFailed, UserError
from bench.measure.meter import ROUNDS_MAX, ROUNDS_MIN, ShotMeter
from bench.measure.plugin import measure
from bench.record.read import read_record
from bench.record.schema import STAGES, TOTALS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, case, digest


def meter(workshop: Workshop, tmp_path: Path, **options: Any) -> ShotMeter:
    return ShotMeter(case(**options), FakeBackend(), workshop.makers(), tmp_path)


def test_verify_simulates_once_then_repeats_from_the_kept_state(tmp_path: Path) -> None:
    workshop = Workshop()
    meter(workshop, tmp_path, frame=3).verify()
    frame = ["simulate 3", "surface", "trace", "resolve", "encode"]
    assert workshop.log == ["scene", "simulate 1", "simulate 2", "keep", *frame, "restore", *frame]


def test_golden_frames_before_the_measured_one_are_proved_on_the_way(tmp_path: Path) -> None:
    def golden(frame: int) -> dict[str, str]:
        return {"state": digest(f"state {frame}"), "picture": digest(f"picture {frame}")}

    workshop = Workshop()
    meter(workshop, tmp_path, frame=3, earlier={1: golden(1)}).verify()
    assert workshop.log[:7] == ["scene", "simulate 1", "surface", "trace", "resolve", "simulate 2", "snapshot"]
    for frame, wrong in ((1, "state"), (2, "picture")):
        damaged = {**golden(frame), wrong: digest("other")}
        with pytest.raises(CheckFailed, match=rf"frame {frame}: the {wrong}'s SHA-256 .* is not the golden one"):
            meter(Workshop(), tmp_path, frame=3, earlier={frame: damaged}).verify()


def test_a_round_has_all_stages_and_totals_that_add_up(tmp_path: Path) -> None:
    shot = meter(Workshop(), tmp_path)
    shot.verify()
    shot.restore()
    shot.run_frame()
    shot.keep()
    seconds = shot.result.rounds[0].seconds
    assert set(seconds) == {*STAGES, *TOTALS}
    # The fake clock counts readings: a launch takes two of them, the stages' own stamps one each.
    assert seconds["frame"] == sum(seconds[stage] for stage in STAGES)
    assert seconds["resident"] == seconds["frame"] - seconds["encode"]
    assert seconds["kernels"] == 5.0 < seconds["resident"]
    assert shot.result.kernels_s() == {
        "img_resolve": 1.0,
        "img_trace": 1.0,
        "mpm_g2p": 1.0,
        "mpm_p2g": 1.0,
        "surf_level": 1.0,
    }


def test_another_state_than_the_golden_one_is_refused(tmp_path: Path) -> None:
    shot = meter(Workshop(), tmp_path, expected={"state": digest("other"), "picture": digest("picture 2")})
    with pytest.raises(CheckFailed, match=r"state's SHA-256 .* is not the golden one"):
        shot.verify()


def test_golden_hashes_are_named_as_the_proof(tmp_path: Path) -> None:
    shot = meter(Workshop(), tmp_path, expected={"state": digest("state 2"), "picture": digest("picture 2")})
    shot.verify()
    assert shot.result.verified == "golden"


def test_a_round_with_other_bits_is_not_kept(tmp_path: Path) -> None:
    workshop = Workshop(state_of=lambda frame, call: "odd" if call == 4 else f"state {frame}")
    shot = meter(workshop, tmp_path)
    shot.verify()
    shot.restore()
    shot.run_frame()
    with pytest.raises(CheckFailed, match="first round's"):
        shot.keep()
    assert shot.result.rounds == []


@pytest.mark.parametrize(("clock_step", "rounds"), [(1e-3, ROUNDS_MAX), (1.0, ROUNDS_MIN)])
def test_rounds_follow_the_time_budget(tmp_path: Path, clock_step: float, rounds: int) -> None:
    backend = FakeBackend(clock_values=(clock_step * i for i in range(10_000)))
    shot = ShotMeter(case(rounds=None), backend, Workshop().makers(), tmp_path)
    shot.verify()
    assert shot.round_count() == rounds


def test_a_run_is_recorded_in_pytest_benchmark_s_form(tmp_path: Path) -> None:
    slot = measure([case("one"), case("two")], [FakeBackend()], Workshop().makers(), tmp_path, {"asked": "for"})
    record = read_record(slot.path)
    assert record.complete and not record.rejected
    assert [(row.shot, row.stage) for row in record.rows] == [
        (shot, stage) for shot in ("one", "two") for stage in ("frame", *STAGES, "kernels", "resident")
    ]
    assert all(len(row.samples_s) == 6 and row.verified == "repeat" for row in record.rows)
    document = json.loads(slot.path.read_text())
    assert {row["options"]["timer"].rpartition(".")[2] for row in document["benchmarks"]} == {
        "fake_clock",
        "_replay_clock",
    }
    assert document["machine_info"]["node"] == record.machine_id


def test_rows_that_did_not_verify_are_rejected_and_the_next_shot_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"state": digest("other"), "picture": digest("picture 2")}
    slot = measure([case("bad", expected=wrong), case("good")], [FakeBackend()], Workshop().makers(), tmp_path, {})
    record = read_record(slot.path)
    assert capsys.readouterr() == ("", "")
    assert {row.shot for row in record.rows} == {"good"}
    assert {entry.shot for entry in record.rejected} == {"bad"}
    assert all("golden" in entry.reason and not hasattr(entry, "samples_s") for entry in record.rejected)


def test_a_picture_that_is_not_finite_is_rejected_though_it_repeats(tmp_path: Path) -> None:
    record = read_record(measure([case()], [FakeBackend()], Workshop(radiance=math.nan).makers(), tmp_path, {}).path)
    assert record.rows == ()
    assert record.rejected[0].reason.startswith(
        "frame 2: 2 of 32 pixels of the picture are not finite, the first in row 2"
    )


def test_a_round_that_goes_wrong_takes_its_frame_s_times_along(tmp_path: Path) -> None:
    # Calls: two to reach frame 2, one repeat, one warm-up round (none: the fake frame takes long), then rounds.
    workshop = Workshop(state_of=lambda frame, call: "odd" if call == 6 else f"state {frame}")
    record = read_record(measure([case()], [FakeBackend()], workshop.makers(), tmp_path, {}).path)
    assert record.rows == ()
    assert "first round's" in record.rejected[0].reason


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), UserError("x.toml: bad")]
)
def test_what_was_finished_is_saved_when_a_run_ends_early(tmp_path: Path, failure: BaseException) -> None:
    workshop = Workshop(fail_at=7, failure=failure)
    with pytest.raises(type(failure)):
        measure([case(), case("never")], [FakeBackend()], workshop.makers(), tmp_path, {})
    (path,) = tmp_path.glob("*/*.json")
    record = read_record(path)
    assert not record.complete
    assert {len(row.samples_s) for row in record.rows} == {3}
    assert {row.stage for row in record.rows} == {*STAGES, *TOTALS}


def test_user_s_pytest_settings_do_not_reach_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only --nonsense")
    slot = measure([case()], [FakeBackend()], Workshop().makers(), tmp_path, {})
    assert read_record(slot.path).complete
