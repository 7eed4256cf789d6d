"""The tables of ``kernels/README.md``, from docstrings and examples: every kernel, what, paper, cost.

    python -m kernels.base.readme
    python -m kernels.base.readme mpm_p2g

writes them anew behind the hand-written head; with names, only these kernels are launched and the others' rows stay.
What a kernel is, is its docstring's first sentence; its paper, the paragraph that begins with "Paper:". Costs are those
of ``Traffic`` after one launch on its example.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from kernels.base.kernel import Traffic
from kernels.base.registry import HERE, kernel_named, kernel_names

README = HERE / "README.md"
MADE = "<!-- From here on made by: python -m kernels.base.readme -->"
SEED = 7
FIRST_SIZE, GROWTH = 8, 8  # of an example
ITEMS_MIN = 1000  # of an example that says what an item costs
PAPER = "Paper: "
HEADING = ("| kernel | what | paper | item | bytes | flop | GPU launches |", "|---|---|---|---|---:|---:|---:|")
ROW = re.compile(r"^\| `(\w+)` \|.*$", re.MULTILINE)


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def first_sentence(text: str) -> str:
    return text.partition("\n\n")[0].replace("\n", " ")


def paper(text: str) -> str:
    """What stands behind "Paper:", on one line; a dash without."""
    found = next((part for part in text.split("\n\n") if part.startswith(PAPER)), "")
    return found.removeprefix(PAPER).replace("\n", " ").rstrip(".") or "–"


@cache
def cost(name: str) -> Traffic:
    """Of one launch on the kernel's first example that has enough items."""
    kernel, size = kernel_named(name), FIRST_SIZE
    while True:
        arguments = kernel.example(np.random.default_rng(SEED), size)
        kernel.cpu(*[arguments[argument] for argument in kernel.argument_names])
        traffic = kernel.traffic(**arguments)
        if traffic.items >= ITEMS_MIN:
            return traffic
        size *= GROWTH


def _kernel_row(name: str, path: Path) -> str:
    kernel, text, traffic = kernel_named(name), docstring(path), cost(name)
    each = [f"{value / traffic.items:.3g}" for value in (traffic.traffic_bytes, traffic.flops)]
    cells = [f"`{name}`", first_sentence(text), paper(text), kernel.item, *each, str(len(kernel.passes))]
    return f"| {' | '.join(cells)} |"


def tables(kept: Mapping[str, str]) -> str:
    """One section a room: its kernels, then what they share. ``kept`` are rows by kernel that are not made anew."""
    kernels = set(kernel_names())
    parts = []
    for room in sorted(path.parent for path in HERE.glob("*/__init__.py")):
        parts.append(f"## {room.name}/\n\n{first_sentence(docstring(room / '__init__.py'))}")
        files = [path for path in sorted(room.glob("*.py")) if path.stem != "__init__"]
        if any(path.stem in kernels for path in files):
            rows = [kept.get(path.stem) or _kernel_row(path.stem, path) for path in files if path.stem in kernels]
            parts.append("\n".join([*HEADING, *rows]))
        shared = [path for path in files if path.stem not in kernels]
        if shared:
            rows = [f"| `{path.stem}` | {first_sentence(docstring(path))} |" for path in shared]
            parts.append("\n".join(["| shared | what |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def whole(only: Collection[str] = ()) -> str:
    """The file as it should be; with ``only``, rows of other kernels as they stand in it."""
    head, _, made = README.read_text(encoding="utf-8").partition(MADE)
    kept = {found[1]: found[0] for found in ROW.finditer(made) if found[1] not in only} if only else {}
    return f"{head}{MADE}\n\n{tables(kept)}"


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(kernel_names()):
        sys.exit(f"{', '.join(sorted(unknown))}: expected names of kernels")
    README.write_text(whole(sys.argv[1:]), encoding="utf-8")
