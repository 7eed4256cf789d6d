"""kernels/README.md lists every kernel, and says of each what its docstring and its example say."""

from __future__ import annotations

import re

import pytest

from kernels.base import readme
from kernels.base.registry import HERE, kernel_names


def test_every_kernel_stands_in_its_room() -> None:
    sections = readme.README.read_text(encoding="utf-8").split("\n## ")
    rooms = {section.partition("/")[0]: re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) for section in sections}
    for name in kernel_names():
        (path,) = HERE.glob(f"*/{name}.py")
        assert name in rooms[path.parent.name], f"{name} is missing: run python -m kernels.base.readme"


def test_a_kernel_says_what_it_is_in_one_sentence() -> None:
    for name in kernel_names():
        (path,) = HERE.glob(f"*/{name}.py")
        text = readme.docstring(path)
        assert readme.first_sentence(text).endswith("."), name
        assert "|" not in readme.first_sentence(text) + readme.paper(text), name


def test_one_kernel_s_row_is_made_anew_and_the_others_stay() -> None:
    assert readme.whole(["img_resolve"]) == readme.README.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_tables_are_those_of_docstrings_and_examples() -> None:
    """Costs come from a launch of every kernel."""
    assert readme.README.read_text(encoding="utf-8") == readme.whole(), "run python -m kernels.base.readme"
