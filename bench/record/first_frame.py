"""What it took to come to the first frame: start, compiling, scene, upload, first touch, and the frame, each apart."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from bench.base import units
from bench.record.schema import Record, Row
from bench.record.statistics import summarize


@dataclass(frozen=True)
class FirstFrame:
    """Seconds of each part; None where it is not known."""

    start_s: float | None  # interpreter, imports, finding the back-end; of the process
    compile_s: float | None  # ahead and on first use; kept for the next run
    scene_s: float | None  # building it on the host
    upload_s: float | None  # making and filling the arrays
    first_touch_s: float | None  # what the first calls of the stages took over later ones
    frame_s: float | None  # the frame itself, as later ones take

    @property
    def total_s(self) -> float | None:
        """None where a part is not known."""
        parts = [getattr(self, each.name) for each in fields(self)]
        return None if None in parts else sum(parts)

    def as_document(self) -> dict[str, float | None]:
        """For ``--json``."""
        return {**asdict(self), "total_s": self.total_s}

    def in_words(self) -> str:
        """The sum, and each part."""
        names = {"start_s": "start", "compile_s": "compiling", "scene_s": "scene", "upload_s": "upload"}
        names |= {"first_touch_s": "first touch", "frame_s": "the frame"}
        parts = ", ".join(f"{names[each.name]} {units.seconds(getattr(self, each.name))}" for each in fields(self))
        return f"{units.seconds(self.total_s)}: {parts}"

    def scaled(self, particles: float, frame_s: float | None) -> FirstFrame:
        """An estimate for so many times the particles, whose frame takes ``frame_s``: what grows, grows with them."""
        grown = {
            name: None if (value := getattr(self, name)) is None else particles * value
            for name in ("scene_s", "upload_s", "first_touch_s")
        }
        return replace(self, **grown, frame_s=frame_s)


def first_frame_of(record: Record, rows: Sequence[Row]) -> FirstFrame | None:
    """Of one shot on one back-end; None where its record was written before this was noted."""
    row = next((row for row in rows if row.stage == "frame" and row.before_s is not None), None)
    if row is None or row.before_s is None:
        return None
    ahead = record.run.get("compiled_ahead")
    ahead_s = _seconds(ahead.get("wall_s")) if isinstance(ahead, dict) else None
    return FirstFrame(
        start_s=_seconds(record.run.get("start_s")),
        compile_s=None if ahead_s is None or row.compile_s is None else ahead_s + row.compile_s,
        scene_s=row.before_s.get("scene"),
        upload_s=row.before_s.get("upload"),
        first_touch_s=row.before_s.get("first_touch"),
        frame_s=summarize(row.samples_s).median,
    )


def _seconds(value: object) -> float | None:
    """What a record says of its run is not checked when it is read."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0.0 else None


def process_age_s() -> float | None:
    """Seconds since this process was started; None where the system does not tell."""
    import psutil

    try:
        return max(0.0, time.time() - float(psutil.Process().create_time()))
    except (OSError, psutil.Error):
        return None
