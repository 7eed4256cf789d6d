"""CONTRIBUTING.md is true: each recipe is tried in a copy of the project, its files written and its lines run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Set
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.source_tree import ROOT, copy_project, sources, tree_of

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What a lent machine with a GPU has already, and what these need
ON_THE_MACHINE = {"numba", "cupy", "numpy", "click", "pytest", "pytest-benchmark", "rich", "pillow", "psutil", "scipy"}


@dataclass(frozen=True)
class Block:
    """One block of code of a recipe."""

    kind: str  # of the language: sh is run, diff is applied, anything else is written
    path: str | None  # of the file that the block is, or changes
    text: str


def recipe(heading: str) -> list[Block]:
    """The blocks under ``## heading``, in order."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return [Block(found["kind"], found["path"], found["text"]) for found in BLOCK.finditer(section)]


def lines_of(block: Block) -> list[str]:
    return [line.split("  #")[0].strip() for line in block.text.splitlines() if line.strip()]


def apply(block: Block, folder: Path) -> None:
    """Write a file, or make the change of a diff: each hunk's old lines stand in the file once."""
    assert block.path is not None, block.text
    path = folder / block.path
    if block.kind != "diff":
        path.write_text(block.text, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    for hunk in block.text.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{block.path}: {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def run(line: str, folder: Path) -> str:
    """One line of a recipe, in the copy and with the Python of this run; what it prints. It has to end well."""
    programs = {"shotmark": f"{sys.executable} -m bench", "python": sys.executable}
    line = re.sub(r"\.venv/bin/(shotmark|python)", lambda found: programs[found[1]], line)
    if line.startswith("make "):
        # Nothing is installed for it: this run's environment is the one
        options = f"VENV={sys.prefix} -o {sys.prefix}/.ready-dev -o {sys.prefix}/.ready-run -o {sys.prefix}/bin/python"
        line = f"make {options} {line.removeprefix('make ')}"
    environment = {**os.environ, "PYTHONPATH": str(folder), "MYPYPATH": str(folder)}
    environment.setdefault("SHOTMARK_EMULATOR_CACHE", str(ROOT / ".emulator-cache"))
    if not (folder / "kernels").exists():
        environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    elif folder != ROOT:
        environment["NUMBA_CACHE_DIR"] = str(folder.with_name("numba"))
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def git(folder: Path) -> None:
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def walk(heading: str, folder: Path) -> dict[str, str]:
    """Do what a recipe says; what each line printed."""
    told = {}
    for block in recipe(heading):
        if block.kind == "sh":
            told.update({line: run(line, folder) for line in lines_of(block)})
        else:
            apply(block, folder)
            git(folder)
    return told


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose kernels are these: compiled already."""
    folder = copy_project(tmp_path_factory.mktemp("light"), kernels=False)
    # verify's other half has tests of its own, and takes its time
    with open(folder / "bench/check/physics.py", "a", encoding="utf-8") as file:
        file.write("\nCHECKS = ()\n")
    git(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that kernels can be added to."""
    folder = copy_project(tmp_path_factory.mktemp("whole"))
    git(folder)
    return folder


def test_every_make_target_that_is_named_exists() -> None:
    for heading in ("Set up", "Check"):
        for line in lines_of(recipe(heading)[0]):
            if line.startswith("make "):
                subprocess.run([*line.split(), "-n"], cwd=ROOT, check=True, capture_output=True)


def test_lint_is_every_tool_that_is_named() -> None:
    told = subprocess.run(["make", "-n", "lint"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert all(f"/{tool}" in told for tool in ("ruff check", "ruff format --check", "lint-imports", "mypy"))


def test_a_part_of_the_tests_can_be_chosen() -> None:
    (line,) = [line for line in lines_of(recipe("Check")[0]) if "pytest" in line]
    assert "test_twins.py::" in run(f"{line} --collect-only", ROOT)


@pytest.mark.slow
def test_a_kernel_is_found_checked_compiled_and_run(whole: Path) -> None:
    told = walk("Add a kernel", whole)
    by_tool = {word: text for line, text in told.items() for word in ("lint", "nvrtc", "test_twins") if word in line}
    assert "5 kept, 0 broken" in by_tool["lint"]
    assert "mpm_slow " in by_tool["nvrtc"], "it stands in the table of what entries take"
    assert "2 passed" in by_tool["test_twins"]


@pytest.mark.slow
def test_a_kernel_s_twin_is_held_to_it(whole: Path) -> None:
    (twin,) = [block for block in recipe("Add a kernel") if block.kind == "cuda"]
    tests = ".venv/bin/python -m pytest -p no:randomly"
    for old, new, test, says in (
        ("* SLOW", "* ONE", "tests/kernels/test_twins.py -k mpm_slow-example", "velocity_inout: "),
        (
            "counts_in, Array<float> velocity_inout",
            "velocity_inout, Array<float> counts_in",
            "tests/house/test_house_cuda.py -k mpm_slow",
            "test_entries_and_arguments",
        ),
    ):
        for block in recipe("Add a kernel")[:2]:
            apply(block, whole)
        assert twin.text.count(old) == 1
        apply(Block(twin.kind, twin.path, twin.text.replace(old, new)), whole)
        with pytest.raises(AssertionError, match=says):
            run(f"{tests} {test}", whole)


@pytest.mark.slow
def test_a_shot_is_listed_verified_and_tested(light: Path) -> None:
    told = walk("Add a shot", light)
    assert "swell" in told[".venv/bin/shotmark shots swell"]
    golden = (light / "bench/check/golden.json").read_text(encoding="utf-8")
    assert '"swell"' in golden and told[".venv/bin/shotmark verify swell --update-golden"].count("equal") == 2
    assert " passed" in list(told.values())[-1]


@pytest.mark.slow
def test_a_cluster_is_projected_onto(light: Path) -> None:
    told = walk("Add a cluster", light)
    assert "cluster pair, 2 GPUs" in list(told.values())[1]


@pytest.mark.slow
def test_a_command_is_listed_and_run(light: Path) -> None:
    told = walk("Add a command", light)
    assert "wave" in told[".venv/bin/shotmark golden"]
    assert re.search(r"^  golden +List the frames", run(".venv/bin/shotmark --help", light), re.MULTILINE)


@pytest.mark.slow
def test_golden_hashes_are_renewed_to_what_is_computed(light: Path) -> None:
    golden = light / "bench/check/golden.json"
    text = golden.read_text(encoding="utf-8")
    first = r'("wave".*?"S".*?"picture": ")(\w{4})'
    damaged = re.sub(first, lambda found: found[1] + "0000", text, count=1, flags=re.DOTALL)
    assert damaged != text
    golden.write_text(damaged, encoding="utf-8")
    told = walk("Renew the golden hashes", light)
    assert golden.read_text(encoding="utf-8") == text
    assert told[".venv/bin/shotmark verify wave --update-golden"].count("equal") == 2


def test_our_words_are_the_names_in_the_code() -> None:
    """A class that the list of words names is defined, and once: no second meaning."""
    (section,) = re.findall(r"^## Words\n(.*)\Z", TEXT, re.MULTILINE | re.DOTALL)
    named = [
        name for row in re.findall(r"^\|.*\|([^|]*)\|$", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    defined = [node.name for path in sources("bench") for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    assert len(named) > 15 and {name: defined.count(name) for name in named} == dict.fromkeys(named, 1)


def wheels_named() -> set[str]:
    (block,) = recipe("Carry it to a machine without a network")
    (line,) = [line for line in lines_of(block) if line.startswith("pip download")]
    return set(line.split("-d wheels ")[1].split())


def needed_by(names: Set[str]) -> set[str]:
    """Names and all that they need to be installed, of what is installed here."""
    found: set[str] = set()
    while names - found:
        name = min(names - found)
        found.add(name)
        for one in map(Requirement, requires(name) or ()):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                names = names | {canonicalize_name(one.name)}
    return found


def test_the_wheels_to_carry_are_all_that_is_missing() -> None:
    """Of what ``pyproject.toml`` asks for, without that which is imported only where it is needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    at_need = {"openexr", "nvidia-ml-py"}
    assert wheels_named() == needed_by(asked - ON_THE_MACHINE - at_need)


# Runs a command line as if no package were installed but the named ones
HIDDEN = """
import sys, sysconfig
allowed = set(sys.argv.pop(1).split(","))
sites = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        found = self.finder.find_spec(name, path, target)
        strange = found is not None and path is None and name not in allowed
        if strange and any((found.origin or "").startswith(site) for site in sites):
            hidden.add(name)
            return None
        return found

    def __getattr__(self, name):
        return getattr(self.finder, name)

hidden = set()
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
from bench.cli.main import main
try:
    main(prog_name="shotmark")
finally:
    print("hidden:", *sorted(hidden), file=sys.stderr)
"""


@pytest.mark.slow
def test_nothing_else_is_imported_by_a_run(tmp_path: Path) -> None:
    wanted = needed_by((ON_THE_MACHINE - {"cupy"}) | wheels_named())
    tops = {
        top for top, names in packages_distributions().items() if {canonicalize_name(name) for name in names} & wanted
    }
    for words in ("run wave --rounds 1 --frames 1", "report 0001", "shots wave"):
        command = [sys.executable, "-c", HIDDEN, ",".join(sorted(tops)), *words.split(), "--results", str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        hidden = set(done.stderr.rpartition("hidden:")[2].split())
        assert "OpenEXR" in hidden or words[:3] != "run", "packages are not hidden at all"
