"""What can end a command early, and the exit code that each stands for.

The command line turns each of these into one line on standard error; none of them is a traceback.
"""

from __future__ import annotations

EXIT_CHECK_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_UNAVAILABLE = 3
EXIT_DEFECT = 70  # as sysexits.h has it
EXIT_SIGNAL = 128  # and the signal's number, as a shell reports it
SIGINT = 2


class ShotmarkError(Exception):
    """Base of all; ``exit_code`` is what the process ends with."""

    exit_code = EXIT_CHECK_FAILED


class CheckFailed(ShotmarkError):
    """A result is not what it has to be."""

    exit_code = EXIT_CHECK_FAILED


class UserError(ShotmarkError):
    """Input that cannot be used: a line that names file, key and what was expected."""

    exit_code = EXIT_BAD_INPUT


class BudgetSpent(ShotmarkError):
    """The time that a command was given is over; what was finished stands."""


class Unavailable(ShotmarkError):
    """The asked-for back-end cannot run here: why, and what to install."""

    exit_code = EXIT_UNAVAILABLE


class Stopped(KeyboardInterrupt):
    """A signal that means what Ctrl-C means. Notes of it (``add_note``) say what was kept."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @staticmethod
    def exit_code_of(stop: KeyboardInterrupt) -> int:
        """What a shell reports of a process that this ended."""
        return EXIT_SIGNAL + (stop.number if isinstance(stop, Stopped) else SIGINT)


def one_line(error: BaseException, most: int = 200) -> str:
    """What an error of somebody else's says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__
