"""Work beside other work: one thing at a time in a thread of its own, and what it raises where it is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """One call in a thread; ``result`` waits for what it returns, or raises what it raised."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._found: T | None = None
        self._error: BaseException | None = None
        # Nothing here holds on to the call, nor to what it works on, once it has ended
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self._found = call()
        except BaseException as error:  # whoever waits raises it
            self._error = error

    def result(self) -> T:
        while self._thread.is_alive():
            self._thread.join(0.2)  # a join without a limit would keep Ctrl-C waiting
        if self._error is not None:
            raise self._error
        return self._found  # type: ignore[return-value]


class InTurn:
    """Calls beside the caller's own work, one after another; at most one is under way when the next is handed over."""

    def __init__(self) -> None:
        self._last: Aside[None] | None = None

    def do(self, call: Callable[[], None]) -> None:
        """Begin a call once the one before has ended. Raises what that one raised."""
        self.wait()
        self._last = Aside(call)

    def wait(self) -> None:
        """Until the last call has ended. Raises what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was begun ends; what it raises is told, unless something else ends the block."""
        try:
            self.wait()
        except BaseException:
            if error is None:
                raise
