"""Whether two versions of a kernel, on any two back-ends, left the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bench.backend.protocol import Backend
from kernels.base.kernel import Kernel

Arguments = dict[str, object]  # of a kernel, by name: arrays on the host and numbers


def copied(arguments: Mapping[str, object]) -> Arguments:
    """The same arguments, arrays copied."""
    return {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in arguments.items()}


def differences(
    kernel: Kernel, want: Mapping[str, object], got: Mapping[str, object], any_nan: bool = False
) -> list[str]:
    """One line for each array whose bits differ; scratch is not looked at.

    ``unordered`` arrays are compared as sets of rows, ``summed`` ones by their sums over rows. With ``any_nan``, every
    NaN is the same: processors do not agree on its bits.
    """
    return [
        f"{name}: {_in_words(name in kernel.unordered, expected, found)}"
        for name, expected, found in _unequal(kernel, want, got, any_nan)
    ]


def different_arrays(kernel: Kernel, want: Mapping[str, object], got: Mapping[str, object]) -> list[str]:
    """Names of the arrays that ``differences`` has a line for."""
    return [name for name, _, _ in _unequal(kernel, want, got, any_nan=False)]


def _unequal(
    kernel: Kernel, want: Mapping[str, object], got: Mapping[str, object], any_nan: bool
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, wanted, found) of arrays that are not the same by what their kernel states of them."""
    for name, expected in want.items():
        found = got[name]
        if found is expected or not isinstance(expected, np.ndarray) or name in kernel.scratch:
            continue
        assert isinstance(found, np.ndarray), name
        if name in kernel.summed:
            expected, found = expected.sum(axis=0), found.sum(axis=0)
        if any_nan:
            expected, found = _one_nan(expected), _one_nan(found)
        if _equal_bits(expected, found):
            continue
        may_change_places = name in kernel.unordered and expected.shape == found.shape
        if may_change_places and _equal_bits(in_order(expected), in_order(found)):
            continue
        yield name, expected, found


def unequal_elements(a: np.ndarray, b: np.ndarray, any_nan: bool = False) -> np.ndarray:
    """bool, of the arrays' shape: which elements differ in a bit."""
    if any_nan:
        a, b = _one_nan(a), _one_nan(b)
    return np.asarray(_bits(a) != _bits(b))


def _one_nan(array: np.ndarray) -> np.ndarray:
    """The array with the same bits in every NaN."""
    return np.where(np.isnan(array), np.float32(np.nan), array) if array.dtype == np.float32 else array


def _bits(array: np.ndarray) -> np.ndarray:
    """The array's words as whole numbers; a copy only of what is not contiguous."""
    whole = np.ascontiguousarray(array).reshape(array.shape)
    return whole.view(f"u{array.itemsize}")


def _equal_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and np.array_equal(_bits(a), _bits(b))


def in_order(array: np.ndarray) -> np.ndarray:
    """The rows' bits, sorted."""
    rows = _bits(array).reshape(len(array), -1)
    return rows[np.lexsort(rows.T[::-1])]


def _in_words(unordered: bool, expected: np.ndarray, found: np.ndarray) -> str:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return f"expected {expected.dtype}{expected.shape}, found {found.dtype}{found.shape}"
    if unordered:
        return "its rows differ"
    at = np.flatnonzero(unequal_elements(expected, found))
    place = tuple(int(n) for n in np.unravel_index(int(at[0]), expected.shape))
    return f"{len(at)} of {expected.size} differ, the first at {place}: {expected[place]!r} became {found[place]!r}"


def on_cpu(kernel: Kernel, arguments: Mapping[str, object], threads: int) -> Arguments:
    """The arguments after a run of the Numba version on copies of them."""
    import numba

    written = copied(arguments)
    numba.set_num_threads(threads)
    kernel.cpu(*[written[name] for name in kernel.argument_names])
    return written


def on_device(kernel: Kernel, arguments: Mapping[str, object], backend: Backend) -> Arguments:
    """The arguments after a run on a back-end, on the host again."""
    held = held_by(backend, kernel, arguments)
    backend.launch(kernel, *[held[name] for name in kernel.argument_names])
    backend.synchronize()
    return fetched(backend, kernel, arguments, held)


def fetched(backend: Backend, kernel: Kernel, arguments: Mapping[str, object], held: Arguments) -> Arguments:
    """What ``held_by`` made of the arguments, on the host again."""
    crossed = {name for name, value in arguments.items() if _crosses(kernel, name, value)}
    return {name: backend.host(value) if name in crossed else value for name, value in held.items()}


def held_by(backend: Backend, kernel: Kernel, arguments: Mapping[str, object]) -> Arguments:
    """A kernel's arguments with their arrays on a back-end, but for those that it gets by value."""
    return {
        name: backend.array(value) if isinstance(value, np.ndarray) and _crosses(kernel, name, value) else value
        for name, value in arguments.items()
    }


def _crosses(kernel: Kernel, name: str, value: object) -> bool:
    return isinstance(value, np.ndarray) and name not in kernel.by_value
