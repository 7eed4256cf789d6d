"""Processor sharing: against closed forms, and against a slow reference that looks at everybody at every event."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.project.model.shared_cores import Cores, crowding_of

Arrival = tuple[float, float, float]  # when, seconds of work, cores asked for


def run(
    arrivals: list[Arrival], cores: float, crowding: float = 1.0, stop: dict[int, float] | None = None
) -> list[float]:
    """When each ends; what is stopped before ends then."""
    machine, found = Cores(cores, crowding), [math.nan] * len(arrivals)
    events = [(at, 1, number) for number, (at, _, _) in enumerate(arrivals)]
    events += [(at, 0, number) for number, at in (stop or {}).items()]
    for at, is_start, number in [*sorted(events), (math.inf, 0, -1)]:
        while machine.next_end() <= at and machine.next_end() < math.inf:
            now = machine.next_end()
            found[machine.end(now)] = now
        if is_start:
            machine.start(at, number, *arrivals[number][1:])
        elif number >= 0 and math.isnan(found[number]):
            machine.cancel(at, number)
            found[number] = at
    return found


def slow_reference(arrivals: list[Arrival], cores: float, crowding: float) -> list[float]:
    """What is left of everybody, one event after another."""
    found = [math.nan] * len(arrivals)
    left: dict[int, float] = {}
    coming = sorted(range(len(arrivals)), key=lambda n: (arrivals[n][0], n))
    now = 0.0
    while left or coming:
        asked = sum(min(cores, arrivals[n][2]) for n in left)
        rate = 1.0
        if left:
            rate = min(1.0, cores / asked)
            if len(left) > 1:
                each = asked / len(left)
                rate /= crowding ** min(1.0, (asked - each) / max(cores - each, each))
        first = min(left, key=lambda n: (left[n], n), default=-1)
        ends = now + left[first] / rate if left else math.inf
        comes = arrivals[coming[0]][0] if coming else math.inf
        step = min(ends, comes) - now
        for number in left:
            left[number] -= step * rate
        now += step
        if ends <= comes:
            del left[first]
            found[first] = now
        else:
            number = coming.pop(0)
            left[number] = arrivals[number][1]
    return found


def test_alone_it_takes_its_time() -> None:
    assert run([(2.0, 3.0, 1.0)], 2.0) == [5.0]


def test_six_of_one_thread_on_two_cores_take_three_times_as_long() -> None:
    assert run([(0.0, 2.0, 1.0)] * 6, 2.0) == pytest.approx([6.0] * 6)


def test_two_on_two_cores_do_not_wait_for_each_other() -> None:
    assert run([(0.0, 2.0, 1.0), (0.0, 3.0, 1.0)], 2.0) == pytest.approx([2.0, 3.0])


def test_what_asks_for_more_cores_gets_more_of_them() -> None:
    # 3 cores asked for, 2 there: each does 2/3 of a second of its work in a second, until the short one has ended
    assert run([(0.0, 2.0, 2.0), (0.0, 1.0, 1.0)], 2.0) == pytest.approx([2.5, 1.5])


def test_the_longest_ends_when_all_work_is_done() -> None:
    # One core, work 1, 2 and 3: the closed form of processor sharing
    assert run([(0.0, 1.0, 1.0), (0.0, 2.0, 1.0), (0.0, 3.0, 1.0)], 1.0) == pytest.approx([3.0, 5.0, 6.0])


def test_who_comes_later_shares_what_is_left() -> None:
    assert run([(0.0, 2.0, 1.0), (1.0, 2.0, 1.0)], 1.0) == pytest.approx([3.0, 4.0])


def test_a_machine_that_is_full_crowds() -> None:
    assert run([(0.0, 1.0, 1.0)] * 2, 2.0, crowding=1.1) == pytest.approx([1.1, 1.1])
    assert run([(0.0, 1.0, 1.0)], 2.0, crowding=1.1) == pytest.approx([1.0])


@pytest.mark.parametrize(
    "cores, threads, count", [(2.0, 1.0, 6), (8.0, 1.0, 2), (8.0, 4.0, 3), (2.0, 2.0, 3), (4.0, 1.0, 4)]
)
def test_crowding_is_what_was_measured(cores: float, threads: float, count: int) -> None:
    slowing = 1.3 * max(1.0, count * threads / cores)
    crowding = crowding_of(slowing, cores, threads * count, count)
    assert run([(0.0, 1.0, threads)] * count, cores, crowding) == pytest.approx([slowing] * count)
    assert crowding_of(5.0, 2.0, 1.0, 1) == 1.0  # one alone says nothing


def test_others_take_their_share_all_the_time() -> None:
    machine = Cores(2.0, others=2.0)
    machine.start(0.0, 1, 1.0, 1.0)
    assert machine.next_end() == pytest.approx(1.5)  # three threads on two cores
    idle = Cores(4.0, others=2.0)
    idle.start(0.0, 1, 1.0, 1.0)
    assert idle.next_end() == pytest.approx(1.0)


def test_what_is_cancelled_leaves_its_share() -> None:
    assert run([(0.0, 2.0, 1.0), (0.0, 2.0, 1.0)], 1.0, stop={1: 1.0}) == pytest.approx([2.5, 1.0])
    assert run([(0.0, 2.0, 1.0), (0.0, 1.0, 1.0)], 1.0, stop={1: 1.5}) == pytest.approx([2.75, 1.5])


ARRIVALS = st.lists(
    st.tuples(st.floats(0.0, 10.0), st.floats(0.01, 10.0), st.sampled_from([1.0, 2.0, 4.0])), min_size=1, max_size=12
)


@settings(deadline=None)
@given(ARRIVALS, st.sampled_from([1.0, 2.0, 6.0]), st.sampled_from([1.0, 1.25]))
def test_it_agrees_with_the_slow_reference(arrivals: list[Arrival], cores: float, crowding: float) -> None:
    found = run(arrivals, cores, crowding)
    assert found == pytest.approx(slow_reference(arrivals, cores, crowding), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(ARRIVALS, st.sampled_from([1.0, 2.0, 6.0]))
def test_no_core_does_more_than_a_second_in_a_second(arrivals: list[Arrival], cores: float) -> None:
    found = run(arrivals, cores)
    work = sum(min(cores, asked) * seconds for _, seconds, asked in arrivals)
    begun = min(at for at, _, _ in arrivals)
    assert max(found) - begun >= work / cores - 1e-9
    for (at, seconds, _), end in zip(arrivals, found):
        assert end >= at + seconds - 1e-9
