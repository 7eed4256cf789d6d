"""Signs in a shared folder by which workers and the submitting side wait for each other: small files, by rename.

An engine cannot say which worker gets a task. So each worker is held by a task of its own until all are there; then
they are told apart by what they say of themselves, and go one by one, or all at once, as signs let them.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.base.errors import Unavailable
from bench.base.files import whole_file

LOOK_S = 0.02


class Signs:
    """The signs of one check."""

    def __init__(self, folder: Path, abandoned: Callable[[], bool] = lambda: False) -> None:
        self.folder, self._abandoned = folder, abandoned

    def give(self, name: str, words: Mapping[str, object] | None = None) -> None:
        """Leave a sign. Raises OSError."""
        with whole_file(self.folder / f"{name}.json", on_disk=False) as temporary:
            temporary.write_text(json.dumps(words or {}), encoding="utf-8")

    def read(self, name: str) -> dict[str, object] | None:
        """What a sign says; None where it is not there."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else {}

    def wait(self, name: str, most_s: float) -> dict[str, object]:
        """What a sign says, once it is there. Raises Unavailable after so long, or when nobody waits any more."""
        until = time.monotonic() + most_s
        while (found := self.read(name)) is None:
            if self._abandoned() or time.monotonic() > until:
                raise Unavailable(f"{self.folder}: {name} did not come within {most_s:.0f} s")
            self._look_anew()
            time.sleep(LOOK_S)
        return found

    def _look_anew(self) -> None:
        """A client of NFS believes its own list of a folder until it changes that folder."""
        probe = self.folder / f".shotmark-{secrets.token_hex(4)}.look"
        with contextlib.suppress(OSError):
            probe.touch()
            probe.unlink()
