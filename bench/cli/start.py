"""A command's process: what is ours and what is somebody else's, the streams, the signals; then the command.

``shotmark`` and ``python -m bench`` begin here. Nothing but the standard library is imported until it is known that
what follows will be Shotmark's own, and installed.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType

from bench.base.errors import EXIT_BAD_INPUT, EXIT_DEFECT, EXIT_UNAVAILABLE, Stopped

HOME = Path(__file__).resolve().parents[2]  # holds bench and kernels
OURS = {"bench": "The harness of Shotmark", "kernels": "The kernels of Shotmark"}  # begins their __init__.py
STOP_SIGNALS = ("SIGTERM", "SIGHUP")  # as Ctrl-C does, which Python answers itself


def in_the_way() -> str | None:
    """One line where another package has the name of one of ours; None where all is well."""
    for name, begins in OURS.items():
        spec = importlib.util.find_spec(name)
        own = HOME / name / "__init__.py"
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        found = Path(spec.origin if spec is not None and spec.origin else places[0] if places else own).resolve()
        if found.is_file() and found.read_text(encoding="utf-8", errors="replace").startswith(f'"""{begins}'):
            continue
        if found == own:
            return (
                f"{own}: another package named {name} was installed over Shotmark's: install Shotmark into an"
                " environment of its own"
            )
        return (
            f"{found}: this {name} is in the way of Shotmark's own, {own.parent}: start shotmark from another folder,"
            " without PYTHONPATH, or in an environment of its own"
        )
    return None


def main() -> None:
    """Run the command line; the process ends here, with its exit code."""
    sys.exit(_run())


def _run() -> int:
    try:
        problem = in_the_way()
        if problem is not None:
            return say(problem, EXIT_UNAVAILABLE)
        from bench.base.streams import forgiving_streams

        forgiving_streams()
        _answer_signals()
        code = _command()
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            return say(f"{error.filename}: {error.strerror}", code or EXIT_BAD_INPUT)
        return code
    except KeyboardInterrupt as stop:
        return say("stopped", Stopped.exit_code_of(stop))


def _command() -> int:
    try:
        from bench.cli.main import main as command

        command(prog_name="shotmark")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else EXIT_BAD_INPUT
    except ModuleNotFoundError as error:
        return say(missing(error), EXIT_UNAVAILABLE)
    except Exception as error:
        return say(defect(error), EXIT_DEFECT)
    return 0


def missing(error: ModuleNotFoundError) -> str:
    """One line for a package that Shotmark needs and this Python has not."""
    name = (error.name or "a module").partition(".")[0]
    return f"{name} is not installed for {sys.executable}: pip install shotmark, or make setup in a checkout, brings it"


def defect(error: Exception) -> str:
    """One line for a mistake of ours, and where the rest of it is: what we need to mend it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="shotmark-defect-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
        more = f"please report it with {file.name}"
    except OSError:
        more = "please report it"
    return f"a defect of Shotmark, not of yours: {what} ({place}); {more}"


def say(line: str, exit_code: int) -> int:
    """Print one line on standard error; returns the code."""
    print(f"shotmark: {' '.join(line.split())}", file=sys.stderr)
    return exit_code


def _answer_signals() -> None:
    """Schedulers and closed terminals end a command as Ctrl-C does; what was ignored (nohup) stays so."""
    for name in STOP_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)
