"""The house rules, read from the text of the files: nothing here imports a kernel."""

from __future__ import annotations

import ast
import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT, sources, tracked, tree_of

LINES_MAX = 400

# First to last. A room imports from itself and from those before it; no cycles anywhere.
LAYERS = (
    "__init__",
    "base",
    "shot",
    "backend",
    "pipeline",
    "record",
    "measure",
    "check",
    "project",
    "report",
    "cli",
    "__main__",
)
TOP_LEVEL = {"bench", "kernels", "results", "tests", ".ci"}
TOP_LEVEL_FILES = {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml", ".gitignore", ".gitattributes"}
HEAVY = {"cupy", "OpenEXR", "pynvml", "mitsuba", "taichi", "imageio_ffmpeg", "matplotlib", "drjit"}
# Split, so that this file does not hold what it looks for
PROMISES = [
    first + rest for first, rest in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"), ("place", "holder"))
]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "tm" + "p")) + r")/\w")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Modules that a file imports, as dotted names; inside functions too unless told otherwise.

    What only a type checker imports does not count.
    """
    found = set()
    body = ast.walk(tree_of(path)) if everywhere else iter(tree_of(path).body)
    for node in body:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = ROOT / Path(*node.module.split("."), f"{alias.name}.py")
                found.add(f"{node.module}.{alias.name}" if inner.exists() else node.module)
    return found


def layer_of(module: str) -> int:
    return LAYERS.index((module.split(".") + ["__init__"])[1])


def test_a_file_imports_only_what_stands_before_it() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in sources("bench")
        for other in imports(path)
        if other.split(".")[0] == "bench" and layer_of(other) > layer_of(module_name(path))
    ]
    assert not wrong


def test_kernels_never_import_bench_nor_anything_imports_tests() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in sources("bench", "kernels")
        for other in imports(path)
        if other.split(".")[0] == "tests" or (other.split(".")[0] == "bench" and "kernels" in path.parts)
    ]
    assert not wrong


def test_no_cycles() -> None:
    """At import time: an example may be imported by the kernels that it launches, inside a function."""
    graph = {
        module_name(path): {
            other for other in imports(path, everywhere=False) if other.startswith(("bench", "kernels"))
        }
        for path in sources("bench", "kernels")
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module in done:
            return
        for other in graph.get(module, ()):
            if other != module:
                visit(other, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_no_heavy_import_at_start_up() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("bench", "kernels")
        for name in imports(path, everywhere=False)
        if name.split(".")[0] in HEAVY
    ]
    assert not wrong


def test_files_are_short() -> None:
    code = [name for name in tracked() if name.endswith((".py", ".cu", ".cuh", ".cpp", ".h"))]
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in code}
    assert {name: count for name, count in lengths.items() if count > LINES_MAX} == {}


def test_only_known_folders_and_files_at_the_top() -> None:
    tops = {name.split("/")[0] for name in tracked()}
    folders = {top for top in tops if (ROOT / top).is_dir()}
    assert folders <= TOP_LEVEL
    assert tops - folders <= TOP_LEVEL_FILES


def test_no_promises_and_no_paths_of_one_machine() -> None:
    wrong = []
    for name in tracked():
        if not name.endswith((".py", ".cu", ".cuh", ".h", ".cpp", ".md", ".toml", "Makefile", "run")):
            continue
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if any(re.search(rf"\b{word}\b", line) for word in PROMISES) or MACHINE_PATH.search(line):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert not wrong


def test_every_module_says_what_it_is() -> None:
    assert [str(path.relative_to(ROOT)) for path in sources("bench", "kernels", "tests") if not silent_ok(path)] == []


def silent_ok(path: Path) -> bool:
    return bool(ast.get_docstring(tree_of(path))) or not tree_of(path).body


def command_lines() -> list[str]:
    """Lines of README's and results/README's code blocks."""
    lines = []
    for name in ("README.md", "results/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).exists() else ""
        for block in re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            lines += [line.strip().removeprefix("$ ") for line in block.splitlines()]
    return lines


def test_readmes_commands_exist() -> None:
    from bench.cli.main import main

    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = command_lines()
    assert lines, "README.md shows no command"
    wrong = []
    for line in lines:
        line = line.split("#")[0].strip()
        for part in re.split(r"&&|;|\|", line):
            words = part.split()
            if len(words) > 1 and words[0] == "make" and not set(words[1:2]) <= targets:
                wrong.append(line)
            if words and words[0].split("/")[-1] == "shotmark" and len(words) > 1 and not words[1].startswith("-"):
                command = main.get_command(None, words[1])  # type: ignore[arg-type]
                known = {name for p in command.params for name in p.opts + p.secondary_opts} if command else set()
                used = {word.split("=")[0] for word in words[2:] if word.startswith("--") and word != "--help"}
                if command is None or not used <= known:
                    wrong.append(f"{line}: {' '.join(sorted(used - known)) or words[1]}")
    assert not wrong


def test_every_command_says_what_it_does() -> None:
    from bench.cli.main import main

    for name in main.list_commands(None):  # type: ignore[arg-type]
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None and command.help, name


def test_package_data_covers_every_file() -> None:
    """A file that no pattern names, or whose folder is no package, is missing from an installed copy."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = ["*.py", *setuptools["package-data"]["*"]]
    wrong = [
        name
        for name in tracked()
        if name.split("/")[0] in ("bench", "kernels")
        and not (
            (ROOT / name).with_name("__init__.py").exists()
            and any(fnmatch.fnmatchcase(Path(name).name, pattern) for pattern in patterns)
        )
    ]
    assert not wrong


@pytest.mark.slow
def test_a_wheel_holds_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="building a wheel needs setuptools 77 or newer")
    copy, out = tmp_path / "copy", tmp_path / "out"
    out.mkdir()
    for name in tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in tracked() if name.split("/")[0] in ("bench", "kernels")}
