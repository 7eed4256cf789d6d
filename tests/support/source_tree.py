"""The project's files as text and syntax trees, for the tests of the house rules."""

from __future__ import annotations

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked() -> tuple[str, ...]:
    """Files of the repository, new ones that git does not ignore included; all files where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here: which files belong to the house is not known")
    return tuple(name for name in listing if name and (ROOT / name).is_file())


def copy_project(folder: Path, kernels: bool = True) -> Path:
    """A copy of the project's files; without ``kernels`` it wants ours, whose machine code is there already."""
    for name in tracked():
        if kernels or not name.startswith("kernels/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def sources(*folders: str) -> list[Path]:
    return [ROOT / name for name in tracked() if name.endswith(".py") and name.split("/")[0] in folders]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def kernel_files() -> list[Path]:
    return [path for path in sources("kernels") if "KERNEL" in assigned(path)]


def assigned(path: Path) -> dict[str, ast.expr]:
    """Names that the module's top level assigns, with the expression."""
    found: dict[str, ast.expr] = {}
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree_of(path).body if isinstance(node, ast.FunctionDef)}


def decorators(function: ast.FunctionDef) -> set[str]:
    names = set()
    for decorator in function.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        names.add(call.id if isinstance(call, ast.Name) else getattr(call, "attr", ""))
    return names
