"""What several kernels need: exact scalar operations, own mathematics, random numbers.

Every function has the same name and the same written order of operations in each language. Results are equal to the
last bit wherever IEEE 754 binary32 holds, because only + - * / sqrt, fma, comparisons and integer operations are used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.base.cache import keep_code
from kernels.base.registry import cache_folder

F32 = np.float32
ZERO, HALF, ONE, TWO = F32(0.0), F32(0.5), F32(1.0), F32(2.0)
PI, TWO_PI = F32(3.14159265358979), F32(6.28318530717959)

# A device function is inlined into the kernel that calls it; a kernel is what a back-end launches.
device = njit(error_model="numpy", forceinline=True)


def kernel(function):
    """Compile for all threads, with a disk cache whose key covers all that the function's file imports."""
    return _kept(njit(error_model="numpy", parallel=True, nogil=True)(function))


def serial_kernel(function):
    """Compile for one thread: for a kernel with so little to do that waking others would cost more."""
    return _kept(njit(error_model="numpy", nogil=True)(function))


def _kept(dispatcher):
    return keep_code(dispatcher, cache_folder(Path(dispatcher.py_func.__code__.co_filename).stem))


@intrinsic
def fma(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """a * b + c in float32, rounded once. CUDA: __fmaf_rn."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = ir.FloatType()
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), "llvm.fma.f32")
        return builder.call(function, args)

    f = types.float32
    return f(f, f, f), codegen


@intrinsic
def round_even(typingctx, a):  # type: ignore[no-untyped-def]
    """Nearest whole float32, ties to even. CUDA: rintf."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = ir.FloatType()
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), "llvm.rint.f32")
        return builder.call(function, args)

    return types.float32(types.float32), codegen


@intrinsic
def float_bits(typingctx, a):  # type: ignore[no-untyped-def]
    """The int32 with the bits of a float32. CUDA: __float_as_int."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@intrinsic
def bits_float(typingctx, a):  # type: ignore[no-untyped-def]
    """The float32 with the bits of an int32. CUDA: __int_as_float."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@device
def floor_int(x):
    """Largest int32 not above x; |x| < 2^31, which the caller sees to: beyond it no two machines agree."""
    whole = np.int32(x)
    if F32(whole) > x:
        whole = np.int32(whole - 1)
    return whole


_LOG2_E = F32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = F32(0.693359375), F32(-2.12194440e-4)
_EXP_MAX, _EXP_MIN = F32(88.72283935546875), F32(-103.97208)
_E0, _E1, _E2 = F32(1.9875691500e-4), F32(1.3981999507e-3), F32(8.3334519073e-3)
_E3, _E4, _E5 = F32(4.1665795894e-2), F32(1.6666665459e-1), F32(5.0000001201e-1)
_INF, _NOT_A_NUMBER = F32(np.inf), F32(np.nan)


@device
def _scale_by_power_of_two(x, n):
    """x * 2^n in two exact steps, so that results below the normal range round once."""
    half = np.int32(n >> 1)
    rest = np.int32(n - half)
    x = x * bits_float(np.int32((half + 127) << 23))
    return x * bits_float(np.int32((rest + 127) << 23))


@device
def _exp_reduced(n, r):
    """e^r 2^n for |r| <= ln(2) / 2 and a little more (Cephes expf's polynomial, fused)."""
    p = fma(_E0, r, _E1)
    p = fma(p, r, _E2)
    p = fma(p, r, _E3)
    p = fma(p, r, _E4)
    p = fma(p, r, _E5)
    p = fma(p, r * r, r) + ONE
    return _scale_by_power_of_two(p, np.int32(n))


@device
def exp_f32(x):
    """e^x for every x; error below 1.05 ulp, below 0.8 ulp where the result is denormal. NaN gives NaN."""
    if not x <= _EXP_MAX:
        return x + _INF  # of NaN no whole number could be made
    if x < _EXP_MIN:
        return ZERO
    n = round_even(x * _LOG2_E)
    r = fma(n, -_LN2_HIGH, x)
    return _exp_reduced(n, fma(n, -_LN2_LOW, r))


_SQRT_HALF = F32(0.707106781186547524)
_L0, _L1, _L2 = F32(7.0376836292e-2), F32(-1.1514610310e-1), F32(1.1676998740e-1)
_L3, _L4, _L5 = F32(-1.2420140846e-1), F32(1.4249322787e-1), F32(-1.6668057665e-1)
_L6, _L7, _L8 = F32(2.0000714765e-1), F32(-2.4999993993e-1), F32(3.3333331174e-1)


_MIN_NORMAL, _MAX = F32(1.1754943508222875e-38), F32(3.4028234663852886e38)
_TWO_23, _DENORMAL_SHIFT = F32(8388608.0), F32(-23.0)


@device
def _split_f32(x):
    """(e, m) with x = m 2^e and m in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    bits = float_bits(x)
    exponent = np.int32((bits >> 23) - 126)
    m = bits_float(np.int32((bits & 0x007FFFFF) | 0x3F000000))  # [0.5, 1)
    if m < _SQRT_HALF:
        exponent = np.int32(exponent - 1)
        m = m + m
    return F32(exponent), m


@device
def log_f32(x):
    """Natural logarithm (Cephes logf's polynomial, fused); error below 0.9 ulp. 0 gives -inf, x < 0 NaN."""
    shift = ZERO
    if not (x >= _MIN_NORMAL and x <= _MAX):
        if not (x > ZERO and x <= _MAX):
            if x == ZERO:
                return -_INF
            return x if x > ZERO else _NOT_A_NUMBER
        x = x * _TWO_23
        shift = _DENORMAL_SHIFT
    e, m = _split_f32(x)
    e = e + shift
    m = m - ONE
    z = m * m
    p = fma(_L0, m, _L1)
    p = fma(p, m, _L2)
    p = fma(p, m, _L3)
    p = fma(p, m, _L4)
    p = fma(p, m, _L5)
    p = fma(p, m, _L6)
    p = fma(p, m, _L7)
    p = fma(p, m, _L8)
    y = m * z * p
    y = fma(e, _LN2_LOW, y)
    y = fma(-HALF, z, y)
    return fma(e, _LN2_HIGH, m + y)


_G0, _G1, _G2 = F32(1.0 / 13.0), F32(1.0 / 11.0), F32(1.0 / 9.0)
_G3, _G4, _G5 = F32(1.0 / 7.0), F32(1.0 / 5.0), F32(1.0 / 3.0)


@device
def pow_f32(x, y):
    """x^y as exp(y log x), the logarithm and the product in two words each; x > 0 and normal, y finite.

    Error below 1.5 ulp where |y log x| < 8, below 8 ulp elsewhere.
    log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + s^5 / 5 + ...).
    """
    e, m = _split_f32(x)
    # Divide s = (m - 1) / (m + 1) with its remainder
    f = m - ONE
    d = m + ONE
    d_low = m - (d - ONE)
    s = f / d
    s_low = fma(-s, d_low, fma(-s, d, f)) / d
    # Sum the series, then e ln 2, largest part first
    z = s * s
    q = fma(_G0, z, _G1)
    q = fma(q, z, _G2)
    q = fma(q, z, _G3)
    q = fma(q, z, _G4)
    q = fma(q, z, _G5) * z
    a = e * _LN2_HIGH
    b = s + s
    high = a + b
    low = (b - (high - a)) + fma(e, _LN2_LOW, fma(b, q, s_low + s_low))
    log_high = high + low
    log_low = low - (log_high - high)
    # Raise e to the product
    p = y * log_high
    p_low = fma(y, log_low, fma(y, log_high, -p))
    if p > _EXP_MAX:
        return _INF
    if p < _EXP_MIN:
        return ZERO
    n = round_even(p * _LOG2_E)
    r = fma(n, -_LN2_HIGH, p)
    return _exp_reduced(n, fma(n, -_LN2_LOW, r) + p_low)


_S0, _S1, _S2 = F32(-1.9515295891e-4), F32(8.3321608736e-3), F32(-1.6666654611e-1)
_C0, _C1, _C2 = F32(2.443315711809948e-5), F32(-1.388731625493765e-3), F32(4.166664568298827e-2)
_TWO_OVER_PI = F32(0.636619772367581343)
_P1, _P2, _P3 = F32(1.57079637050628662), F32(-4.37113900018624283e-8), F32(-1.71512423e-15)  # their sum is pi / 2


@device
def sin_cos_f32(x):
    """(sin x, cos x) for |x| < 2^17; error below 0.95 ulp (Cephes polynomials).

    The reduction by multiples of pi / 2 is Cody and Waite's with full words: its first fused step is exact, what the
    second one rounds off is carried along.
    """
    n = round_even(x * _TWO_OVER_PI)
    first = fma(n, -_P1, x)
    step = n * _P2
    r = first - step
    r_low = fma(n, -_P3, ((first - r) - step) - fma(n, _P2, -step))
    z = r * r
    s = r + fma(fma(fma(_S0, z, _S1), z, _S2) * z, r, r_low)
    half_z = HALF * z
    w = ONE - half_z
    c = w + fma(fma(fma(_C0, z, _C1), z, _C2), z * z, fma(-r, r_low, (ONE - w) - half_z))
    quadrant = np.int32(n) & 3
    if quadrant == 0:
        return s, c
    if quadrant == 1:
        return c, -s
    if quadrant == 2:
        return -s, -c
    return -c, s


@device
def sin_f32(x):
    return sin_cos_f32(x)[0]


@device
def cos_f32(x):
    return sin_cos_f32(x)[1]


_A, _C = np.uint32(1664525), np.uint32(1013904223)
_TO_UNIT = F32(1.0 / 16777216.0)


@device
def pcg4d(a, b, c, d):
    """Four independent uint32 from a four-word key (Jarzynski & Olano 2020, JCGT 9(3), pcg4d)."""
    a = np.uint32(np.uint32(a) * _A + _C)
    b = np.uint32(np.uint32(b) * _A + _C)
    c = np.uint32(np.uint32(c) * _A + _C)
    d = np.uint32(np.uint32(d) * _A + _C)
    a = np.uint32(a + b * d)
    b = np.uint32(b + c * a)
    c = np.uint32(c + a * b)
    d = np.uint32(d + b * c)
    a = np.uint32(a ^ (a >> np.uint32(16)))
    b = np.uint32(b ^ (b >> np.uint32(16)))
    c = np.uint32(c ^ (c >> np.uint32(16)))
    d = np.uint32(d ^ (d >> np.uint32(16)))
    a = np.uint32(a + b * d)
    b = np.uint32(b + c * a)
    c = np.uint32(c + a * b)
    d = np.uint32(d + b * c)
    return a, b, c, d


@device
def unit_float(word):
    """uint32 to a float32 in [0, 1): the upper 24 bits."""
    return F32(np.int32(word >> np.uint32(8))) * _TO_UNIT
