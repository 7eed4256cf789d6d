"""What a machine proved, part by part, inside the record that it is shared with; written anew after every part.

The record is one of the usual form: its rows are the shots, and ``shotmark.certificate`` holds the parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.record.schema import CERTIFICATE_SCHEMA, Certificate, Part
from bench.record.write import Draft

PASSED, FAILED, NOTED, LEFT_OUT = "passed", "FAILED", "noted", "left out"


@dataclass(frozen=True)
class Finding:
    """What one part found."""

    verdict: str  # PASSED, FAILED, NOTED (a figure without a limit) or LEFT_OUT
    line: str
    data: object = None  # of JSON


class CertificateDraft:
    """A certificate that still grows, and the budget that it is made in; saved with the record's draft."""

    def __init__(self, draft: Draft, budget_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.draft = draft
        self.budget_s = budget_s
        self.parts: dict[str, Part] = {}  # by name, in the order in which they were done
        self._clock = clock
        self._begun_s = clock()

    @property
    def left_s(self) -> float:
        return self.budget_s - self.spent_s

    @property
    def spent_s(self) -> float:
        """Seconds since the certificate was begun."""
        return self._clock() - self._begun_s

    @property
    def failed(self) -> list[str]:
        return [name for name, part in self.parts.items() if part.verdict == FAILED]

    def note(self, name: str, found: Finding, seconds: float | None = None, begun_s: float | None = None) -> None:
        """Take down what a part has found so far; what it took and when it began stay where nothing is said of them."""
        before = self.parts.get(name)
        if before is not None:
            seconds = before.seconds if seconds is None else seconds
            begun_s = before.begun_s if begun_s is None else begun_s
        self.parts[name] = Part(name, found.verdict, found.line, seconds, found.data, begun_s)

    def certificate(self) -> Certificate:
        """What is known now."""
        return Certificate(
            schema=CERTIFICATE_SCHEMA,
            begun=self.draft.begun,
            complete=self.draft.complete,
            budget_s=self.budget_s,
            spent_s=self.spent_s,
            parts=tuple(self.parts.values()),
        )

    def save(self, complete: bool = False) -> None:
        """Write the record with what is known now."""
        self.draft.complete = complete
        self.draft.certificate = self.certificate()
        self.draft.save()
