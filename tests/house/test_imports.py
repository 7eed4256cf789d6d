"""Who may import whom: the contracts of import-linter in pyproject.toml hold, and do notice a wrong import."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT, copy_project, sources, tree_of

# Who loads a module of ours by a name made at run time
ALLOWED = {
    "bench/cli/scanned.py",  # finds the commands by scanning their folder
    "kernels/base/registry.py",  # finds the kernels by scanning the rooms
    "bench/backend/ahead.py",  # tells its worker processes the modules that its caller handed in
}
LOADERS = {"import_module", "__import__", "run_module", "resolve_name", "load_module"}
# (file, line that is put at its end, what the report says of it)
WRONG = [
    ("kernels/base/common.py", "import bench.base.units", "Nothing imports tests, and kernels never imports bench"),
    (
        "bench/base/units.py",
        "import tests.support.source_tree",
        "Nothing imports tests, and kernels never imports bench",
    ),
    ("bench/shot/load.py", "import bench.pipeline.render", "The rooms of bench"),
    ("bench/record/store.py", "def late():\n    from bench.report import tables", "The rooms of bench"),
    ("bench/project/inputs/cluster.py", "import bench.project.model.fit", "The rooms of bench.project"),
    ("kernels/mpm/mpm_grid.py", "from kernels.trace import trace_math", "The rooms of kernels"),
    ("bench/base/errors.py", "import bench.base.units\nimport bench.base.files", "No cycles"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """What ``make lint`` runs, in a copy of the project."""
    pytest.importorskip("importlinter", reason="the contracts are import-linter's, of the extra dev")
    call = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-P", "-c", call, "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "120"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("copy"))


def test_every_import_goes_the_right_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("name", "line", "says"), WRONG)
def test_a_wrong_import_is_noticed(copy: Path, name: str, line: str, says: str) -> None:
    path = copy / name
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{text}\n{line}\n", encoding="utf-8")
        done = lint_imports(copy)
    finally:
        path.write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(one.startswith(f"{says} BROKEN") for one in done.stdout.splitlines()), done.stdout


def test_a_new_room_has_to_be_named(copy: Path) -> None:
    room = copy / "bench/attic"
    try:
        room.mkdir()
        (room / "__init__.py").write_text("")
        done = lint_imports(copy)
    finally:
        shutil.rmtree(room)
    assert done.returncode == 1 and "attic" in done.stdout, done.stdout


def loads_by_name(tree: ast.Module) -> bool:
    """Whether a module of this project may be loaded by a name in a string: any name but a stranger's literal one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called not in LOADERS:
            continue
        name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if not isinstance(name, str) or name.split(".")[0] in ("bench", "kernels", "tests"):
            return True
    return False


def test_no_module_is_loaded_by_a_name_in_a_string() -> None:
    """It would get round the contracts. An optional package of others may be: ``import_module("cupy")``."""
    found = {str(path.relative_to(ROOT)) for path in sources("bench", "kernels") if loads_by_name(tree_of(path))}
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("importlib.import_module('bench.project')", True),
        ("import_module(name)", True),
        ("__import__(f'kernels.{room}')", True),
        ("importlib.import_module('cupy')", False),
        ("importlib.util.find_spec('bench')", False),
    ],
)
def test_loading_by_name_is_seen(text: str, expected: bool) -> None:
    assert loads_by_name(ast.parse(text)) is expected
