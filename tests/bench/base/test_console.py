"""Tables of the terminal: what stands where."""

from __future__ import annotations

import io

from rich.console import Console

from bench.base.console import new_table, plain


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
