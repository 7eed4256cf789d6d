"""Dynamic scheduling: a kernel has as many tasks as threads, each takes the next piece when it is done with one.

Pieces begin long, so that a thread reads and writes memory in a row, and become short, so that all threads end together
(factoring: Hummel, Schonberg and Flynn 1992).

None of this may take part in a result.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def thread_count(typingctx):  # type: ignore[no-untyped-def]
    """Threads that the next ``prange`` runs on; numba.get_num_threads() in a form that the disk cache can hold."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(64), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "get_num_threads"), [])

    return types.int64(), codegen


@intrinsic
def fetch_add(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """Atomically add to an int64 element of a 1-D array and give its old value."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "monotonic")

    return types.int64(array, types.intp, types.int64), codegen


LEAST_PIECE = 4  # items that a thread takes at the end


@njit(error_model="numpy")
def new_pieces(threads):
    """The shared counter of a loop on ``threads`` threads."""
    state = np.zeros(2, np.int64)
    state[1] = threads
    return state


@njit(error_model="numpy")
def next_piece(state, items):
    """First item of the calling thread's next piece and the one after its last; two equal ones when all are taken.

    In each round there is one piece for each thread, and all of them together are half of what is left.
    """
    ticket = fetch_add(state, 0, 1)
    threads = state[1]
    begin = 0
    while begin < items:
        size = max((items - begin) // (2 * threads), LEAST_PIECE)
        if ticket < threads:
            return min(begin + ticket * size, items), min(begin + (ticket + 1) * size, items)
        ticket -= threads
        begin += threads * size
    return items, items
