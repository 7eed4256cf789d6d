"""The command line: ``shotmark COMMAND``. Each command is a file ``commands/<name>.py`` with a ``command``, or
a folder of such files.

A command's module is imported when the command is asked for, so ``--help`` stays quick and a command
that needs an optional package does not hinder the others. Whatever a command raises from
``bench.base.errors`` ends as one line on standard error and that error's exit code:
0 done, 1 a check failed, 2 bad input, 3 the asked-for back-end is not available. ``start`` begins the process.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import click

from bench import __version__
from bench.base.errors import EXIT_BAD_INPUT, ShotmarkError, Stopped
from bench.cli.scanned import Scanned

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
COMMANDS = Path(__file__).with_name("commands")
# Of the help text
ORDER = ("run", "render", "verify", "validate", "certify", "compare", "project", "shots", "devices", "kernels", "peers")


def disk_line(error: OSError) -> str:
    """One line for an error of the file system that says what to do."""
    place = error.filename or "the results folder"
    if error.errno in DISK_FULL:
        return f"{place}: the disk is full ({error.strerror}); what was finished is kept. Free space and run again"
    reason = error.strerror or next((str(part) for part in error.args if part), type(error).__name__)
    return f"{place}: {reason}"


class LazyGroup(Scanned):
    """The commands of ``shotmark``; whatever ends one is one line and an exit code."""

    folder, order, shelves = COMMANDS, ORDER, ("proofs",)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what can go wrong into one line and an exit code."""
        try:
            return super().invoke(ctx)
        except ShotmarkError as error:
            _fail(ctx, str(error), error.exit_code)
        except click.UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2's, of a group alone: what it has
                error.show()
                ctx.exit(error.exit_code)
            command = error.ctx.command_path if error.ctx else "shotmark"
            _fail(ctx, f"{error.format_message()} {command} --help says more", error.exit_code)
        except KeyboardInterrupt as stop:
            _fail(ctx, "; ".join(("stopped", *getattr(stop, "__notes__", ()))), Stopped.exit_code_of(stop))
        except OSError as error:
            _fail(ctx, disk_line(error), EXIT_BAD_INPUT)
        except MemoryError:
            _fail(ctx, "this machine's memory does not hold that; a smaller --size does", EXIT_BAD_INPUT)
        except EOFError as error:  # click takes it for a Ctrl-C, and says nothing of it
            raise RuntimeError(f"EOFError: {error}") from error


def _fail(ctx: click.Context, line: str, exit_code: int) -> None:
    click.echo(f"shotmark: {' '.join(line.split())}", err=True)
    ctx.exit(exit_code)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="shotmark")
def main() -> None:
    """Real effects shots, simulated and path-traced; proved equal to the last bit, timed, and projected."""
