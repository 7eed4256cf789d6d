"""The house rules, read from the text of the files: nothing here imports a kernel."""

from __future__ import annotations

import ast
import fnmatch
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.house.commands import all_commands, command_of
from tests.support.source_tree import ROOT, sources, tracked, tree_of

LINES_MAX = 400
ENTRIES_MAX = 14
CODE = (".py", ".cu", ".cuh", ".cpp", ".h")
TOP_LEVEL = {"bench", "kernels", "results", "tests", ".ci"}
TOP_LEVEL_DOCUMENTS = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"}
TOP_LEVEL_FILES = TOP_LEVEL_DOCUMENTS | {"Makefile", "pyproject.toml", ".gitignore", ".gitattributes"}
# Split, so that this file does not hold what it looks for
PROMISES = [
    first + rest for first, rest in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"), ("place", "holder"))
]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "tm" + "p")) + r")/\w")


def too_long() -> dict[str, int]:
    code = [name for name in tracked() if name.endswith(CODE)]
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in code}
    return {name: count for name, count in lengths.items() if count > LINES_MAX}


def entries(names: Iterable[str]) -> dict[str, set[str]]:
    """What a reader sees in each folder: sub-folders and files, a Python file and its CUDA twin being one."""
    found: dict[str, set[str]] = {}
    for name in names:
        parts = Path(name).parts
        for depth in range(1, len(parts)):
            entry = parts[depth]
            found.setdefault("/".join(parts[:depth]), set()).add(re.sub(r"\.(py|cu|cuh)$", "", entry))
    return found


def test_files_are_short() -> None:
    assert too_long() == {}


def test_rooms_are_small() -> None:
    found = entries(name for name in tracked() if name.split("/")[0] in ("bench", "kernels", "tests"))
    assert {folder: len(names) for folder, names in found.items() if len(names) > ENTRIES_MAX} == {}


def test_twins_count_as_one_entry_and_everything_else_counts() -> None:
    names = ["r/a.py", "r/a.cu", "r/a.cuh", "r/b.cuh", "r/__init__.py", "r/README.md", "r/sub/c.py", "r/sub/d.toml"]
    assert entries(names) == {"r": {"a", "b", "__init__", "README.md", "sub"}, "r/sub": {"c", "d.toml"}}


def test_a_kernel_module_s_name_stands_once_in_all_rooms() -> None:
    """Includes, caches and ``kernels.base.registry`` know a file of ``kernels/`` by its name alone."""
    places: dict[str, set[str]] = {}
    for name in tracked():
        if name.startswith("kernels/") and name.endswith((".py", ".cu", ".cuh")) and Path(name).stem != "__init__":
            places.setdefault(Path(name).stem, set()).add(str(Path(name).parent))
    assert len(places) > 20
    assert {stem: folders for stem, folders in places.items() if len(folders) > 1} == {}


def test_only_known_folders_and_files_at_the_top() -> None:
    tops = {name.split("/")[0] for name in tracked()}
    folders = {top for top in tops if (ROOT / top).is_dir()}
    assert folders <= TOP_LEVEL
    assert tops - folders <= TOP_LEVEL_FILES


def test_no_promises_and_no_paths_of_one_machine() -> None:
    wrong = []
    for name in tracked():
        if not name.endswith((*CODE, ".md", ".toml", "Makefile", "run")):
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
    """Lines of the documents' code blocks that are commands; CONTRIBUTING.md's are run, in ``test_contributing``."""
    lines = []
    for name in tracked():
        if name.endswith(".md") and name != "CONTRIBUTING.md":
            text = (ROOT / name).read_text(encoding="utf-8")
            for kind, block in re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                if kind in ("", "sh"):
                    lines += [line.strip().removeprefix("$ ") for line in block.splitlines()]
    return lines


def test_commands_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = command_lines()
    assert len(lines) > 10, "the documents show no commands"
    wrong = []
    for line in lines:
        line = line.split("#")[0].strip()
        for part in re.split(r"&&|;|\|", line):
            words = part.split()
            if len(words) > 1 and words[0] == "make" and not set(words[1:2]) <= targets:
                wrong.append(line)
            if words and words[0].split("/")[-1] == "shotmark" and len(words) > 1 and not words[1].startswith("-"):
                command, words = command_of(words[1:])
                known = {name for p in command.params for name in p.opts + p.secondary_opts} if command else set()
                used = {word.split("=")[0] for word in words if word.startswith("--") and word != "--help"}
                if command is None or not used <= known:
                    wrong.append(f"{line}: {' '.join(sorted(used - known))}")
    assert not wrong


def test_every_command_says_what_it_does() -> None:
    for words in all_commands():
        command, left = command_of(words)
        assert command is not None and command.help and not left, words


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
