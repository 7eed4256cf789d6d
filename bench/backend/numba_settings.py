"""Whether Numba can run here as it is set up; if not, one line that names the variable.

Numba takes its settings from ``NUMBA_*`` and from a ``.numba_config.yaml`` in the working folder; what it does not
understand is a traceback from deep inside, often only when the first kernel runs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings
from collections.abc import Iterator

from bench.backend.limits import usable_cores
from bench.base.errors import Unavailable, UserError, one_line

THREADS, LAYER, PRIORITY, NO_COMPILER = (
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
    "NUMBA_THREADING_LAYER_PRIORITY",
    "NUMBA_DISABLE_JIT",
)
FEATURES = "NUMBA_CPU_FEATURES"
FEATURE = re.compile(r"[+-][A-Za-z0-9._-]+")
UNREAD = re.compile(r"Environment variable '(NUMBA_\w+)' is defined but .*could not be parsed")
LAYERS = ("default", "safe", "forksafe", "threadsafe", "tbb", "omp", "workqueue")
CONFIG_FILE = ".numba_config.yaml"


def require_numba() -> None:
    """Import Numba and the library of its threads. Raises UserError for a setting, Unavailable for an installation."""
    _require(*(os.environ.get(name) for name in (THREADS, LAYER, PRIORITY, NO_COMPILER)))


@functools.cache
def _require(threads: str | None, layer: str | None, priority: str | None, no_compiler: str | None) -> None:
    if threads is not None and not (threads.strip().isascii() and threads.strip().isdigit() and int(threads) > 0):
        raise UserError(f"{THREADS}: expected a whole number from 1, not {threads[:40]!r}; unset it to use every core")
    if layer is not None and layer.lower() not in LAYERS:
        raise UserError(f"{LAYER}: expected one of {', '.join(LAYERS)}, not {layer[:40]!r}; unset it for the default")
    _validate_features(os.environ.get(FEATURES, ""))
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            import numba
            from numba.np.ufunc import parallel
    except ImportError as error:  # a library is missing, or of a version that Numba does not take
        raise Unavailable(f"Numba cannot be loaded: {one_line(error)}. What helps: a fresh environment") from None
    except Exception as error:
        raise UserError(f"Numba does not take its settings, NUMBA_* or {CONFIG_FILE}: {one_line(error)}") from None
    for told in said:
        if unread := UNREAD.search(str(told.message)):
            raise UserError(f"{unread[1]}: Numba cannot read {os.environ.get(unread[1], '')[:40]!r}; unset it")
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        where = f"{NO_COMPILER}={no_compiler}" if no_compiler else f"{CONFIG_FILE}: disable_jit"
        raise UserError(f"{where}: expected 0 or nothing: the kernels cannot run uncompiled")
    # Asked only where somebody chose: the default always finds a layer
    chosen = str(numba.config.THREADING_LAYER)  # type: ignore[attr-defined]
    launch = getattr(parallel, "_launch_threads", None)
    if (chosen == "default" and priority is None) or launch is None:
        return
    import kernels  # noqa: F401  # says how long threads spin, before their library is loaded

    try:
        launch()
    except Exception as error:
        name, value = (LAYER, chosen) if chosen != "default" else (PRIORITY, priority)
        raise UserError(f"{name}={str(value)[:40]}: Numba has no such threads here: {one_line(error)}") from None


def _validate_features(text: str) -> None:
    """LLVM ends the whole process at a feature without its sign."""
    wrong = [word for word in text.split(",") if word.strip() and not FEATURE.fullmatch(word.strip())]
    if wrong:
        raise UserError(f"{FEATURES}: expected such as +avx2,-avx512f, not {wrong[0][:40]!r}; unset it")


def thread_limit() -> int:
    """Threads that a kernel can have: Numba makes no more."""
    import numba

    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextlib.contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Compiled loops of the block run on so many threads; None: on all usable cores."""
    require_numba()
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(min(threads or usable_cores(), thread_limit()))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def threads_from() -> str:
    """Where the limit comes from, in words."""
    threads = os.environ.get(THREADS)
    return f"{THREADS} is {threads}" if threads is not None else "the cores that this process may use"
