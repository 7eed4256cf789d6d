"""Options that several commands have: one name, one type, one help text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])

shots = click.argument("shots", nargs=-1, metavar="[SHOT ...]")
size = click.option("--size", default="S", show_default=True, help="S, M, L or XL.")
threads = click.option(
    "--threads", type=int, default=None, help="CPU threads; all that this process may use unless said."
)
results = click.option("--results", type=click.Path(path_type=Path), default=None, help="Folder of the records.")
json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def needs_numba(callback: F) -> F:
    """Of a command that compiles: what is wrong with Numba here is told first, before anything imports it."""

    @functools.wraps(callback)
    def checked(*args: object, **options: object) -> object:
        from bench.backend.numba_settings import require_numba

        require_numba()
        return callback(*args, **options)

    return checked  # type: ignore[return-value]


def backend(names: str, default: str = "auto") -> Callable[[F], F]:
    """``--backend``; ``names`` are what the command takes, in words."""
    return click.option("--backend", default=default, show_default=True, help=f"{names}.")


def device(more: str = "", name: str = "device") -> Callable[[F], F]:
    """``--device``: the number of a GPU, and what more the command takes."""
    return click.option("--device", name, default=None, help=f"Number of the GPU{more} [0].")


def only(does: str) -> Callable[[F], F]:
    """``--shot``, any number of times: the command does it to these shots alone."""
    return click.option(
        "--shot", "only", multiple=True, metavar="SHOT", help=f"{does} this shot alone; may be given again."
    )
