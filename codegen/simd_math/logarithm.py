"""log and log1p: x = 2^k m with m between sqrt(1/2) and sqrt(2), f = m - 1, and a series in f.

float32 sums a polynomial in f; float64 needs twenty terms of that, so it goes through s = f / (2 + f), where
log(1 + f) = 2 atanh(s) has a short odd series.
"""

from __future__ import annotations

import math

from .vectors import INTEGER, Math, Vec

# (log(1+f) - f + f^2/2) / f^3
LOG_F32 = (0.3333331346511841, -0.25000008940696716, 0.20002134144306183, -0.16668008267879486,
           0.14219222962856293, -0.1240510419011116, 0.11890307068824768, -0.11679821461439133, 0.06746833026409149)
# (2 atanh(s) / s - 2) / s^2 in powers of s^2
ATANH_F64 = (0.6666666666666735, 0.39999999999407454, 0.2857142874414593, 0.2222219837813162, 0.18183575181821868,
             0.15313755325298137, 0.14799070887226493)
SQRT_HALF_BITS = {True: 0x3F3504F3, False: 0x3FE6A09E667F3BCD}
# The high part has enough trailing zeros that k times it is exact.
LN2_EXACT_F32 = (0.693145751953125, 1.428606765330187e-06)
LN2_EXACT_F64 = (0.6931471805601177, -1.7239444525614835e-13)


def split(m: Math, x: Vec) -> tuple[Vec, Vec]:
    """(k, m - 1) for positive finite x, subnormal ones included even where the processor takes them for zero."""
    bits = m.bits(x)
    tiny = bits.compare("ult", 1 << m.mantissa)
    if m.single:
        number = m.emit(f"sitofp {m.int_type} {bits.name} to {m.float_type}", "f")
    else:
        number = m.from_bits(bits | 0x4330000000000000) - 2.0**52
    bits = m.select(tiny, m.bits(number), bits, INTEGER)
    distance = bits - SQRT_HALF_BITS[m.single]
    k = (distance >> m.mantissa) + m.select(tiny, -(m.bias + m.mantissa - 1), 0, INTEGER)
    fraction = m.from_bits((distance & ((1 << m.mantissa) - 1)) + SQRT_HALF_BITS[m.single])
    return k, fraction - 1.0


def _sum(m: Math, k: Vec, f: Vec) -> Vec:
    """k ln 2 + log(1 + f)."""
    n = m.small_integer_to_float(k)
    square = f * f
    if m.single:
        high, low = LN2_EXACT_F32
        rest = m.fma(square * f, m.polynomial(f, LOG_F32), m.fma(square, -0.5, n * low))
        whole = m.fma(n, high, f)
        lost = m.fma(n, high, -whole) + f  # what rounding `whole` lost: n * high is exact and not smaller than f
        return whole + (lost + rest)
    high, low = LN2_EXACT_F64
    s = f / (f + 2.0)
    z = s * s
    half = square * 0.5
    series = z * m.polynomial(z, ATANH_F64)
    return n * high - ((half - m.fma(s, half + series, n * low)) - f)


def _guard(m: Math, x: Vec, result: Vec) -> Vec:
    """0 gives -inf, negative numbers NaN, infinity and NaN themselves."""
    bits = m.bits(x)
    infinity = ((2 * m.bias + 1) << m.mantissa)
    ordinary = (bits - 1).compare("ult", infinity - 1)
    zero = (bits << 1).equals(0)
    special = m.select(zero, -math.inf, m.select(bits < 0, math.nan, x))
    return m.select(ordinary, result, special)


def log(m: Math, x: Vec) -> Vec:
    k, f = split(m, x)
    return _guard(m, x, _sum(m, k, f))


def log1p(m: Math, x: Vec) -> Vec:
    """log(u) for u = 1 + x, with what rounding u lost added to f in the scale of m."""
    u = 1.0 + x
    lost = x - (u - 1.0)
    k, f = split(m, u)
    clamped = m.select(k < m.bias - 1, k, m.bias - 1, INTEGER)
    scale = m.from_bits((m.bias << m.mantissa) - (clamped << m.mantissa))
    result = _guard(m, u, _sum(m, k, m.fma(lost, scale, f)))
    return m.select(m.abs(x) < 2.0 ** (-m.mantissa - 2), x, result)
