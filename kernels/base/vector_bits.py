"""The bits of vectors' lanes, and tests over lanes."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.base.vector import FLOAT, INT, llvm_type


@intrinsic
def vbits(typingctx, a):  # type: ignore[no-untyped-def]
    """The bits of float32 lanes as int32 lanes."""
    result = INT[a.lanes]

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def vfrom_bits(typingctx, a):  # type: ignore[no-untyped-def]
    """The float32 lanes with the bits of int32 lanes."""
    result = FLOAT[a.lanes]

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def vzero_unless(typingctx, number, a):  # type: ignore[no-untyped-def]
    """Float lanes of ``a`` where the int lane of ``number`` is not 0, elsewhere 0."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        test = builder.icmp_signed("!=", args[0], ir.Constant(args[0].type, [0] * signature.args[0].lanes))
        return builder.select(test, args[1], ir.Constant(args[1].type, [0.0] * signature.args[1].lanes))

    return a(number, a), codegen


@intrinsic
def vdiffer(typingctx, a, b):  # type: ignore[no-untyped-def]
    """Bit i of the int32 result says that lanes i of two int32 vectors differ."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        bits = builder.icmp_signed("!=", *args)
        count = args[0].type.count
        return builder.zext(builder.bitcast(bits, ir.IntType(count)), ir.IntType(32))

    return types.int32(a, b), codegen


@intrinsic
def lowest_bit(typingctx, a):  # type: ignore[no-untyped-def]
    """Number of the lowest set bit of an int32 that is not 0."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int32(a), codegen
