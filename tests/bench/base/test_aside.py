"""Work in a thread of its own: what it returns and raises arrives, in order, and nothing is held on to."""

from __future__ import annotations

import threading
import weakref

import pytest

from bench.base.aside import Aside, InTurn


class Thing:
    """Something that can be watched."""


def test_what_a_call_returns_or_raises_arrives() -> None:
    assert Aside(lambda: 7).result() == 7
    failing = Aside(lambda: {}["a"])
    for _ in range(2):
        with pytest.raises(KeyError):
            failing.result()


def test_what_it_worked_on_is_let_go() -> None:
    thing = Thing()
    watched, done = weakref.ref(thing), Aside(lambda thing=thing: id(thing))
    assert done.result() == id(thing)
    del thing
    assert watched() is None


def test_one_after_another() -> None:
    said: list[int] = []
    first, gate = threading.Event(), threading.Event()

    def slow() -> None:
        first.set()
        gate.wait(10.0)
        said.append(1)

    with InTurn() as turn:
        turn.do(slow)
        assert first.wait(10.0) and said == []
        threading.Timer(0.05, gate.set).start()
        turn.do(lambda: said.append(2))
    assert said == [1, 2]


def test_an_error_is_told_at_the_next_call_or_at_the_end() -> None:
    def wrong() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), InTurn() as turn:
        turn.do(wrong)
    turn = InTurn()
    turn.do(wrong)
    with pytest.raises(OSError, match="full"):
        turn.do(lambda: None)
    turn.wait()


def test_what_ends_the_block_is_not_replaced() -> None:
    def wrong() -> None:
        raise OSError("full")

    with pytest.raises(KeyboardInterrupt), InTurn() as turn:
        turn.do(wrong)
        raise KeyboardInterrupt
