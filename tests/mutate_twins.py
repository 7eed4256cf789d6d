"""python -m tests.mutate_twins: change one operation of a ``.cu`` or ``.cuh`` at a time; do the twin tests notice?

A mutant is caught when it does not run, when the checked build finds a fault in it, or when a bit differs from Numba's
on some case. One that nobody catches must be listed in ``equivalent_mutants.toml`` with the reason why it changes no
result; every other one is a hole in the tests, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import atexit
import os
import random
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from bench.twins import differences
from kernels import all_kernels, source
from tests.emulator import EmulatorError, build
from tests.test_twins import EXAMPLE, by_emulator, by_numba, made
from tests.twin_cases import cases_of

FOLDER = source.HERE
LISTED = Path(__file__).with_name("equivalent_mutants.toml")

RULES = (
    (r" \+ ", " - ", "+ became -"),
    (r" - ", " + ", "- became +"),
    (r" \* ", " + ", "* became +"),
    (r" / ", " * ", "/ became *"),
    (r" < ", " <= ", "< became <="),
    (r" <= ", " < ", "<= became <"),
    (r" > ", " >= ", "> became >="),
    (r" >= ", " > ", ">= became >"),
    (r" == ", " != ", "== became !="),
    (r" && ", " || ", "&& became ||"),
    (r" >> ", " << ", ">> became <<"),
    (r"\+= ", "-= ", "+= became -="),
    (r"\bONE\b", "TWO", "a constant: 1 became 2"),
    (r"\bHALF\b", "ONE", "a constant: 1/2 became 1"),
    (r"\bZERO\b", "ONE", "a constant: 0 became 1"),
    (r"__fmaf_rn\(([^(),]+), ([^(),]+), ([^(),]+)\)", r"(\1 * \2 + \3)", "a fused multiply-add rounds twice"),
    (
        r"__fmaf_rn\(([^(),]+), ([^(),]+), ([^(),]+)\)",
        r"__fmaf_rn(\1, \3, \2)",
        "operands of a multiply-add changed places",
    ),
    (r"__syncthreads\(\);", ";", "a barrier fell out"),
    (r"__syncwarp\(\);", ";", "a warp's barrier fell out"),
    (r"\batomicAdd\(", "atomicMax(", "atomicAdd became atomicMax"),
    (r"\batomicMax\(", "atomicMin(", "atomicMax became atomicMin"),
    (r"\[(\w+)\]", r"[\1 + 1]", "an index is one too high"),
    (r"\.x\b(?! *[;,)]? *\()", ".y", ".x became .y"),
)


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    change: str
    before: str  # the line, stripped
    after: str
    text: str  # of the whole file

    def __str__(self) -> str:
        return f"kernels/{self.file}:{self.line}: {self.change}: {self.after}"


def mutants_of(file: str) -> Iterator[Mutant]:
    """Every mutant of a file, in order."""
    lines = (FOLDER / file).read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines):
        code = line.split("//")[0]
        # A declaration's change is none; a shorter stride over the grid does items again, with the same result
        if re.match(r"\s*(#|//|struct|template|Array<|extern|__shared__)", code):
            continue
        if "__device__" in code or "__global__" in code or "gridDim" in code:
            continue
        for pattern, replacement, change in RULES:
            for found in re.finditer(pattern, code):
                new = code[: found.start()] + found.expand(replacement) + code[found.end() :]
                if new != code:
                    text = "\n".join([*lines[:number], new, *lines[number + 1 :]])
                    yield Mutant(file, number + 1, change, code.strip(), new.strip(), text)


def users_of(file: str) -> list[str]:
    """Kernels whose text a file is part of."""
    return [name for name in all_kernels() if source.has_twin(name) and f'"kernels/{file}"' in source.assemble(name)]


@cache
def wanted(name: str, label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    arguments = made(name, label)
    return arguments, by_numba(all_kernels()[name], arguments)


def caught_by(mutant: Mutant) -> str | None:
    """What notices a mutant, in words; None when nothing does."""
    users = users_of(mutant.file)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in FOLDER.iterdir():
            if path.suffix in (".py", ".cu", ".cuh"):
                shutil.copy(path, folder / path.name)
        (folder / mutant.file).write_text(mutant.text, encoding="utf-8")
        with mock.patch.object(source, "HERE", folder):
            for checked in (False, True):
                for user in users:
                    for label in (EXAMPLE, *cases_of(user)):
                        noticed = _noticed(user, label, checked)
                        if noticed is not None:
                            return noticed
    return None


def _noticed(name: str, label: str, checked: bool) -> str | None:
    kernel = all_kernels()[name]
    arguments, want = wanted(name, label)
    try:
        found = by_emulator(kernel, arguments, checked=checked, seed=5, limit_s=20)
    except build.BuildError:
        return "the compiler"
    except (EmulatorError, source.SourceError) as error:
        return f"{name}, {label}: {str(error)[:90]}"
    wrong = differences(kernel, want, found)
    return f"{name}, {label}: {wrong[0][:90]}" if wrong else None


@cache
def equivalent() -> dict[tuple[str, str], str]:
    """Reason by (file, the mutant's line)."""
    stated = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("mutant", [])
    return {(one["file"], one["line"]): one["reason"] for one in stated}


def chosen(count: int, seed: int, files: list[str]) -> list[Mutant]:
    """``count`` mutants of each file, or all that it has."""
    picked = []
    for file in files:
        everything = list(mutants_of(file))
        picked += random.Random(f"{seed} {file}").sample(everything, min(count, len(everything)))
    return picked


def keep_libraries_apart() -> None:
    """Hundreds of libraries that are used once stay out of the folder that tests build in."""
    folder = tempfile.mkdtemp(prefix="shotmark-mutants-")
    os.environ["SHOTMARK_EMULATOR_CACHE"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutate_twins", description=__doc__)
    parser.add_argument("files", nargs="*", help="mpm_key.cu, common.cuh, ...; all when none is named")
    parser.add_argument("--count", type=int, default=2, help="mutants of each file")
    parser.add_argument("--seed", type=int, default=1, help="of the choice")
    told = parser.parse_args(words)
    files = told.files or sorted(
        path.name for path in FOLDER.glob("*.cu*") if path.stem != "roof_probe" and users_of(path.name)
    )
    keep_libraries_apart()
    counts = {"caught": 0, "equivalent": 0, "MISSED": 0}
    for mutant in chosen(told.count, told.seed, files):
        noticed = caught_by(mutant)
        reason = equivalent().get((mutant.file, mutant.after))
        verdict = "caught" if noticed else "equivalent" if reason else "MISSED"
        counts[verdict] += 1
        print(f"{verdict:10s} {mutant}   [{noticed or reason or 'nothing noticed it'}]", flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    return int(counts["MISSED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
