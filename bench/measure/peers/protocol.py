"""How a peer program in a process of its own is talked to: a line to it, a marked line of JSON back.

A peer prints what it likes besides; it sleeps in a read while the other side is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType

from bench.base.errors import Unavailable

MARK = "@shotmark "


def answer(**values: object) -> None:
    """From the peer: one answer."""
    print(f"{MARK}{json.dumps(values)}", flush=True)


class Peer:
    """A running peer. ``about`` is its first answer, given when it is loaded and compiled."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", f"{__package__}.{module}", *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._name = module.partition("_")[0]
        self.about = self._read()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, line: str = "go") -> dict[str, object]:
        """Send a line and wait for the answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def seconds(self, line: str = "go") -> float:
        """Send a line; the seconds that the answer tells."""
        found = self.ask(line)["seconds"]
        if not isinstance(found, float):
            raise Unavailable(f"{self._name}: expected seconds, it answered {found!r}")
        return found

    def _read(self) -> dict[str, object]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(MARK):
                found: dict[str, object] = json.loads(line.removeprefix(MARK))
                return found
        _, errors = self._process.communicate()
        lines = errors.strip().splitlines() or ["it ended without a word"]
        said = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise Unavailable(f"{self._name}: {said[:300]}")
