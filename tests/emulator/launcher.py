"""Launches kernels in the emulator."""

from __future__ import annotations

import ctypes
import functools
import re
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import source
from kernels.base.constants import PARAMETER_WORDS
from kernels.base.kernel import Kernel, Pass
from tests.emulator import build
from tests.emulator.cards import Card, for_architecture

GUARD_BYTES = 4096  # before and behind each array
GUARD = 0xA5
ELEMENTS = {
    "float": np.float32,
    "int": np.int32,
    "long long": np.int64,
    "unsigned char": np.uint8,
    "unsigned": np.uint32,
}
SCALARS = {"float": ctypes.c_float, "int": ctypes.c_int, "long long": ctypes.c_longlong, "bool": ctypes.c_bool}


class EmulatorError(Exception):
    """A kernel did what no kernel may do: the message says what, who and where."""


class _Array(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape0", ctypes.c_longlong),
        ("shape1", ctypes.c_int),
        ("shape2", ctypes.c_int),
    )


class _Passed(ctypes.Structure):
    _fields_ = (
        ("start", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("item_bytes", ctypes.c_uint32),
        ("parameter", ctypes.c_uint32),
    )


# Arrays between guard zones, by the identity of their memory: where in it the array lies
_GUARDED: dict[int, tuple[weakref.ref[np.ndarray], slice]] = {}


def guarded(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros that stands between guard zones, aligned as on a device."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    memory = np.full(size + 2 * GUARD_BYTES + 256, GUARD, np.uint8)
    first = GUARD_BYTES + -(memory.ctypes.data + GUARD_BYTES) % 256
    inside = memory[first : first + size]
    inside[:] = 0
    key = id(memory)
    _GUARDED[key] = (weakref.ref(memory, lambda _: _GUARDED.pop(key, None)), slice(first, first + size))
    return inside.view(kind).reshape(shape)


def _memory(array: np.ndarray) -> np.ndarray | None:
    """The guarded memory that an array lies in; None of any other."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base if id(base) in _GUARDED else None


def _guards_hold(array: np.ndarray) -> bool:
    memory = _memory(array)
    assert memory is not None
    inside = _GUARDED[id(memory)][1]
    return bool(np.all(memory[: inside.start] == GUARD) and np.all(memory[inside.stop :] == GUARD))


_STACKS = (ctypes.c_size_t * 2)()  # the libraries' own: see cpp/memory.cpp


@functools.cache
def _loaded(text: str, checked: bool) -> tuple[ctypes.CDLL, Path, dict[str, source.Entry]]:
    path = build.library(text, checked)
    library = ctypes.CDLL(str(path))
    library.emulator_message.restype = ctypes.c_char_p
    library.emulator_failed_at.restype = ctypes.c_uint64
    library.emulator_launch.argtypes = (
        *(ctypes.c_void_p,) * 3, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint64,
        ctypes.c_uint, ctypes.c_void_p,
    )  # fmt: skip
    return library, path, source.entries(text)


class Emulator:
    """A device of ``device_sms`` multiprocessors; ``seed`` shuffles blocks and threads, 0 keeps their natural order.

    With a ``card`` its multiprocessors are that card's, all of them unless ``device_sms`` says how many: texts are
    built for its architecture, and launches have the blocks that it holds.
    """

    def __init__(
        self,
        device_sms: int | None = None,
        checked: bool = False,
        seed: int = 0,
        limit_s: int = 300,
        card: Card | None = None,
    ) -> None:
        self.card = card
        self.device_sms = device_sms or (card.multiprocessors if card else 3)
        self.idle_blocks: dict[str, int] = {}  # by entry: of its last launch, those that wrote nothing; checked alone
        self.checked = checked
        self.seed = seed
        self.limit_s = limit_s  # processor time of one pass
        self._launches = 0

    def launch(self, kernel: Kernel, *arguments: Any) -> None:
        """Run the passes of a kernel's ``.cu`` in order on NumPy arrays, in place.

        Raises EmulatorError, build.BuildError and source.SourceError.
        """
        self.launch_text(source.assemble(kernel.name), kernel.passes, kernel.argument_names, arguments)

    def launch_text(
        self, text: str, passes: tuple[Pass, ...], names: tuple[str, ...], arguments: tuple[Any, ...]
    ) -> None:
        """The same of an assembled text."""
        if self.card is not None:
            passes = tuple(replace(one, blocks_per_sm=self.card.per_multiprocessor(text, one)) for one in passes)
            text = for_architecture(text, self.card.architecture)
        library, path, entries = _loaded(text, self.checked)
        inside = [self._placed(value) for value in arguments]
        for one in passes:
            if one.entry not in entries:
                raise EmulatorError(f"{one.entry}: no such entry; there are {', '.join(entries)}")
            entry = entries[one.entry]
            stated = tuple(parameter.name for parameter in entry.parameters)
            if stated != tuple(names):
                raise EmulatorError(f"{one.entry}: its arguments {stated} are not those of cpu(), {tuple(names)}")
            if entry.thread_limit is not None and one.threads > entry.thread_limit:
                raise EmulatorError(
                    f"{one.entry}: its Pass has {one.threads} threads, its __launch_bounds__ allow {entry.thread_limit}"
                )
            self._pass(library, path, one, entry, inside)
        for name, value, placed in zip(names, arguments, inside):
            if isinstance(value, np.ndarray):
                if not _guards_hold(placed):
                    raise EmulatorError(f"outside: something was written beside {name}")
                if placed is not value:
                    value[...] = placed

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray) or (_memory(value) is not None and value.flags.c_contiguous):
            return value
        inside = guarded(value.shape, value.dtype)
        inside[...] = value
        return inside

    def _pass(self, library: ctypes.CDLL, path: Path, one: Pass, entry: source.Entry, values: list[Any]) -> None:
        holders = [_holder(parameter, value) for parameter, value in zip(entry.parameters, values)]
        pointers = (ctypes.c_void_p * len(holders))(*(ctypes.addressof(holder) for holder in holders))
        arrays = [
            _Passed(value.ctypes.data, value.nbytes, value.itemsize, n)
            for n, value in enumerate(values)
            if isinstance(value, np.ndarray)
        ]
        seed = 0
        if self.seed != 0:
            self._launches += 1
            seed = (self.seed * 1_000_003 + self._launches) % 2**64
        failed = library.emulator_launch(
            ctypes.cast(getattr(library, f"emulator_call_{entry.name}"), ctypes.c_void_p),
            pointers,
            (_Passed * len(arrays))(*arrays),
            len(arrays),
            one.blocks(self.device_sms),
            one.threads,
            one.shared_bytes,
            seed,
            self.limit_s,
            _STACKS,
        )
        if failed:
            message = library.emulator_message().decode()
            message = re.sub(r"argument \{(\d+)\}", lambda found: entry.parameters[int(found[1])].name, message)
            message = re.sub(
                r"\{([0-9a-f]+)\}", lambda found: build.line_of(path, int(found[1], 16)) or "an unknown line", message
            )
            place = build.line_of(path, library.emulator_failed_at())
            raise EmulatorError(f"{entry.name}: {message}" + (f", at {place}" if place else ""))
        self.idle_blocks[entry.name] = library.emulator_idle_blocks()


def _holder(parameter: source.Parameter, value: Any) -> Any:
    """The C value of an argument, once its type is seen to be the parameter's."""
    element = parameter.element
    if parameter.type == "Words":
        if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.size > PARAMETER_WORDS:
            raise EmulatorError(f"{parameter.name}: up to {PARAMETER_WORDS} float32 go by value")
        return (ctypes.c_float * PARAMETER_WORDS).from_buffer_copy(value.tobytes().ljust(4 * PARAMETER_WORDS, b"\0"))
    if element is None:
        if isinstance(value, np.ndarray) or parameter.type not in SCALARS:
            raise EmulatorError(f"{parameter.name}: {parameter.type} cannot take {type(value).__name__}")
        if (parameter.type == "float") != isinstance(value, (float, np.floating)):
            raise EmulatorError(f"{parameter.name}: {parameter.type} cannot take {type(value).__name__}")
        return SCALARS[parameter.type](value)
    if not isinstance(value, np.ndarray) or value.dtype != ELEMENTS.get(element) or value.ndim > 3:
        found = f"{value.dtype}[{value.ndim}]" if isinstance(value, np.ndarray) else type(value).__name__
        raise EmulatorError(f"{parameter.name}: {parameter.type} cannot take {found}")
    shape = (*value.shape, 1, 1)
    return _Array(value.ctypes.data, shape[0], shape[1], shape[2])
