"""Runs the text of a ``.cu`` on the CPU: for tests alone, exact and slow. See ``launcher`` and ``cpp/emulator.h``."""

from tests.emulator.launcher import Emulator, EmulatorError

__all__ = ["Emulator", "EmulatorError"]
