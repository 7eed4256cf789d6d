"""Explicit SIMD for Numba: LLVM vectors as Numba values.

``F4``/``F8``/``F16`` hold float32 lanes, ``I4``/``I8``/``I16`` int32 lanes. A value lives in a register; arithmetic is
IEEE, lane by lane, without contraction, so a lane gives the bits that the scalar code gives on any machine.
Numba's loop and SLP vectorisers leave 27-node stencils scalar; these do not ask them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model


class VectorType(types.Type):
    """Numba type of ``lanes`` float32 ("f32") or int32 ("i32") values."""

    def __init__(self, element: str, lanes: int) -> None:
        self.element = element
        self.lanes = lanes
        super().__init__(name=f"vector_{element}x{lanes}")


F4, F8, F16 = (VectorType("f32", n) for n in (4, 8, 16))
I4, I8, I16 = (VectorType("i32", n) for n in (4, 8, 16))
FLOAT = {4: F4, 8: F8, 16: F16}
INT = {4: I4, 8: I8, 16: I16}


def llvm_type(vector: VectorType) -> ir.VectorType:
    element = ir.FloatType() if vector.element == "f32" else ir.IntType(32)
    return ir.VectorType(element, vector.lanes)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, llvm_type(fe_type))


def _mask(indices: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), indices)


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    vector = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    vector = builder.insert_element(vector, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(vector, vector, _mask([0] * lanes))


def _make_splat(lanes: int) -> Any:
    @intrinsic
    def splat(typingctx, x):  # type: ignore[no-untyped-def]
        result = FLOAT[lanes] if x == types.float32 else INT[lanes]

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return _splat(builder, args[0], lanes)

        return result(x), codegen

    return splat


splat4, splat8, splat16 = _make_splat(4), _make_splat(8), _make_splat(16)


def _element_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _make_load(lanes: int) -> Any:
    @intrinsic
    def load(typingctx, array, index):  # type: ignore[no-untyped-def]
        """Read lanes array[index : index + lanes] of a contiguous 1-D array; unaligned, unchecked."""
        result = FLOAT[lanes] if array.dtype == types.float32 else INT[lanes]

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
            value = builder.load(builder.bitcast(pointer, llvm_type(result).as_pointer()))
            value.align = 4
            return value

        return result(array, types.intp), codegen

    return load


load4, load8, load16 = _make_load(4), _make_load(8), _make_load(16)


@intrinsic
def store(typingctx, array, index, vector):  # type: ignore[no-untyped-def]
    """Write all lanes to array[index : index + lanes] of a contiguous 1-D array; unaligned, unchecked."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
        instruction = builder.store(args[2], builder.bitcast(pointer, llvm_type(signature.args[2]).as_pointer()))
        instruction.align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def vfma(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """a * b + c, rounded once, lane by lane."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{kind.count}f32"
        )
        return builder.call(function, args)

    return a(a, b, c), codegen


def _make_binary(float_op: str, int_op: str) -> Any:
    @intrinsic
    def binary(typingctx, a, b):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            name = float_op if signature.args[0].element == "f32" else int_op
            return getattr(builder, name)(*args)

        return a(a, b), codegen

    return binary


vadd, vsub, vmul = _make_binary("fadd", "add"), _make_binary("fsub", "sub"), _make_binary("fmul", "mul")
vdiv = _make_binary("fdiv", "sdiv")


@intrinsic
def vround_to_int(typingctx, a):  # type: ignore[no-untyped-def]
    """Nearest int32 (ties to even), lane by lane; every lane must lie in the int32 range."""
    result = INT[a.lanes]

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.rint.v{kind.count}f32"
        )
        return builder.fptosi(builder.call(function, args), llvm_type(result))

    return result(a), codegen


@intrinsic
def vto_float(typingctx, a):  # type: ignore[no-untyped-def]
    """int32 lanes to float32, rounded to nearest even."""
    result = FLOAT[a.lanes]

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.sitofp(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def lane(typingctx, vector, index):  # type: ignore[no-untyped-def]
    """One lane as a scalar; index is a literal."""
    scalar = types.float32 if vector.element == "f32" else types.int32

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.extract_element(args[0], builder.trunc(args[1], ir.IntType(32)))

    return scalar(vector, types.intp), codegen


def make_shuffle(indices: list[int], lanes_in: int) -> Any:
    """An intrinsic that picks lanes ``indices`` out of one (or two, concatenated) vectors."""

    @intrinsic
    def shuffle(typingctx, a):  # type: ignore[no-untyped-def]
        result = (FLOAT if a.element == "f32" else INT)[len(indices)]

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return builder.shuffle_vector(args[0], args[0], _mask(indices))

        return result(a), codegen

    return shuffle


def make_blend(indices: list[int]) -> Any:
    """An intrinsic (a, b) that picks lanes ``indices`` out of a and b, which stand end to end."""

    @intrinsic
    def blend(typingctx, a, b):  # type: ignore[no-untyped-def]
        result = (FLOAT if a.element == "f32" else INT)[len(indices)]

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return builder.shuffle_vector(args[0], args[1], _mask(indices))

        return result(a, b), codegen

    return blend


def _make_join(lanes: int) -> Any:
    return make_blend(list(range(2 * lanes)))


join4, join8 = _make_join(4), _make_join(8)  # two vectors end to end


def make_constant(values: list[float] | list[int], element: str = "f32") -> Any:
    """An intrinsic () that gives a vector of constants."""

    @intrinsic
    def constant(typingctx):  # type: ignore[no-untyped-def]
        result = (FLOAT if element == "f32" else INT)[len(values)]

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return ir.Constant(llvm_type(result), list(values))

        return result(), codegen

    return constant


def _make_unary_call(name: str) -> Any:
    @intrinsic
    def unary(typingctx, a):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            kind = args[0].type
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(kind, [kind]), f"llvm.{name}.v{kind.count}f32"
            )
            return builder.call(function, args)

        return a(a), codegen

    return unary


vfloor, vabs = _make_unary_call("floor"), _make_unary_call("fabs")
vsqrt = _make_unary_call("sqrt")


def _make_choice(float_test: str, int_test: str) -> Any:
    @intrinsic
    def choice(typingctx, a, b):  # type: ignore[no-untyped-def]
        """a where the test of a against b holds, otherwise (NaN included) b."""

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            if signature.args[0].element == "f32":
                test = builder.fcmp_ordered(float_test, *args)
            else:
                test = builder.icmp_signed(int_test, *args)
            return builder.select(test, *args)

        return a(a, b), codegen

    return choice


vmax, vmin = _make_choice(">", ">"), _make_choice("<", "<")


def _make_reduction(name: str) -> Any:
    @intrinsic
    def reduce(typingctx, a):  # type: ignore[no-untyped-def]
        """Over the int32 lanes of a vector."""

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            kind = args[0].type
            function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(kind.element, [kind]),
                f"llvm.vector.reduce.{name}.v{kind.count}i32",
            )
            return builder.call(function, args)

        return types.int32(a), codegen

    return reduce


largest, smallest = _make_reduction("smax"), _make_reduction("smin")
vand = _make_binary("and_", "and_")
vshift_right = _make_binary("ashr", "ashr")


@intrinsic
def vto_int(typingctx, a):  # type: ignore[no-untyped-def]
    """float32 lanes to int32, towards zero; every lane must lie in the int32 range."""
    result = INT[a.lanes]

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.fptosi(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def peek(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Element ``index`` (flat) of a contiguous array; unchecked, no negative indices."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_element_pointer(context, builder, signature.args[0], args[0], args[1]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def poke(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """Write element ``index`` (flat) of a contiguous array; unchecked."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        array_type, _, value_type = signature.args
        item = context.cast(builder, args[2], value_type, array_type.dtype)
        builder.store(item, _element_pointer(context, builder, array_type, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


def _make_prefetch(write: int, level: int) -> Any:
    @intrinsic
    def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]
        """Prefetch the cache line of an element, which need not exist; no effect on results."""

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
            word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
            )
            builder.call(function, [builder.bitcast(pointer, byte), word(write), word(level), word(1)])
            return context.get_dummy_value()

        return types.void(array, types.intp), codegen

    return prefetch


prefetch, prefetch_far, prefetch_write = (
    _make_prefetch(0, 3),
    _make_prefetch(0, 2),
    _make_prefetch(1, 2),
)  # far: second-level cache


@intrinsic
def keep_rolled(typingctx):  # type: ignore[no-untyped-def]
    """An empty instruction that keeps the optimiser from unrolling the loop it stands in."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], True).attributes.add("convergent")
        return context.get_dummy_value()

    return types.void(), codegen
