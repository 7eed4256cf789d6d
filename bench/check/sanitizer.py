"""NVIDIA's compute-sanitizer over every kernel on small examples, where it is installed.

Each tool runs in a process of its own, which is this module, slowly and without CuPy's pool, so that an
access outside an array is one outside an allocation. Not yet run on a GPU.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

TOOLS = ("memcheck", "racecheck", "initcheck")
PROGRAM = "compute-sanitizer"
FOUND_SOMETHING = 86  # exit code that the sanitizer is asked for
SIZES = (24, 300)
# What a tool says of one error, unlike what it says where it cannot do its work
REPORT = re.compile(
    r"^=+ *((?:Invalid|Misaligned|Uninitialized) .*|(?:Error: |Warning: )?Race reported .*)$", re.MULTILINE
)
DONE = "went through "  # a line of the watched process, once a kernel is done
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ToolResult:
    """What one tool said."""

    tool: str
    verdict: str  # "clean", "errors", "no time", "not installed"; "failed": it could not do its work, and found nothing
    line: str  # the first that says why
    output: str = ""  # the end of what it printed
    kernels: tuple[str, ...] = ()  # that it had gone through when it ended, one after the other


def run_tool(
    tool: str, device: int, timeout_s: float, names: Sequence[str] = (), child: Sequence[str] | None = None
) -> ToolResult:
    """Run one tool over the kernels; ``child`` replaces what it watches."""
    program = shutil.which(PROGRAM)
    if program is None:
        return ToolResult(tool, "not installed", f"{PROGRAM} is not on the path")
    watched = child or (sys.executable, "-m", "bench.check.sanitizer", str(device), *names)
    command = [program, "--tool", tool, "--error-exitcode", str(FOUND_SOMETHING), *watched]
    try:
        code, output = _run(command, timeout_s)
    except OSError as error:
        return ToolResult(tool, "failed", f"{program}: {error.strerror}")
    done = _gone_through(output)
    found = partial(ToolResult, tool, output=output[-4000:], kernels=done)
    if code == FOUND_SOMETHING or _errors(output):
        return found("errors", _first(output) or f"exit code {code}")
    if code is None:  # stopped: no summary, but it has told of what it saw
        report = REPORT.search(output)
        so_far = f"; {len(done)} kernels without an error until then" if done else ""
        told = found("no time", f"not done after {timeout_s:.0f} s{so_far}")
        return told if report is None else found("errors", report[1].strip()[:200])
    if code == 0:
        return found("clean", _summary(output) or "no errors")
    return found("failed", _first(output) or f"exit code {code}")


def _run(command: Sequence[str], timeout_s: float) -> tuple[int | None, str]:
    """(exit code, output); no code where the time was over.

    What is watched ends with the tool, or it would go on on the device that is timed next.
    """
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=CHECKOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()  # what it had said by then
            return None, output
        except BaseException:
            _end(process)
            raise
    return process.returncode, output


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a tool and all that it started; where a system knows no groups of processes, the tool alone."""
    kill_group, kill = getattr(os, "killpg", None), getattr(signal, "SIGKILL", None)
    with contextlib.suppress(ProcessLookupError):
        if kill_group is not None and kill is not None:
            kill_group(process.pid, kill)
        else:
            process.kill()


def _gone_through(output: str) -> tuple[str, ...]:
    """Names that the watched process told, each after its kernel's last launch."""
    lines = output.splitlines()
    return tuple(line[len(DONE) :] for line in lines if line.startswith(DONE))


def _summary(output: str) -> str:
    lines = [line.strip("= ").strip() for line in output.splitlines() if "SUMMARY" in line]
    return lines[-1][:200] if lines else ""


def _errors(output: str) -> int:
    """What the summary counts."""
    found = re.search(r"ERROR SUMMARY: (\d+)", output)
    return int(found[1]) if found else 0


def _first(output: str) -> str:
    """The first line that tells of an error."""
    for line in output.splitlines():
        text = line.strip("= ").strip()
        if text and not text.startswith("COMPUTE-SANITIZER") and ("rror" in text or "hazard" in text.lower()):
            return text[:200]
    return ""


def main() -> None:
    """What a tool watches: every kernel (or those named) once on small examples, on the device numbered first."""
    from bench.backend.cupy_gpu import CupyBackend
    from bench.backend.nvrtc_cache import import_cupy
    from bench.backend.same_bits import on_device
    from bench.measure.kernels import make_example
    from kernels.base.registry import all_kernels

    import_cupy().cuda.set_allocator(None)
    device, *names = sys.argv[1:]
    backend, known = CupyBackend(int(device)), all_kernels()
    for name in names or known:
        for size in SIZES:
            on_device(known[name], make_example(known[name], size), backend)
        print(f"{DONE}{name}", flush=True)


if __name__ == "__main__":
    main()
