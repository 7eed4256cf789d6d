"""One certificate from its first part to its last: what fails or has no time is a finding, and the next one begins."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.base.errors import BudgetSpent, ShotmarkError
from bench.check.certify.order import Step, steps
from bench.check.certify.session import Session
from bench.record.certificate import FAILED, LEFT_OUT, CertificateDraft, Finding

LEAST_S = 0.5  # of the budget, for a part to begin


def certify(session: Session, tell: Callable[[str], None] = lambda text: None) -> CertificateDraft:
    """Do every part that the budget holds; the record is written after each.

    On a CPU "twins" are one thread against many; on a GPU they are the CUDA texts against the CPU, bit for bit.
    """
    try:
        for step in steps(session.limits, session.on_gpu):
            tell(step.name)
            _do(session, step)
    finally:
        session.end_compiling()
    session.certificate.save(complete=True)
    return session.certificate


def _do(session: Session, step: Step) -> None:
    """One part, its errors as one line, and the record with it."""
    certificate = session.certificate
    start = time.perf_counter()
    begun_s = certificate.spent_s
    session.deadline = time.monotonic() + min(certificate.left_s, step.share * certificate.budget_s)
    if certificate.left_s < LEAST_S:
        found = Finding(LEFT_OUT, "no time left")
    else:
        try:
            found = step.do(session)
        except BudgetSpent:
            found = _so_far(certificate, step.name)
        except OSError:
            raise  # the record cannot be written: nothing later could be
        except (Exception, MemoryError) as error:  # a part that breaks is a finding, not the end
            text = str(error) if isinstance(error, ShotmarkError) else f"{type(error).__name__}: {error}"
            found = Finding(FAILED, " ".join(text.split())[:300])
    certificate.note(step.name, found, time.perf_counter() - start, begun_s)
    certificate.save()


def _so_far(certificate: CertificateDraft, name: str) -> Finding:
    """What a part had found when its time was over."""
    begun = certificate.parts.get(name)
    return Finding(begun.verdict, begun.line, begun.data) if begun else Finding(LEFT_OUT, "no time left")
