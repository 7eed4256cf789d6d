"""Two virtual clocks: the host's goes on with every call, the device's with what is queued."""

from __future__ import annotations

from dataclasses import dataclass, field

CLOCK_HZ = 1.98e9  # of the multiprocessors
HOLD = "hold_stream"  # the entry that does nothing but wait for as many cycles as it is told


@dataclass
class Clocks:
    """Seconds on both."""

    host_s: float = 0.0
    free_s: dict[int, float] = field(default_factory=dict)  # by device: when all that is queued is done

    def queue(self, device: int, seconds: float) -> None:
        """Something that takes that long: after what is queued, and no earlier than the host asks for it."""
        self.free_s[device] = self.reached(device) + seconds

    def reached(self, device: int) -> float:
        """When a device gets to what the host queues now."""
        return max(self.free_s.get(device, 0.0), self.host_s)

    def wait(self, device: int) -> None:
        """The host waits until all is done."""
        self.host_s = self.reached(device)
