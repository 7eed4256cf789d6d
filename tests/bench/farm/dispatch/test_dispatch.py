"""The loop of a farm's run on a fake farm: order, pieces, and every fault."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import CheckFailed, Unavailable
from bench.farm.dispatch.board import Board
from bench.farm.dispatch.task import Task
from bench.farm.dispatch.times import LIMIT_LEAST_S, Times
from bench.farm.site import Pool
from bench.project.model import pieces
from bench.project.model.pieces import FrameCost
from tests.bench.farm.dispatch.fake_farm import SIMULATE_S, FakeFarm, Fault, Told, rows


@pytest.fixture
def farm(tmp_path: Path) -> FakeFarm:
    return FakeFarm(tmp_path)


def failed(kind: str, why: str = "it broke", **more: Any) -> dict[str, object]:
    return {"outcome": "failed", "kind": kind, "why": why, **more}


def frames_of(names: list[str], kind: str = "render") -> list[int]:
    return [int(name.split()[1]) for name in names if name.split()[0] == kind and len(name.split()) == 2]


# --- order -------------------------------------------------------------------------------------
def test_all_frames_are_made_once_while_the_simulation_goes_on(farm: FakeFarm) -> None:
    made = farm.run(12)
    assert made.board.done == set(range(1, 13)) == farm.frames_there and not made.board.failed
    assert Counter(farm.finished).most_common(1)[0][1] == 1
    assert farm.begun[0][1] == "simulate"
    ended = next(when for when, *_ in [(e["returned_s"],) for e in farm.events("task") if e["kind"] == "simulate"])
    rendered = [when for when, name, _ in farm.begun if name.startswith("render")]
    assert sum(when < ended for when in rendered) >= 9
    for when, name, _ in farm.begun:  # as soon as the state is there and a worker is free
        if name.startswith("render"):
            frame = int(name.split()[1])
            assert when >= 1_000_000.0 + frame * SIMULATE_S


def test_never_more_tasks_are_out_than_there_are_workers(farm: FakeFarm) -> None:
    farm.run(30)
    assert farm.most_out == 6


def test_states_that_are_there_need_no_simulation(farm: FakeFarm) -> None:
    for frame in range(1, 13):
        farm.state(frame)
    farm.run(12)
    assert not [name for _, name, _ in farm.begun if name == "simulate"]


def test_the_longest_frame_goes_first_once_it_is_known() -> None:
    times = Times()
    board = Board(range(1, 31), times, rows)
    board.fluids({2, 9, 11, 19})
    times.learn([{"kind": "render", "frame": n, "trace_s": s} for n, s in ((1, 1.0), (10, 5.0), (20, 3.0))])
    board.push(Task("part", 3, (0, 0, 8, 8, 0, 4)))
    found = [board.pop(0.0, lambda task: True) for _ in range(6)]
    assert [task.name for task in found if task] == [
        "simulate",  # holds up all others
        "render 3 0-0-8-8_0-3",  # what is begun is ended before what is not
        "render 9",
        "render 11",
        "render 19",
        "render 2",
    ]


# --- pieces --------------------------------------------------------------------------------------
def test_the_last_frames_are_cut_so_that_they_end_together(tmp_path: Path) -> None:
    def seconds(cut: bool) -> float:
        farm = FakeFarm(tmp_path / str(cut), trace_s=lambda frame: 12.0)
        for frame in range(1, 9):
            farm.state(frame)
        begun = farm.now_s
        made = farm.run(8) if cut else farm.run(8, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
        assert made.board.done == set(range(1, 9)) and not made.board.failed
        assert any(name.startswith("assemble") for name in farm.finished) is cut
        return farm.now_s - begun

    whole, parts = seconds(False), seconds(True)
    assert parts < 0.85 * whole


def test_frames_are_whole_while_there_are_more_than_workers(farm: FakeFarm) -> None:
    for frame in range(1, 61):
        farm.state(frame)
    farm.run(60)
    begun = [name for _, name, _ in farm.begun]
    assert all(len(name.split()) == 2 for name in begun[:40])


def test_a_fixed_number_of_pieces_cuts_every_frame(farm: FakeFarm) -> None:
    made = farm.run(5, pieces=4)
    assert made.board.done == {1, 2, 3, 4, 5}
    assert sum(len(name.split()) == 3 for name in farm.finished) == 20
    assert frames_of(farm.finished, "assemble") and not frames_of(farm.finished, "render")


def test_a_part_is_worth_its_handing_out() -> None:
    cost = FrameCost(0.1, 4.0)
    free = [0.0] * 6
    assert pieces.parts_of(cost, [0.0], free, 0.01, 1e9) >= 6
    assert pieces.parts_of(cost, [0.0], free, 0.1, 1e9) == 2  # 20 times 0.1 s
    assert pieces.parts_of(cost, [0.0], free, 1.0, 1e9) == 1
    assert pieces.parts_of(cost, [0.0] * 12, free, 0.01, 1e9) == 1
    assert pieces.parts_of(None, [0.0], free, 0.01, 1e9) == 6, "nobody knows what it costs, and five would idle"
    assert pieces.parts_of(None, [0.0] * 5, free, 0.01, 1e9) == 2
    assert pieces.parts_of(None, [0.0] * 6, free, 0.01, 1e9) == 1
    assert pieces.parts_of(None, [0.0], [0.0, *[1.0] * 5], 0.01, 1e9) == 1
    assert pieces.parts_of(cost, [0.0] * 100, free, 0.01, 1.5) == 3, "a wall time cuts frames too"
    assert pieces.parts_of(cost, [0.0], [0.0, *[100.0] * 5], 0.01, 1e9) == 1, "busy workers are no use"
    # Seven frames on six workers: whole ones take two rounds
    assert pieces.parts_of(cost, [0.0] * 7, free, 0.01, 1e9) > 1


# --- faults --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["simulate", "render 3", "render 12"])
def test_a_task_whose_worker_dies_is_done_by_another_one(farm: FakeFarm, name: str) -> None:
    farm.faults = [Fault(name, times=2, after_s=2.5)]
    told = Told()
    made = farm.run(12, shown=told, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
    assert made.board.done == set(range(1, 13)) and not made.board.failed
    on = [worker for _, begun, worker in farm.begun if begun == name]
    assert len(on) == 3 == len(set(on)), "each try is another worker's"
    assert Counter(farm.finished)[name] == 1
    assert [line.split(":")[0].split(" on ")[0] for line in told.lines] == [name, name]
    lost = [one for one in farm.events("task") if one["outcome"] == "lost"]
    assert [(one["task"], one["attempt"], f"{one['node']}/{one['worker']}") for one in lost] == [
        (name, 1, on[0]),
        (name, 2, on[1]),
    ]


def test_a_task_that_fails_four_times_is_named_and_the_rest_goes_on(farm: FakeFarm) -> None:
    farm.faults = [Fault("render 3", failed("defect", "ValueError: no"), times=99)]
    made = farm.run(12, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
    assert made.board.done == set(range(1, 13)) - {3}
    assert set(made.board.failed) == {3} and "ValueError: no" in made.board.failed[3]
    assert sum(name == "render 3" for _, name, _ in farm.begun) == 4


def test_a_simulation_that_gets_further_each_time_is_never_given_up(farm: FakeFarm) -> None:
    farm.faults = [Fault("simulate", times=6, after_s=2.5)]
    made = farm.run(15)
    assert made.board.done == set(range(1, 16)) and not made.board.failed


def test_a_simulation_that_gets_nowhere_is_given_up_and_what_has_states_is_rendered(farm: FakeFarm) -> None:
    for frame in (1, 2, 3):
        farm.state(frame)
    farm.faults = [Fault("simulate", times=99)]
    made = farm.run(6)
    assert made.board.done == {1, 2, 3} and set(made.board.failed) == {4, 5, 6}


def test_a_lone_worker_tries_again_what_failed_on_it(tmp_path: Path) -> None:
    farm = FakeFarm(tmp_path, nodes={"n1": 1}, faults=[Fault("render 2", times=1)])
    assert farm.run(3).board.done == {1, 2, 3}


def test_a_task_that_hangs_is_ended_by_its_limit_and_done_elsewhere(farm: FakeFarm) -> None:
    farm.faults = [Fault("render 2", late=True, after_s=40.0)]
    told = Told()
    made = farm.run(12, projected={"render": 30.0, "simulate": 100.0}, shown=told)
    assert made.board.done == set(range(1, 13))
    limits = {order["task"]["kind"]: order["limit_s"] for order in farm.orders[:2]}
    assert limits == {"simulate": 400.0, "render": 120.0}
    assert [one["outcome"] for one in farm.events("task") if one["task"] == "render 2"] == ["hung", "done"]
    assert any("longer than its limit of 120 s" in line for line in told.lines)
    again = [order["limit_s"] for order in farm.orders if order["task"]["frame"] == 2]
    assert again[1] >= 2 * LIMIT_LEAST_S, "the limit may be what was wrong"


def test_a_limit_follows_what_was_measured() -> None:
    times = Times()
    assert times.limit_s("render") is None and times.limit_s("simulate", 10) is None
    times.learn([{"kind": "render", "frame": n, "trace_s": 50.0} for n in range(2)])
    assert times.limit_s("render") == 200.0 == times.limit_s("part")
    assert Times({"render": 1.0, "simulate": 1.0}).limit_s("render") == LIMIT_LEAST_S
    wrong = Times({"render": 1.0})
    wrong.learn([{"kind": "render", "frame": 1, "trace_s": 90.0}])
    assert wrong.limit_s("render") == 360.0, "one measured frame counts more than a projection that is too low"
    times.learn([{"kind": "render", "frame": n, "trace_s": 0.1} for n in range(400)])
    assert times.limit_s("render") == LIMIT_LEAST_S
    times.learn([{"kind": "simulate", "frame": n, "simulate_s": 20.0} for n in range(5)])
    assert times.limit_s("simulate", 10, 60) == 800.0


def test_a_projection_that_is_far_too_low_ends_no_run(farm: FakeFarm) -> None:
    """A limit that stands on it would end every task, try after try."""
    farm.trace_s = lambda frame: 400.0 + 100.0 * frame
    made = farm.run(24, projected={"render": 1.0, "simulate": 1.0}, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
    assert made.board.done == set(range(1, 25)) and not made.board.failed


def test_a_node_that_takes_tasks_and_begins_none_is_given_back(farm: FakeFarm) -> None:
    farm.mutes = 2
    told = Told()
    made = farm.run(12, shown=told, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
    assert made.board.done == set(range(1, 13)) and not made.board.failed and farm.renewed
    assert any("no worker has begun it in 45 s" in line for line in told.lines)


@pytest.mark.parametrize(("times", "done"), [(12, True), (99, False)])
def test_a_task_that_nobody_has_begun_was_not_tried(farm: FakeFarm, times: int, done: bool) -> None:
    """Its node went with it, again and again: that is no fault of the task's, but there is an end to it."""
    farm.faults = [Fault("assemble 2", times=times, begun=False)]
    made = farm.run(3, pieces=4)
    assert (2 in made.board.done) is done and (2 in made.board.failed) is not done


def test_a_worker_that_cannot_end_itself_is_not_waited_for(farm: FakeFarm) -> None:
    farm.faults = [Fault("render 2", {"outcome": "done", "made": []}, after_s=1e9)]
    made = farm.run(12, projected={"render": 1.0, "simulate": 10.0})
    assert made.board.done == set(range(1, 13)) and not made.board.failed
    assert farm.now_s < 1_000_000.0 + 3000.0


def test_a_damaged_state_is_simulated_again(farm: FakeFarm) -> None:
    gone = farm.out / "fluid" / "000004.npz"
    farm.faults = [Fault("render 4", failed("missing", "frame 4 has no state"), before=gone.unlink)]
    made = farm.run(12)
    assert made.board.done == set(range(1, 13)) and not made.board.failed
    again = [order["task"]["frames"] for order in farm.orders if order["task"]["kind"] == "simulate"]
    assert again[-1] == [4] and len(again) == 2


def test_damaged_sums_are_made_again(farm: FakeFarm) -> None:
    farm.faults = [Fault("assemble 2", failed("missing", "samples from 0 on are not there"))]
    made = farm.run(3, pieces=4)
    assert made.board.done == {1, 2, 3}
    assert Counter(name for name in farm.finished if name.startswith("render 2 ")).most_common(1)[0][1] == 2
    assert Counter(name for name in farm.finished if name.startswith("render 1 ")).most_common(1)[0][1] == 1


def test_a_state_that_is_always_damaged_is_given_up(farm: FakeFarm) -> None:
    gone = farm.out / "fluid" / "000004.npz"
    fault = Fault("render 4", failed("missing", "frame 4 has no state"), times=99, before=gone.unlink)
    farm.faults = [fault]
    made = farm.run(6, cut=lambda count: [(0, 0, 64, 64, 0, 16)])
    assert set(made.board.failed) == {4} and made.board.done == {1, 2, 3, 5, 6}


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (failed("proof", "frame 2: the picture's SHA-256 a is not the golden b"), CheckFailed, "node n.: frame 2"),
        (failed("folder"), Unavailable, "all nodes share"),
        (failed("unusable", "other kernels"), Unavailable, "node n.: other kernels"),
        (failed("disk", "No space left on device", errno=errno.ENOSPC, file="a/b.npz"), OSError, "No space left"),
    ],
)
def test_what_would_go_wrong_everywhere_ends_the_run_at_once(
    farm: FakeFarm, answer: dict[str, object], error: type[Exception], says: str
) -> None:
    farm.faults = [Fault("render 2", answer, times=99)]
    with pytest.raises(error, match=says):
        farm.run(12)
    assert sum(name == "render 2" for _, name, _ in farm.begun) == 1
    assert farm.events("task")[-1]["outcome"] == "failed"


def test_a_node_that_goes_away_takes_nothing_with_it(farm: FakeFarm) -> None:
    def leave() -> None:
        for worker in [one for one in farm.crew if one.node == "n2"]:
            farm.crew.remove(worker)

    farm.at(6.0, leave)
    assert farm.run(24).board.done == set(range(1, 25))


def test_without_a_worker_that_may_come_the_run_ends_in_one_line(tmp_path: Path) -> None:
    farm = FakeFarm(tmp_path, nodes={})
    farm.at(5.0, lambda: setattr(farm, "trouble", "pool p: no worker started: invalid partition"))
    with pytest.raises(Unavailable, match="invalid partition; what is finished is kept"):
        farm.run(12)


def test_a_run_that_is_stopped_starts_nothing_more(farm: FakeFarm) -> None:
    made = farm.run(12, stopped=lambda: farm.now_s > 1_000_008.0)
    assert 0 < len(made.board.done) < 12 and max(when for when, *_ in farm.begun) <= 1_000_008.0
    again = FakeFarm(farm.out, now_s=farm.now_s)
    dispatcher = again.dispatcher(12)
    for frame in made.board.done:
        dispatcher.board.finish(frame)
    dispatcher.run()
    assert not set(frames_of(again.finished)) & made.board.done
    assert again.frames_there | farm.frames_there == set(range(1, 13))


def test_the_first_pool_gets_the_simulation(tmp_path: Path) -> None:
    farm = FakeFarm(tmp_path, nodes={"slow": 2})
    pools = (Pool(name="fast", provider="local"), Pool(name="p", provider="local"))
    for worker in farm.crew:
        worker.pool = "p"
    farm.at(20.0, lambda: farm.crew.append(type(farm.crew[0])("fast", "quick", "0")))
    assert farm.run(4, pools=pools).board.done == {1, 2, 3, 4}
    assert farm.begun[0][1:] == ("simulate", "quick/0")
    lonely = FakeFarm(tmp_path / "2", nodes={"slow": 2})
    assert lonely.run(4, pools=pools).board.done == {1, 2, 3, 4}, "the first pool never comes"


# --- told ------------------------------------------------------------------------------------------
def test_what_a_person_sees(farm: FakeFarm) -> None:
    told = Told()
    farm.faults = [Fault("render 3", failed("defect"), times=99)]
    farm.run(12, shown=told, projected_s=100.0)
    first, last = told.all[0], told.all[-1]
    assert (first.frames, first.done, first.workers, first.workers_wanted) == (12, 0, 6, 6)
    assert first.left_s is not None and 99.0 < first.left_s <= 100.0, "the projection, until something is measured"
    assert (last.done, last.failed, last.rendering, last.left_s) == (11, 1, 0, 0.0), "the end is shown too"
    assert any("simulate on n" in one.line and " in work" in one.line and " left" in one.line for one in told.all)


def test_the_log_says_what_happened(farm: FakeFarm) -> None:
    farm.run(4)
    tasks = farm.events("task")
    keys = {"event", "at_s", "task", "kind", "frame", "part", "attempt", "submitted_s", "begun_s", "ended_s"}
    keys |= {"returned_s", "node", "worker", "outcome", "why", "made"}
    assert all(set(one) == keys for one in tasks)
    assert sorted(one["frame"] for one in farm.events("frame")) == [1, 2, 3, 4]
    for one in tasks:
        assert one["submitted_s"] <= one["begun_s"] <= one["ended_s"] <= one["returned_s"] and one["why"] is None
    workers = farm.events("worker")
    assert len({(one["node"], one["worker"]) for one in workers}) == len(workers) > 1
    assert all(0.0 <= one["ready_s"] < 0.2 for one in workers), "all were there from the beginning"
    assert not list((farm.out / "farm" / "now").iterdir()), "notes of what is over"
