"""A shot as a job of a farm that has an engine of its own: OpenJD, OpenCue, Slurm.

Each form says the same three steps: simulate, render, assemble, all of them ``shotmark render`` with what makes it a
task. Whoever runs them, the manifest ends with the same hashes. A form is a module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.farm.export.job import ExportedJob

FORMS = ("openjd", "opencue", "slurm")
PIECES_MAX = 1000  # of a frame


def export(job: ExportedJob, form: str) -> str:
    """The job's text in one of FORMS. Raises UserError where that form cannot say it."""
    from bench.farm.export import opencue, openjd, slurm

    return {"openjd": openjd.write, "opencue": opencue.write, "slurm": slurm.write}[form](job)
