"""The tables of ``kernels/README.md``, from docstrings and examples: every kernel, what, paper, cost.

    python -m kernels.base.readme

writes them anew behind the hand-written head. What a kernel is, is its docstring's first sentence; its paper, the
paragraph that begins with "Paper:". Costs are those of ``Traffic`` after one launch on its example.
"""

from __future__ import annotations

import ast
import sys
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
HEADING = "| kernel | what | paper | item | bytes | flop | GPU launches |", "|---|---|---|---|---:|---:|---:|"


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


def tables() -> str:
    """One section a room: its kernels, then what they share."""
    kernels = set(kernel_names())
    parts = []
    for room in sorted(path.parent for path in HERE.glob("*/__init__.py")):
        parts.append(f"## {room.name}/\n\n{first_sentence(docstring(room / '__init__.py'))}")
        files = [path for path in sorted(room.glob("*.py")) if path.stem != "__init__"]
        if any(path.stem in kernels for path in files):
            rows = [
                "| kernel | what | paper | item | bytes | flop | GPU launches |",
                "|---|---|---|---|---:|---:|---:|",
            ]
            parts.append("\n".join(rows + [_kernel_row(path.stem, path) for path in files if path.stem in kernels]))
        shared = [path for path in files if path.stem not in kernels]
        if shared:
            rows = [f"| `{path.stem}` | {first_sentence(docstring(path))} |" for path in shared]
            parts.append("\n".join(["| shared | what |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def whole() -> str:
    """The file as it should be."""
    head = README.read_text(encoding="utf-8").partition(MADE)[0]
    return f"{head}{MADE}\n\n{tables()}"


if __name__ == "__main__":
    README.write_text(whole(), encoding="utf-8")
    sys.exit(0)
