"""Launches that come again and again, kept as CUDA graphs. Not yet run on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from bench.backend.protocol import CupyObject
from bench.base.errors import Unavailable, one_line

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend

GRAPHS_MOST = 64  # kept at once
RECORD_AT = 2  # the call of a key that is recorded; what happens once is not worth it


class GraphRecording:
    """Launches that repeat, kept as CUDA graphs: one call instead of one for each kernel."""

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        self._graphs: dict[Hashable, CupyObject] = {}
        self._calls: dict[Hashable, int] = {}

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        """Do ``launches``, or replay them: the same kernels with the same arguments whenever the key is the same.

        Where the driver refuses any step of it, they are done as they are, now and from then on. ``launches`` may have
        been broken off before that: it leaves what it changes on the host as it found it.
        """
        device = self._backend
        # An observer times every launch: a graph has no place for its stamps
        if device.observer is not None or device.graph_problem is not None:
            launches()
            return
        if key not in self._graphs:
            self._calls[key] = self._calls.get(key, 0) + 1
            if self._calls[key] < RECORD_AT or not self._record(key, launches):
                launches()
                return
        if not self._replayed(key):
            launches()

    def _record(self, key: Hashable, launches: Callable[[], None]) -> bool:
        """Whether the launches could be recorded; nothing of them has run then."""
        device, stream = self._backend, self._backend._stream
        if len(self._graphs) >= GRAPHS_MOST:
            self.forget()
        try:
            with device._told():
                stream.begin_capture()
                try:
                    launches()
                finally:
                    graph = stream.end_capture()
        except device.failures as error:
            self._give_up(error)
            return False
        self._graphs[key] = graph
        return True

    def _replayed(self, key: Hashable) -> bool:
        """Whether the driver took the graph: one that it refuses has not begun."""
        device = self._backend
        with device._told():
            try:
                self._graphs[key].launch(device._stream)
            except device.failures as error:
                self._give_up(error)
                return False
        return True

    def _give_up(self, error: Exception) -> None:
        """Nothing is recorded or replayed any more. A device that is lost says so at the next launch."""
        told = error.__context__ if isinstance(error, Unavailable) else None  # the driver's own words
        self._backend.graph_problem = one_line(told or error)
        self._graphs.clear()

    def forget(self) -> None:
        """Drop what was recorded: its arrays are other ones now."""
        self._backend.synchronize()
        self._graphs.clear()
        self._calls.clear()
