"""The command ``shotmark``, under the one name that nobody else has: ``bench`` and ``kernels`` are names of many."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

EXIT_UNAVAILABLE = 3


def main() -> None:
    """Start the command line, if the ``bench`` that Python finds is the one that came with this file."""
    home = next(folder for folder in Path(__file__).resolve().parents if (folder / "bench/cli/start.py").is_file())
    spec = importlib.util.find_spec("bench")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    if not any((place / "cli" / "start.py").is_file() for place in places):
        found = places[0] if places else spec.origin if spec is not None else "bench"
        print(
            f"shotmark: {found}: this bench is in the way of Shotmark's own, {home / 'bench'}: start shotmark from"
            " another folder, without PYTHONPATH, or in an environment of its own",
            file=sys.stderr,
        )
        sys.exit(EXIT_UNAVAILABLE)
    from bench.cli.start import main as start

    start()
