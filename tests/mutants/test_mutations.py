"""The twin tests notice what is changed in a twin: a sample of what ``python -m tests.mutants.mutate_twins`` tries."""

from __future__ import annotations

import pytest

from tests.emulator import build
from tests.mutants import mutate_twins

pytestmark = pytest.mark.skipif(not build.available(), reason=build.why_not())
FILES = ["mpm_key.cu", "img_resolve.cu", "fx_move.cu"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child runs nothing of Numba's, whose threads stay
def test_a_sample_of_mutants_is_caught() -> None:
    missed = [
        str(mutant)
        for mutant in mutate_twins.chosen(3, 1, FILES)
        if mutate_twins.caught_by(mutant) is None and (mutant.file, mutant.name) not in mutate_twins.equivalent()
    ]
    assert missed == []


def test_every_listed_mutant_exists() -> None:
    """A line that was changed since takes its reason along."""
    for file, line in mutate_twins.equivalent():
        assert line in {mutant.name for mutant in mutate_twins.mutants_of(file)}, (file, line)


def test_a_rule_changes_one_thing() -> None:
    for mutant in mutate_twins.mutants_of("mpm_key.cu"):
        before = mutate_twins.path_of(mutant.file).read_text().split("\n")
        after = mutant.text.split("\n")
        assert [n for n, (old, new) in enumerate(zip(before, after), 1) if old != new] == [mutant.line]


def test_equal_code_is_code() -> None:
    """What does not compile is equal to nothing: or every mutant that nobody catches would seem to change nothing."""
    assert ".globl" in mutate_twins.machine_code("img_resolve")


@pytest.mark.slow
def test_nothing_is_noticed_without_a_mutant() -> None:
    """Or every mutant would seem to be caught."""
    assert {mutate_twins.noticed_by(one) for one in mutate_twins.tries_of("mpm_sort.cu")} == {None}
