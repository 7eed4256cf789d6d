"""Who makes what just now, on a file system that many machines share: claims, not locks.

A claim is a file that was created exclusively; whoever finds one waits until the work is there, or until the claim is
stale: its holder touches it every few seconds, and a process of the same machine that is gone holds nothing. A claim
saves work, it never decides what is right: results have the same bits whoever makes them, and come by rename, so two
that work on one thing, which a stalled network can bring about, do no harm. Ages are measured on the file system's
clock, not on a machine's.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.base.files import TEMPORARY_PREFIX

BEAT_S = 5.0  # between two signs of life of a holder
STALE_S = 120.0  # a launch holds the interpreter, and so the sign of life, for seconds at the most
LOOK_S = 0.2  # between two looks of one who waits, at first
LOOK_MOST_S = 2.0
CLAIM_BYTES_MAX = 4096


def machine() -> str | None:
    """What tells whether a process number means a process that we can see: this boot, this set of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


class Claim:
    """Something that this process makes, until the block ends."""

    def __init__(self, path: Path, beat_s: float) -> None:
        self._path, self._beat_s = path, beat_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _live(self) -> None:
        while not self._ended.wait(self._beat_s):
            try:
                os.utime(self._path)
            except OSError:  # somebody took it over, who could not see that we live
                return


class Claims:
    """The claims of one folder."""

    def __init__(self, folder: Path, *, stale_s: float = STALE_S, beat_s: float = BEAT_S) -> None:
        self.folder, self._stale_s, self._beat_s = folder, stale_s, beat_s

    def take(
        self, name: str, there: Callable[[], bool], tell: Callable[[str], None] = lambda text: None
    ) -> Claim | None:
        """A claim on ``name``, which is to be held while it is made; None once ``there`` says that it is there.

        Waits while somebody else makes it; ``tell`` hears who. Raises OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path, look_s = self.folder / name, LOOK_S
        while True:
            if there():
                return None
            if self._create(path):
                claim = Claim(path, self._beat_s)
                if there():  # it was finished between the two
                    with claim:
                        return None
                return claim
            holder = self._holder(path)
            if holder is not None and self._stale(path, holder):
                self._take_away(path, holder)
                continue
            tell(f"{name}: {_name_of(holder)} makes it")
            time.sleep(look_s)
            look_s = min(LOOK_MOST_S, 1.5 * look_s)

    def live(self) -> list[str]:
        """Names of what is being made."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in sorted(self.folder.iterdir()):
            if not path.name.startswith(TEMPORARY_PREFIX):
                holder = self._holder(path)
                if holder is not None and not self._stale(path, holder):
                    found.append(path.name)
        return found

    def _create(self, path: Path) -> bool:
        """Make the file of a claim, whole, unless there is one: a link is refused where the name is taken."""
        content = json.dumps({"machine": machine(), "pid": os.getpid(), "token": secrets.token_hex(8)})
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.claim")
        try:
            temporary.write_text(content, encoding="ascii")
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError:  # a file system without links
                try:
                    with open(path, "x", encoding="ascii") as file:
                        file.write(content)
                except FileExistsError:
                    return False
            return True
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _holder(self, path: Path) -> dict[str, object] | None:
        """What a claim says; None where it is gone; nothing of a file that says nothing."""
        try:
            with open(path, "rb") as file:
                found = json.loads(file.read(CLAIM_BYTES_MAX))
            return found if isinstance(found, dict) else {}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            return {}

    def _stale(self, path: Path, holder: dict[str, object]) -> bool:
        """Whether nobody works behind a claim."""
        pid, here = holder.get("pid"), machine()
        if here is not None and holder.get("machine") == here and isinstance(pid, int) and pid > 0:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            except (OSError, OverflowError):
                pass
        try:
            return self._now_s() - path.stat().st_mtime > self._stale_s
        except OSError:
            return False

    def _now_s(self) -> float:
        """The time of the file system, which gave the claims theirs."""
        probe = self.folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.now"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _take_away(self, path: Path, holder: dict[str, object]) -> None:
        """Remove a stale claim; of several who try, one does it."""
        aside = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.stale")
        try:
            os.rename(path, aside)
        except OSError:
            return
        if self._holder(aside) != holder:  # a new one, which took the old one's place meanwhile
            with contextlib.suppress(OSError):
                os.link(aside, path)
        with contextlib.suppress(OSError):
            aside.unlink()


def _name_of(holder: dict[str, object] | None) -> str:
    return f"process {holder.get('pid')}" if holder and isinstance(holder.get("pid"), int) else "another process"
