"""Tables of the terminal: what stands where."""

from __future__ import annotations

import io
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.base.console import new_table, plain
from bench.cli.main import main


def rendered(**options: object) -> list[str]:
    table = new_table(("kernel",), ("items", "time"), ("equal",), **options)  # type: ignore[arg-type]
    table.add_row("p2g", "1", "2 s", "yes")
    table.add_row("a longer name", "1,000", "20 s", plain("[red]no[/]"))
    out = io.StringIO()
    Console(file=out, width=60, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_words_stand_left_and_numbers_right() -> None:
    assert rendered() == [
        " kernel         items  time  equal",
        " p2g                1   2 s  yes",
        " a longer name  1,000  20 s  [red]no[/]",
    ]


def test_a_title_stands_left_above() -> None:
    assert rendered(title="projected")[0] == "projected"


def test_a_column_is_kept_on_one_line_where_asked() -> None:
    table = new_table(("a", "b"), no_wrap=("a",))
    assert [column.no_wrap for column in table.columns] == [True, False]


FIGURE = st.from_regex(r"[1-9][0-9]{0,3}(\.[0-9]{1,2})? (ms|GiB|%|M particles/s)", fullmatch=True)
WORDS = st.from_regex(r"[a-z]{1,12}( [a-z]{1,12}){0,3}", fullmatch=True)


@given(
    width=st.integers(1, 120),
    rows=st.lists(st.tuples(WORDS, FIGURE, FIGURE, WORDS), min_size=1, max_size=5),
    headings=st.tuples(WORDS, WORDS, WORDS, WORDS),
)
def test_no_figure_is_cut_on_any_screen(width: int, rows: list[tuple[str, ...]], headings: tuple[str, ...]) -> None:
    """Wide, wrapped or stacked: everything that stands in a cell is there, and nothing became dots."""
    word, first, second, remark = headings
    table = new_table((word,), (first, second), (remark,))
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    for soft_wrap in (False, True):
        Console(file=out, width=width, color_system=None).print(table, soft_wrap=soft_wrap)
    told = out.getvalue()
    assert "…" not in told and max(map(len, told.splitlines())) <= width
    # A stacked row breaks its lines where it has to, between words or not: what is left without spaces is all of it
    bare = "".join(told.split())
    for row in rows:
        assert all("".join(cell.split()) in bare for cell in row[1:3]), told
        if width >= 100:
            assert all(cell in told for cell in row[1:3]), told


@pytest.mark.parametrize("width", [24, 80])
@pytest.mark.parametrize("words", [["compare", "0002", "0004"], ["shots", "wave"], ["project", "0004"]])
def test_commands_keep_their_figures_on_narrow_screens(
    words: list[str], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0 and "…" not in done.stdout.replace("(…)", "")
    monkeypatch.setenv("COLUMNS", "300")
    figures = re.findall(r"\b\d[\d.,]*(?:e[+-]?\d+)?\b", CliRunner().invoke(main, words).stdout)
    assert len(figures) > 15
    bare = "".join(done.stdout.split())
    assert [figure for figure in figures if figure not in bare] == []
