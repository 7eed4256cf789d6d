"""``shotmark validate``: what its table says, when it fails, and that its measured figures name where they are from."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bench.base.errors import CheckFailed, UserError
from bench.check.validate import case as cases_module
from bench.check.validate import cases
from bench.check.validate.case import DATA, Case, Figure, along, no_more_than, run, table, within, within_by
from bench.check.validate.cases import CASES, chosen
from bench.cli.main import main
from tests.support.fake_backend import FakeBackend

TABLES = sorted(DATA.glob("*.csv"))


def validate(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["validate", "--backend", "numba", *arguments])


def made_up(name: str, *figures: Figure, is_quick: bool = True, raises: Exception | None = None) -> Case:
    def figures_of(backend: object, quick: bool) -> list[Figure]:
        if raises is not None:
            raise raises
        return list(figures)

    return Case(name, "nothing is run", "nobody 1900", figures_of, is_quick)


GOOD = made_up("good", within("a length, m", 2.0, 2.01, 0.01), along("a series", np.ones(3), np.ones(3), 1.0, 0.1))
BAD = made_up("bad", within_by("a speed, m/s", 2.0, 1.0, 0.5))
SLOW = made_up("slow", within("a length, m", 2.0, 2.0, 0.01), is_quick=False)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cases in place of ours, and nothing compiled."""
    monkeypatch.setattr(cases, "CASES", (GOOD, BAD, SLOW))
    monkeypatch.setattr("bench.backend.ahead.prepare", lambda *arguments: None)


# --- Figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "error", "passed"),
    [
        (within("", 2.0, 2.019, 0.01), 0.0095, True),
        (within("", 2.0, 1.979, 0.01), 0.0105, False),
        (within("", -2.0, -2.0, 0.01), 0.0, True),
        (within_by("", 0.0, -0.2, 0.1), 0.2, False),
        (no_more_than("", 0.341, 0.36, 0.37), 0.019, True),
        (no_more_than("", 0.341, 0.371, 0.37), 0.03, False),
        (no_more_than("", 0.341, 0.1, 0.37), 0.0, True),
        (along("", np.array([1.0, 3.0]), np.array([1.0, 2.0]), 5.0, 0.1), 0.1, True),
    ],
)
def test_an_error_is_what_it_says(figure: Figure, error: float, passed: bool) -> None:
    assert figure.error == pytest.approx(error) and figure.passed is passed


@pytest.mark.parametrize("ours", [math.nan, math.inf])
def test_a_figure_that_is_no_number_fails(ours: float) -> None:
    for figure in (within("", 1.0, ours, 0.1), within_by("", 1.0, ours, 0.1), no_more_than("", 1.0, ours, 2.0)):
        assert not figure.passed


def test_a_run_that_ends_early_is_a_failed_figure_that_says_why() -> None:
    (figure,) = run(made_up("x", raises=CheckFailed("a number that is\nnot finite")), FakeBackend(), True)
    assert not figure.passed and figure.failure == "a number that is not finite"


# --- Which cases ----------------------------------------------------------------------------------


def test_cases_are_chosen_by_name_and_in_the_order_given(few: None) -> None:
    assert [case.name for case in chosen((), False)] == ["good", "bad", "slow"]
    assert [case.name for case in chosen((), True)] == ["good", "bad"]
    assert [case.name for case in chosen(("slow", "good"), False)] == ["slow", "good"]
    with pytest.raises(UserError, match="CASE: expected one of good, bad, slow, got 'wet'"):
        chosen(("wet",), False)
    with pytest.raises(UserError, match="--quick: expected cases that have a quick form, got slow"):
        chosen(("slow",), True)


def test_our_cases_have_names_and_sources_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) > 15
    for case in CASES:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", case.name)
        assert case.about and case.source


# --- The command ----------------------------------------------------------------------------------


def test_what_is_outside_its_limit_is_marked_and_ends_with_1(few: None) -> None:
    done = validate("good", "bad")
    assert done.exit_code == 1
    good, series, bad = (line for line in done.stdout.splitlines() if re.search(r"^ (good|bad) ", line))
    assert re.search(r"a length, m +2 +2\.01 +0\.5 % +1\.0 % +passed +nobody 1900", good)
    assert re.search(r"a series +series +0 +0\.0 % +10\.0 % +passed", series)
    assert re.search(r"a speed, m/s +2 +1 +1 +0\.5 +FAILED +nobody 1900", bad)
    assert validate("good").exit_code == 0


def test_a_case_that_is_not_there_is_one_line(few: None) -> None:
    done = validate("wet")
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.strip() == "shotmark: CASE: expected one of good, bad, slow, got 'wet'"


def test_json_is_one_document(few: None) -> None:
    done = validate("--json", "--quick")
    document = json.loads(done.stdout)
    assert done.exit_code == 1 and document["passed"] is False and document["quick"] is True
    assert [(figure["case"], figure["passed"]) for figure in document["figures"]] == [
        ("good", True),
        ("good", True),
        ("bad", False),
    ]
    assert document["figures"][0]["published"] == 2.0 and document["figures"][1]["published"] is None


def test_json_has_no_word_that_json_has_not(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CASES", (made_up("nan", within("", 1.0, math.nan, 0.1)),))
    figure = json.loads(validate("--json").stdout, parse_constant=lambda word: pytest.fail(word))["figures"][0]
    assert figure["ours"] is None and figure["error"] is None


@pytest.mark.parametrize("width", [30, 60, 80, 140, 300])
def test_no_figure_is_cut_on_any_screen(few: None, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    told = validate("good", "bad").stdout
    assert max(len(line.rstrip()) for line in told.splitlines()) <= width
    assert "…" not in told
    for word in ("2.01", "0.5 %", "1.0 %", "passed", "FAILED", "series"):
        assert word in told


# --- Measured figures -----------------------------------------------------------------------------


def test_there_are_tables() -> None:
    assert len(TABLES) >= 3


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_names_its_source_and_its_columns(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert re.search(r"\b(1[89]|20)\d\d\b", head[0]), "the year of its publication"
    columns = head[-1].lstrip("# ").split(",")
    found = table(path.name)
    assert found.shape == (len(columns), len(lines) - len(head))
    assert np.isfinite(found).all() and (np.diff(found[0]) > 0.0).all()


def test_a_table_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cases_module, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError):
        table("martin_moyce_1952.csv")
