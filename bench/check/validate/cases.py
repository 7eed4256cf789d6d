"""All published cases, by their names."""

from __future__ import annotations

from bench.base.errors import UserError
from bench.check.validate import bodies, dam_breaks, films, heat, jets, solids, volume, waves
from bench.check.validate.case import Case

CASES: tuple[Case, ...] = (
    *dam_breaks.CASES,
    *waves.CASES,
    *jets.CASES,
    *films.CASES,
    *bodies.CASES,
    *volume.CASES,
    *solids.CASES,
    *heat.CASES,
)


def chosen(names: tuple[str, ...], quick: bool) -> list[Case]:
    """The cases of these names, all without any; of those that have a quick form, if that is asked for."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise UserError(f"CASE: expected one of {', '.join(known)}, got {name[:40]!r}")
    found = [known[name] for name in names] if names else list(CASES)
    slow = [case.name for case in found if not case.is_quick]
    if quick and names and slow:
        raise UserError(f"--quick: expected cases that have a quick form, got {', '.join(slow)}")
    return [case for case in found if case.is_quick or not quick]
