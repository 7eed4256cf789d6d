"""A farm run in the model: closed forms of small runs, bounds of any, losses, and the rule by which frames are cut."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.project.model.farm import (
    ASSEMBLE,
    PART,
    RENDER,
    SIMULATE,
    FarmMachine,
    FarmOutcome,
    FarmWorker,
    FrameWork,
    Handing,
    run,
)
from bench.project.model.pieces import FrameCost, last_end_s, parts_of

ONE, LAPTOP = [FarmMachine(1)], [FarmMachine(2)]


def frames(count: int, simulate_s: float = 1.0, trace_s: float = 4.0, **more: float) -> list[FrameWork]:
    return [FrameWork(n, simulate_s, trace_s=trace_s, **more) for n in range(1, count + 1)]


def apart(count: int, **more: float) -> tuple[list[FarmMachine], list[FarmWorker]]:
    """Workers on a machine each."""
    return [FarmMachine(1)] * count, [FarmWorker(n, **more) for n in range(count)]


def test_one_worker_does_it_all_one_after_another() -> None:
    found = run(ONE, [FarmWorker(0, arrives_s=3.0, start_s=2.0)], frames(5, store_s=0.5, load_s=0.25, encode_s=0.25))
    assert found.makespan_s == pytest.approx(3.0 + 2.0 + 5 * (1.0 + 0.5 + 0.25 + 4.0 + 0.25))
    assert found.chain_s == pytest.approx(5 * 1.5)
    assert found.sum_of("trace") == pytest.approx(20.0) and found.sum_of("start") == pytest.approx(2.0)
    assert found.utilisation == pytest.approx(30.0 / 35.0)
    assert [task.kind for task in found.tasks] == [SIMULATE] + [RENDER] * 5


def test_with_a_worker_a_frame_the_last_frame_ends_it() -> None:
    found = run(*apart(9), frames(8), Handing(pieces=1))
    assert found.makespan_s == pytest.approx(8 * 1.0 + 4.0)
    waits = [task.wait_s for task in found.tasks if task.kind == RENDER]
    assert waits == [0.0] * 8 and found.state_s == {n: float(n) for n in range(1, 9)}


def test_six_workers_on_two_cores_are_two_cores() -> None:
    found = run(LAPTOP, [FarmWorker(0) for _ in range(6)], frames(60, simulate_s=0.1))
    assert found.makespan_s == pytest.approx(60 * 4.1 / 2, rel=0.03)
    spread = run([FarmMachine(2)] * 3, [FarmWorker(n % 3) for n in range(6)], frames(60, simulate_s=0.1))
    assert spread.makespan_s == pytest.approx(60 * 4.1 / 6, rel=0.1)


def test_the_chain_is_held_up_by_those_who_share_its_core() -> None:
    alone = run(*apart(7), frames(6))
    crowded = run(ONE, [FarmWorker(0) for _ in range(7)], frames(6))
    assert alone.chain_s == pytest.approx(6.0) and crowded.chain_s > 15.0


def test_every_hand_over_is_paid() -> None:
    handing = Handing(dispatch_s=0.5, latency_s=1.0, seen_s=2.0, assemble_s=7.0, pieces=1)
    found = run(*apart(2), frames(1), handing)
    # simulate: handed out 0.5 + 0.5, 1 s; seen after 2 s; render: 0.5 + 0.5, 4 s, back 0.5; assemble
    assert found.makespan_s == pytest.approx(1.0 + 1.0 + 2.0 + 1.0 + 4.0 + 0.5 + 7.0)
    assert found.early_s == pytest.approx(2 * 1.0) and found.dispatch_s == pytest.approx(2 * 0.5)
    assert [task.wait_s for task in found.tasks] == [0.0, pytest.approx(3.0)]


def test_frames_that_are_not_wanted_are_simulated_alone() -> None:
    work = [FrameWork(n, 1.0, wanted=n == 4, trace_s=2.0) for n in range(1, 5)]
    found = run(*apart(2), work, Handing(pieces=1))
    assert found.makespan_s == pytest.approx(6.0) and Counter(t.kind for t in found.tasks) == {SIMULATE: 1, RENDER: 1}


def test_states_that_are_there_are_rendered_at_once() -> None:
    work = [FrameWork(n, 1.0, trace_s=2.0, present=n < 4) for n in range(1, 5)]
    found = run(*apart(2), work, Handing(pieces=1))
    assert found.chain_s == pytest.approx(1.0) and finished(found, work)
    assert sorted(found.state_s.items()) == [(1, 0.0), (2, 0.0), (3, 0.0), (4, 1.0)]
    assert found.makespan_s == pytest.approx(5.0)  # 1 s and two pictures here, two pictures there
    rest = run(*apart(2), work[:3], Handing(pieces=1))
    assert rest.chain_s == 0.0 and rest.makespan_s == pytest.approx(4.0) and finished(rest, work[:3])


def test_the_longest_of_those_ready_goes_first() -> None:
    work = [FrameWork(n, 0.1, trace_s=s) for n, s in enumerate((5.0, 1.0, 2.0, 9.0, 3.0), 1)]
    found = run(ONE, [FarmWorker(0)], work)
    assert [task.frame for task in found.tasks if task.kind == RENDER] == [4, 1, 5, 3, 2]


def test_one_frame_in_four_parts() -> None:
    work = frames(1, load_s=0.5, surface_s=0.5, encode_s=0.3, write_s=0.2)
    found = run(*apart(4), work, Handing(sums_s=0.1, pieces=4))
    kinds = Counter(task.kind for task in found.tasks)
    assert kinds == {SIMULATE: 1, PART: 4, ASSEMBLE: 1}
    assert found.makespan_s == pytest.approx(1.0 + (0.5 + 0.5 + 1.0 + 0.1) + 0.5)
    assert found.sum_of("trace") == pytest.approx(4.0) and found.sum_of("surface") == pytest.approx(2.0)


def test_the_next_part_of_a_frame_finds_its_surface() -> None:
    found = run(*apart(1), frames(2, surface_s=3.0), Handing(pieces=3))
    assert found.sum_of("surface") == pytest.approx(6.0) and found.sum_of("trace") == pytest.approx(8.0)
    whole = run(*apart(1), frames(2, surface_s=3.0), Handing(pieces=1))
    assert whole.sum_of("surface") == pytest.approx(6.0)


def test_a_scene_is_built_for_the_simulation_and_for_the_first_picture() -> None:
    found = run(*apart(1, start_s=5.0, scene_s=2.0), frames(3))
    assert found.sum_of("start") == pytest.approx(5.0 + 2.0 + 2.0)


def test_in_how_many_parts_a_frame_goes_out() -> None:
    cost, idle = FrameCost(0.5, 12.0), [0.0] * 6
    assert parts_of(cost, [0.0] * 60, idle, 0.01) == 1 and parts_of(cost, [0.0] * 6, idle, 0.01) == 1
    assert parts_of(cost, [0.0], idle, 0.01) == 6 and parts_of(cost, [0.0] * 3, idle, 0.01) == 2
    assert parts_of(cost, [0.0], idle, 0.2) == 3  # a part of 4 s is worth 0.2 s, one of 3 s is not
    assert parts_of(cost, [0.0], [0.0], 0.01) == 1 and parts_of(None, [0.0], idle, 0.01) == 6
    assert parts_of(FrameCost(9.0, 1.0), [0.0], idle, 0.0) == 4  # a fifth part would gain less than 2 %
    assert last_end_s(cost, 2, [0.0, 3.0], [0.0, 1.0]) == pytest.approx(1.0 + 2 * 6.5)


def test_the_last_frames_are_cut_once_it_is_known_what_a_frame_takes() -> None:
    found = run(*apart(4), frames(9, simulate_s=0.1, trace_s=8.0))
    kinds = [task.kind for task in found.tasks]
    assert RENDER in kinds and PART in kinds and finished(found, frames(9))
    assert found.makespan_s < run(*apart(4), frames(9, simulate_s=0.1, trace_s=8.0), Handing(pieces=1)).makespan_s


def test_a_lost_worker_s_frame_is_made_again() -> None:
    handing = Handing(notice_s=2.0, return_s=5.0)
    found = run(*apart(1, start_s=1.0), frames(1), handing, losses=[(4.0, 0)])
    # start 1, simulate 1, trace from 2 to 4 lost; noticed at 6, a new worker at 9: start 1, trace 4
    assert found.makespan_s == pytest.approx(9.0 + 1.0 + 4.0)
    assert [task.lost for task in found.tasks] == [False, True, False]


def test_a_lost_simulation_goes_on_from_what_it_kept() -> None:
    found = run(*apart(1), frames(4, trace_s=0.5), Handing(notice_s=1.0, return_s=1.0), losses=[(2.5, 0)])
    assert found.state_s == pytest.approx({1: 1.0, 2: 2.0, 3: 4.5, 4: 5.5})  # it goes before frames 1 and 2
    assert found.sum_of("simulate") == pytest.approx(4.0)


def test_a_worker_that_is_lost_between_its_end_and_its_return_has_done_its_task() -> None:
    handing = Handing(latency_s=1.0, notice_s=1.0, return_s=2.0, pieces=1)
    found = run(*apart(1), frames(2, trace_s=1.0), handing, losses=[(2.75, 0)])  # the simulation ended at 2.5
    assert [(task.kind, task.lost) for task in found.tasks][:2] == [(SIMULATE, False), (RENDER, True)]
    assert finished(found, frames(2)) and found.makespan_s < 15.0


def test_with_nobody_left_it_never_ends() -> None:
    found = run(*apart(1), frames(2), Handing(notice_s=1.0), losses=[(0.5, 0)])
    assert found.makespan_s == math.inf and found.utilisation == 0.0


WORK = st.lists(
    st.builds(
        FrameWork,
        frame=st.just(0),
        simulate_s=st.floats(0.01, 3.0),
        store_s=st.floats(0.0, 0.2),
        load_s=st.floats(0.0, 0.2),
        surface_s=st.floats(0.0, 1.0),
        trace_s=st.floats(0.01, 10.0),
        encode_s=st.floats(0.0, 0.5),
        write_s=st.floats(0.0, 0.5),
    ),
    min_size=1,
    max_size=12,
)


def numbered(work: list[FrameWork]) -> list[FrameWork]:
    return [FrameWork(**{**vars(one), "frame": n}) for n, one in enumerate(work, 1)]


def finished(found: FarmOutcome, work: list[FrameWork]) -> bool:
    """Every frame came back once, whole or put together."""
    made = Counter(t.frame for t in found.tasks if t.kind in (RENDER, ASSEMBLE) and not t.lost)
    return made == Counter(one.frame for one in work)


@settings(deadline=None)
@given(WORK, st.integers(1, 7), st.sampled_from([1.0, 2.0, 8.0]), st.sampled_from([None, 1, 3]))
def test_no_run_is_shorter_than_its_bounds(
    work: list[FrameWork], workers: int, cores: float, pieces: int | None
) -> None:
    work = numbered(work)
    found = run([FarmMachine(cores)], [FarmWorker(0) for _ in range(workers)], work, Handing(pieces=pieces))
    computing = sum(one.simulate_s + one.surface_s + one.trace_s + one.encode_s for one in work)
    chain = sum(one.simulate_s + one.store_s for one in work)
    assert finished(found, work)
    assert found.makespan_s >= max(computing / cores, computing / workers, chain) - 1e-9
    assert found.chain_s >= chain - 1e-9 and 0.0 < found.utilisation <= 1.0 + 1e-9
    assert found.sum_of("trace") >= sum(one.trace_s for one in work) - 1e-6


@settings(deadline=None)
@given(WORK, st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(0, 3)), max_size=12), st.sampled_from([None, 4]))
def test_nothing_is_missing_whoever_is_lost(
    work: list[FrameWork], losses: list[tuple[float, int]], pieces: int | None
) -> None:
    work = numbered(work)
    handing = Handing(0.01, 0.02, 0.1, pieces, notice_s=1.0, return_s=2.0)
    found = run(LAPTOP, [FarmWorker(0, arrives_s=0.5, start_s=0.3) for _ in range(4)], work, handing, losses)
    assert finished(found, work) and found.makespan_s < math.inf
    assert sum(task.lost for task in found.tasks) <= len(losses)
