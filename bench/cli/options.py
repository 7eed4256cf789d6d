"""Options that several commands have: one name, one type, one help text; and what a shell completes them with.

A type here knows its words, so help and completion do. What is typed is checked in the room that uses it, where the
words are not fixed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bench.base.errors import UserError
from bench.base.files import default_results
from bench.pipeline.frame import MOVIE, STILLS
from bench.shot.load import shot_names
from bench.shot.sizes import SIZE_NAMES

F = TypeVar("F", bound=Callable[..., object])


class OneOf(click.Choice):  # type: ignore[type-arg]  # click 8.1 has no Choice[str]
    """One of fixed words; any other is a line of ours. ``why_not`` has the reason for a word that others take."""

    def __init__(self, words: Iterable[str], why_not: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(words))
        self._why_not = dict(why_not or {})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.choices:
            return str(value)
        name = param.opts[-1] if param else "value"
        why = f": {self._why_not[value]}" if value in self._why_not else ""
        raise UserError(f"{name}: expected one of {', '.join(self.choices)}, got {str(value)[:40]!r}{why}")


class Listed(click.ParamType):  # type: ignore[type-arg]  # nor ParamType[str]
    """Text that begins like one of some names, which are looked for when a shell asks; ``file`` lets it take one."""

    name = "text"

    def __init__(
        self, names: Callable[[click.Context], Iterable[str]], file: bool = False, comma: bool = False
    ) -> None:
        self._names, self._file, self._comma = names, file, comma

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",") if self._comma else ("", "", incomplete)
        found = [CompletionItem(before + comma + name) for name in self._names(ctx) if name.startswith(last)]
        # First: a shell lets go of what came before it
        return [CompletionItem(incomplete, type="file"), *found] if self._file else found


def _cluster_names(ctx: click.Context) -> tuple[str, ...]:
    from bench.project.inputs.cluster import cluster_names

    return cluster_names()


def _kernel_names(ctx: click.Context) -> list[str]:
    from kernels.base.registry import kernel_names

    return kernel_names()


def _record_names(ctx: click.Context) -> list[str]:
    """Records of the results folder, as they may be named: without the folder and the file's ending."""
    from bench.record.store import all_record_paths

    return sorted({path.stem for path in all_record_paths(ctx.params.get("results") or default_results())})


def _case_names(ctx: click.Context) -> list[str]:
    from bench.check.validate.cases import CASES

    return [case.name for case in CASES]


def _site_names(ctx: click.Context) -> tuple[str, ...]:
    from bench.farm.site import site_names

    return site_names()


SHOT = Listed(lambda ctx: shot_names(), file=True)
RECORD = Listed(_record_names, file=True)
CLUSTER = Listed(_cluster_names, file=True)
KERNEL = Listed(_kernel_names)
SITE = Listed(_site_names, file=True)
CASE = Listed(_case_names)
FORMATS = Listed(lambda ctx: (*STILLS, MOVIE), comma=True)
SIZE = OneOf(SIZE_NAMES)

shots = click.argument("shots", nargs=-1, type=SHOT, metavar="[SHOT ...]")
size = click.option("--size", type=SIZE, default="S", show_default=True, help="Of those that the shot has.")
size_of_golden = click.option(
    "--size", type=SIZE, default="S", show_default=True, help="Of the golden frames; M takes minutes on a CPU."
)
frames = click.option("--frames", default="all", show_default=True, help="Such as 1-60, 1,5,10-20 or 1-60:4.")
formats = click.option(
    "--format",
    "formats",
    type=FORMATS,
    default="png",
    show_default=True,
    help=f"Of {', '.join((*STILLS, MOVIE))}. A movie of a part of the shot has its frames in its name.",
)
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


def backend(*words: str, default: str = "auto", **why_not: str) -> Callable[[F], F]:
    """``--backend``; ``words`` are what the command takes, ``why_not`` says of another one why it does not."""
    both = "; all is both" if "all" in words else ""
    does = f"numba is the CPU, cupy a GPU, auto the GPU where one can run{both}."
    return click.option("--backend", type=OneOf(words, why_not), default=default, show_default=True, help=does)


def device(more: str = "", name: str = "device") -> Callable[[F], F]:
    """``--device``: the number of a GPU, and what more the command takes."""
    return click.option("--device", name, default=None, help=f"Number of the GPU{more} [0].")


def only(does: str) -> Callable[[F], F]:
    """``--shot``, any number of times: the command does it to these shots alone."""
    return click.option(
        "--shot", "only", multiple=True, type=SHOT, metavar="SHOT", help=f"{does} this shot alone; may be given again."
    )


def tell(line: str) -> None:
    """A line for the user beside the output: on standard error, in the form of those that end a command."""
    click.echo(f"shotmark: {' '.join(line.split())}", err=True)
