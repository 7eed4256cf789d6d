"""python -m tests.mutants.mutate_twins: change one operation of a ``.cu`` at a time; do the twin tests notice?

A mutant is caught when it does not run, when the checked build finds a fault in it, or when a bit differs from Numba's
on some case. One that nobody catches is equivalent where the compiler makes the same machine code of it, or where
``equivalent_mutants.toml`` has the reason why it changes no result; every other one is a hole in the tests, and the
exit code is 1; so it is where one is caught that is listed. ``--all`` tries every mutant there is: some 6000, about
half a second each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from bench.backend.same_bits import differences
from kernels.base import source
from kernels.base.registry import all_kernels
from tests.emulator import EmulatorError, build
from tests.kernels.test_twins import (
    EXAMPLE,
    RUNS,
    SEED,
    by_emulator,
    by_numba,
    common_by_numba,
    common_inputs,
    made,
    runs_of,
    void,
    wrong_common,
)
from tests.twin_cases import cases_of

FOLDER = source.HERE
SAME_CODE = "the compiler makes the same machine code of it"
LIMIT_S = 3  # processor time of one pass; the longest needs a tenth
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
    name: str  # in the list of equivalent ones: the line after, and which of them where a file has several

    def __str__(self) -> str:
        return f"{path_of(self.file).relative_to(FOLDER.parent)}:{self.line}: {self.change}: {self.name}"


def path_of(file: str) -> Path:
    """Of a file of whichever room."""
    return next(FOLDER.glob(f"*/{file}"))


@cache
def mutants_of(file: str) -> tuple[Mutant, ...]:
    """Every mutant of a file, in order."""
    found = list(_mutants_of(file))
    often, seen = Counter(mutant.after for mutant in found), Counter[str]()
    for n, mutant in enumerate(found):
        seen[mutant.after] += 1
        if often[mutant.after] > 1:
            found[n] = replace(mutant, name=f"{mutant.after} [{seen[mutant.after]}]")
    return tuple(found)


def _mutants_of(file: str) -> Iterator[Mutant]:
    lines = path_of(file).read_text(encoding="utf-8").split("\n")
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
                    after = new.strip()
                    yield Mutant(file, number + 1, change, code.strip(), after, text, name=after)


@cache
def users_of(file: str) -> tuple[str, ...]:
    """Kernels whose text a file is part of."""
    twins = (name for name in all_kernels() if source.has_twin(name))
    return tuple(name for name in twins if f'/{file}"' in source.assemble(name))


@cache
def wanted(name: str, label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    kernel, arguments = all_kernels()[name], made(name, label)
    want = by_numba(kernel, arguments)
    return arguments, {n: value for n, value in want.items() if n not in void(kernel, arguments, want)}


@cache
def wanted_of_common() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    a, b = common_inputs(np.random.default_rng(SEED))
    with np.errstate(all="ignore"):
        return common_by_numba(a, b), a, b


class Try(NamedTuple):
    """One run that may notice a mutant."""

    kernel: str
    label: str
    run: int  # of RUNS

    @property
    def checked(self) -> bool:
        return "checked" in RUNS[self.run]


@cache
def tries_of(file: str) -> list[Try]:
    """All that may notice a mutant of a file; what noticed one lately comes first, and quick ones before others."""
    return [
        Try(user, label, run)
        for checked in (False, True)
        for user in users_of(file)
        for run in runs_of(user)
        for label in (EXAMPLE, *cases_of(user))
        if checked == ("checked" in RUNS[run])
    ]


def caught_by(mutant: Mutant) -> str | None:
    """What notices a mutant, in words; None when nothing does, SAME_CODE where nothing can."""
    tries = tries_of(mutant.file)
    # A mutant may write anywhere: it gets a process of its own, which finds there what does not depend on the mutant
    for one in tries:
        wanted(one.kernel, one.label)
        usual_code(one.kernel)
    if mutant.file == "common.cuh":
        wanted_of_common()
    for checked in (False, True):
        build.library(source.assemble(tries[0].kernel), checked)
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_search, args=(mutant, tries, there))
    child.start()
    there.close()
    try:
        noticed, place = here.recv()
    except EOFError:
        noticed, place = "the system: it crashed", None
    child.join()
    if place is not None:
        tries.insert(0, tries.pop(place))
        tries.sort(key=lambda one: one.checked)
    return None if noticed is None else str(noticed)


def _search(mutant: Mutant, tries: list[Try], answer: Connection) -> None:
    with tempfile.TemporaryDirectory() as name, mock.patch.object(source, "HERE", _with(mutant, Path(name))):
        # Hundreds of libraries that are used once stay out of the folder that tests build in
        for path in build.folder().glob("*.o"):
            (Path(name) / path.name).symlink_to(path.resolve())
        os.environ["SHOTMARK_EMULATOR_CACHE"] = name
        changed = cache(lambda kernel: machine_code(kernel) != usual_code(kernel))
        for place, one in enumerate(tries):
            # Asked only once what is likely to notice it did not: that would take longer than most tries
            if (one.kernel != tries[0].kernel or one.checked) and not changed(one.kernel):
                continue
            noticed = noticed_by(one)
            if noticed is not None:
                return answer.send((noticed, place))
        if mutant.file == "common.cuh" and (noticed := noticed_in_common()) is not None:
            return answer.send((noticed, None))
        everywhere_same = not any(changed(user) for user in users_of(mutant.file))
    return answer.send((SAME_CODE if everywhere_same else None, None))


def _with(mutant: Mutant, folder: Path) -> Path:
    """A folder of kernels with the mutant."""
    for path in FOLDER.glob("*/*"):
        if path.suffix in (".py", ".cu", ".cuh"):
            (folder / path.parent.name).mkdir(exist_ok=True)
            (folder / path.parent.name / path.name).symlink_to(path)
    changed = folder / path_of(mutant.file).relative_to(FOLDER)
    changed.unlink()
    changed.write_text(mutant.text, encoding="utf-8")
    return folder


def noticed_by(one: Try) -> str | None:
    """What is wrong with a kernel as its text stands in source.HERE, in words."""
    kernel = all_kernels()[one.kernel]
    arguments, want = wanted(one.kernel, one.label)
    try:
        found = by_emulator(kernel, arguments, **RUNS[one.run], limit_s=LIMIT_S)
    except build.BuildError:
        return "the compiler"
    except (EmulatorError, source.SourceError) as error:
        return f"{one.kernel}, {one.label}: {str(error)[:90]}"
    wrong = differences(kernel, want, found)
    return f"{one.kernel}, {one.label}: {wrong[0][:90]}" if wrong else None


def noticed_in_common() -> str | None:
    """The same of the functions of common.cuh, each alone."""
    try:
        wrong = wrong_common(*wanted_of_common())
    except EmulatorError as error:
        return f"the common functions: {str(error)[:90]}"
    return f"the common functions: {wrong[0][0]}" if wrong else None


@cache
def usual_code(kernel: str) -> str:
    return machine_code(kernel)


def machine_code(kernel: str) -> str:
    """What the emulator runs of a kernel, as assembler."""
    flags = build.flags_of(checked=False)
    command = [build.compiler(), *flags, "-g0", f"-I{build.CPP}", "-S", "-x", "c++", "-", "-o", "-"]
    text = build.wrapped(source.assemble(kernel))
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    # A mutant that does not compile has no code; without this, two texts that do not would be called the same
    return done.stdout if done.returncode == 0 else f"{kernel} does not compile: {text}"


@cache
def equivalent() -> dict[tuple[str, str], str]:
    """Reason by (file, the mutant's name)."""
    stated = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("mutants", [])
    return {(one["file"], line): one["reason"] for one in stated for line in one["lines"]}


def chosen(count: int | None, seed: int, files: list[str]) -> list[Mutant]:
    """``count`` mutants of each file, or all that it has."""
    picked = []
    for file in files:
        everything = mutants_of(file)
        some = count is not None and count < len(everything)
        picked += random.Random(f"{seed} {file}").sample(everything, count) if some else everything
    return picked


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.mutate_twins", description=__doc__)
    parser.add_argument("files", nargs="*", help="mpm_key.cu, common.cuh, ...; all when none is named")
    parser.add_argument("--count", type=int, default=2, help="mutants of each file")
    parser.add_argument("--all", action="store_true", help="every mutant of each file")
    parser.add_argument("--seed", type=int, default=1, help="of the choice")
    told = parser.parse_args(words)
    files = told.files or sorted(
        path.name for path in FOLDER.glob("*/*.cu*") if path.stem != "roof_probe" and users_of(path.name)
    )
    counts = {"caught": 0, "equivalent": 0, "MISSED": 0, "LISTED": 0}
    for mutant in chosen(None if told.all else told.count, told.seed, files):
        noticed, reason = caught_by(mutant), equivalent().get((mutant.file, mutant.name))
        if noticed in (None, SAME_CODE):
            verdict = "equivalent" if noticed or reason else "MISSED"
        else:
            verdict = "LISTED" if reason else "caught"
        counts[verdict] += 1
        print(f"{verdict:10s} {mutant}   [{noticed or reason or 'nothing noticed it'}]", flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    return int(counts["MISSED"] + counts["LISTED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
