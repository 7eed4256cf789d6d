"""Parts of a certificate that prove: machine code for everything, twins bit for bit, sanitizers, physics and tracer."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from bench.backend.ahead import Compiling, prepare, uncached
from bench.base.progress import Silent
from bench.check import sanitizer as sanitize
from bench.check.certify.session import Session
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, Finding
from kernels.base.kernel import Kernel
from kernels.base.registry import all_kernels

TWIN_LONG_S = 4.0  # forecast of one kernel at one size


def compile_all(session: Session) -> Finding:
    """Machine code for everything: the device's, and the CPU's that it is held against.

    On a GPU Numba's workers go on beside the parts that follow; what needs one of its kernels waits for that one.
    """
    modules = session.limits.modules
    if session.on_gpu:
        session.compiling = Compiling(uncached(modules), Silent())
    made = prepare([session.backend], Silent(), () if session.on_gpu else modules)
    text = f"{made.kernel_count} texts compiled" if made.kernel_count else "everything was on disk"
    data: dict[str, object] = {"compiled_count": made.kernel_count, "wall_s": made.wall_s}
    if session.on_gpu:
        gpu = session.gpu
        text += "; Numba goes on beside" if session.compiling is not None and session.compiling.working else ""
        data["nvrtc"], data["architecture"] = list(gpu.compiler.version), gpu.compiler.architecture
        data |= {"device": gpu.device_name, "multiprocessors": gpu.multiprocessors, "l2_bytes": gpu.l2_bytes}
        data |= {"clock_max_hz": gpu.clock_max_hz, "memory_bytes": gpu.total_bytes()}
    return Finding(NOTED, text, data)


def hot_kernels(session: Session) -> list[Kernel]:
    """The kernels that take the time, of those that are asked for."""
    known, asked = all_kernels(), session.limits.kernels
    return [known[name] for name in session.limits.hot if not asked or name in asked]


def other_kernels(session: Session) -> list[Kernel]:
    """All others that are asked for."""
    known = all_kernels()
    return [known[name] for name in session.limits.kernels or known if name not in session.limits.hot]


def twins(session: Session, name: str, choose: Callable[[Session], list[Kernel]]) -> Finding:
    """Examples of the chosen kernels at several sizes: equal bits on both sides. ``name`` is the part's."""
    from bench.measure.kernels import many_threads

    kernels = choose(session)

    if not session.on_gpu and many_threads(session.cpu.threads) == 1:
        return Finding(LEFT_OUT, "one core: there are no many threads to hold one against")
    wrong: dict[str, str] = {}
    sizes: dict[str, list[int]] = {kernel.name: [] for kernel in kernels}
    spent_s: dict[str, float] = {}
    for size in session.limits.twin_sizes:
        for kernel in kernels:
            tried = sizes[kernel.name]
            forecast_s = twin_forecast_s(spent_s[kernel.name], tried[-1], size) if tried else 0.0
            if forecast_s >= min(TWIN_LONG_S, session.left_s):
                continue
            session.await_compiled(kernel.name)
            start = time.monotonic()
            found = disagreement_of(session, kernel, size)
            spent_s[kernel.name] = time.monotonic() - start
            tried.append(size)
            if found:
                wrong.setdefault(kernel.name, found)
            session.keep(name, _twins_found(session, sizes, wrong))
    return _twins_found(session, sizes, wrong)


def twin_forecast_s(spent_s: float, tried: float, size: int) -> float:
    """Seconds of a larger example: a kernel's work may grow as the square of what its example is made for."""
    return spent_s * (size / tried) ** 2


def _twins_found(session: Session, sizes: dict[str, list[int]], wrong: dict[str, str]) -> Finding:
    done, most = sum(1 for tried in sizes.values() if tried), max(map(len, sizes.values()), default=0)
    data = {"sizes": sizes, "wrong": wrong}
    what = "CPU = GPU" if session.on_gpu else "one thread = many"
    if wrong:
        name, line = next(iter(wrong.items()))
        return Finding(FAILED, f"{len(wrong)} of {done} kernels differ; {name}: {line}", data)
    if done < len(sizes):
        return Finding(LEFT_OUT, f"{what} for {done} of {len(sizes)} kernels, then no time was left", data)
    return Finding(PASSED, f"{what} to the last bit: {done} kernels, at up to {most} sizes", data)


def disagreement_of(session: Session, kernel: Kernel, size: int) -> str | None:
    """What differs between the two sides of a kernel at one size; None when all is equal."""
    from bench.measure.kernels import disagreement, make_example
    from bench.measure.kernels_gpu import prove

    threads = session.cpu.threads or 1
    if session.on_gpu:
        return "; ".join(prove(kernel, session.backend, (size,), threads)) or None
    return disagreement(kernel, make_example(kernel, size), threads)


def sanitizer(session: Session, tool: str) -> Finding:
    """compute-sanitizer on small examples of the kernels, those that take the time first."""
    if not session.on_gpu:
        return Finding(LEFT_OUT, "it watches GPUs")
    names = [kernel.name for kernel in (*hot_kernels(session), *other_kernels(session))]
    found = sanitize.run_tool(tool, session.gpu.device, max(1.0, session.left_s), names)
    # A tool that cannot start (a card for one process alone, a driver newer than it, no ptrace) has proved nothing
    verdict = {"clean": PASSED, "errors": FAILED}.get(found.verdict, LEFT_OUT)
    return Finding(verdict, found.line, dataclasses.asdict(found))


def checks(session: Session) -> Finding:
    """Physics and tracer against closed forms."""
    from bench.check.physics import CHECKS

    rows = []
    for check in CHECKS:
        if session.late:
            break
        found = check(session.backend)
        rows.append({**dataclasses.asdict(found), "passed": found.passed})
    wrong = [str(row["name"]) for row in rows if not row["passed"]]
    if wrong:
        return Finding(FAILED, f"outside their limits: {', '.join(wrong)}", rows)
    verdict = PASSED if len(rows) == len(CHECKS) else LEFT_OUT
    return Finding(verdict, f"{len(rows)} of {len(CHECKS)} checks of physics and tracer passed", rows)
