"""What the submitting side sees in the shot's folder: states that are there, who has begun what, who was ended for it.

``OUT/farm/now/TICKET.json`` says who has begun a task, from then until it has ended; ``TICKET.late`` is where a worker
that is ended by its own limit says at what it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from pathlib import Path

from bench.base.files import TEMPORARY_PREFIX

FARM, NOW, FLUID, CLAIMS = "farm", "now", "fluid", "claims"
FLUID_NAME = re.compile(r"([0-9]{6,9})\.npz")
NOTE_BYTES_MAX = 65_536


class View:
    """One shot's folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.now = out / FARM / NOW

    def fluids(self) -> set[int]:
        """Frames whose states are there."""
        folder = self.out / FLUID
        _look_anew(folder)
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return set()
        return {int(match[1]) for match in map(FLUID_NAME.fullmatch, names) if match}

    def begun(self, ticket: str) -> dict[str, object]:
        """Who has a task and since when; empty where nobody said so."""
        try:
            with open(self.now / f"{ticket}.json", "rb") as file:
                found = json.loads(file.read(NOTE_BYTES_MAX))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def was_late(self, ticket: str) -> bool:
        """Whether a task was ended because it took longer than it may."""
        _look_anew(self.now)
        try:
            return (self.now / f"{ticket}.late").stat().st_size > 0
        except OSError:
            return False

    def forget(self, ticket: str, claim: str | None = None) -> None:
        """A task is over; with ``claim`` whoever had it is gone, and holds nobody else up."""
        gone = [self.now / f"{ticket}.json", self.now / f"{ticket}.late"]
        for path in (*gone, *([self.out / CLAIMS / claim] if claim is not None else [])):
            with contextlib.suppress(OSError):
                path.unlink()


def _look_anew(folder: Path) -> None:
    """Make a client of NFS ask its server what is in a folder: it believes its own list, but not after a change."""
    probe = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.look"
    with contextlib.suppress(OSError):
        probe.touch()
        probe.unlink()
