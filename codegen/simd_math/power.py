"""pow: exp(y log x), with the logarithm in two parts where the result is float64."""

from __future__ import annotations

import math

from ...ir.types import f64
from ..text_builder import Writer
from .exponential import LN2_F64, exp
from .logarithm import split
from .vectors import Math, Vec, narrow, widen

# ((2 atanh(s)/s - 2)/s^2 - 2/3)/s^2 in powers of s^2
ATANH_REST = (0.4000000000000007, 0.28571428571233976, 0.2222222231109546, 0.18181802735365646, 0.15385918799799259,
              0.13276009065453648, 0.1302211491381894)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def pow(m: Math, x: Vec, y: Vec) -> Vec:
    """x to the power y with C's special cases. A float32 result is a float64 one rounded."""
    if m.single:
        double = Math(m.w, f64, m.lanes)
        return narrow(_pow(double, widen(x, double), widen(y, double)), m)
    return _pow(m, x, y)


def _two_product(m: Math, a: Vec, b: Vec | float) -> tuple[Vec, Vec]:
    high = a * b
    return high, m.fma(a, b, -high)


def _logarithm(m: Math, a: Vec) -> tuple[Vec, Vec]:
    """log(a) as a sum of two doubles with about 66 correct bits, for a > 0 and finite."""
    k, f = split(m, a)
    n = m.small_integer_to_float(k)
    below = f + 2.0
    lost = f - (below - 2.0)  # 2 + f in two parts
    s = f / below
    s_low = (m.fma(-s, below, f) - s * lost) / below
    z, z_low = _two_product(m, s, s)
    z_low = m.fma(s + s, s_low, z_low)
    # series = (2/3) z + z^2 * rest, then log(1 + f) = s * (2 + series)
    rest = z * z * m.polynomial(z, ATANH_REST)
    third, third_low = _two_product(m, z, TWO_THIRDS[0])
    third_low = m.fma(z, TWO_THIRDS[1], m.fma(z_low, TWO_THIRDS[0], third_low))
    series = third + rest
    series_low = ((third - series) + rest) + third_low
    total, total_low = _two_product(m, s, series)
    total_low = m.fma(s, series_low, m.fma(s_low, series, total_low)) + (s_low + s_low)
    twice = s + s
    high = twice + total
    low = ((twice - high) + total) + total_low
    # + k ln 2
    part, part_low = _two_product(m, n, LN2_F64[0])
    part_low = m.fma(n, LN2_F64[1], part_low)
    whole = part + high
    back = whole - part
    whole_low = (part - (whole - back)) + (high - back)
    return whole, whole_low + (part_low + low)


def _pow(m: Math, x: Vec, y: Vec) -> Vec:
    a = m.abs(x)
    high, low = _logarithm(m, a)
    ordinary = (m.bits(a) - 1).compare("ult", ((2 * m.bias + 1) << m.mantissa) - 1)  # neither 0, infinite nor NaN
    high = m.select(ordinary, high, m.select(a.equals(0.0), -math.inf, a))
    product, lost = _two_product(m, y, high)
    correction = m.fma(y, low, lost)
    usable = ordinary & (m.abs(product) < 800.0)
    power = exp(m, product)
    power = m.select(usable, m.fma(power, m.select(usable, correction, 0.0), power), power)
    # An infinite power times (1 + a negative correction) must stay infinite, so must 0: fma above keeps both.
    power = m.select(m.abs(power).equals(math.inf) | power.is_nan() & usable, m.select(usable, math.inf, power), power)
    one = y.equals(0.0) | x.equals(1.0) | (a.equals(1.0) & m.abs(y).equals(math.inf))
    power = m.select(one, 1.0, power)
    whole = m.floor(y).equals(y)
    half = y * 0.5
    odd = whole & m.floor(half).compare("une", half) & (m.abs(y) < 2.0**53)
    negative = m.bits(x) < 0
    power = m.select(negative & odd, -power, power)
    finite_base = ordinary & (x < 0.0)
    return m.select(finite_base & (whole ^ True), math.nan, power)


def integer_pow(w: Writer, args: list[str], signed: bool, bits: int, lanes: int) -> str:
    """Power modulo 2^bits by squaring; 0 where the exponent is negative."""
    element = f"i{bits}"
    t = element if lanes == 1 else f"<{lanes} x {element}>"
    flag = "i1" if lanes == 1 else f"<{lanes} x i1>"
    suffix = ("" if lanes == 1 else f"v{lanes}") + element
    name = f"kc.pow_{'s' if signed else 'u'}.{suffix}"

    def const(value: int) -> str:
        return str(value) if lanes == 1 else f"splat ({element} {value})"

    f = Writer()
    f.raw(f"define internal {t} @{name}({t} %x, {t} %n) {{")
    f.label("entry")
    f.line("br label %squaring")
    f.label("squaring")
    f.line("%step = phi i32 [ 0, %entry ], [ %step.next, %squaring ]")
    f.line(f"%total = phi {t} [ {const(1)}, %entry ], [ %total.next, %squaring ]")
    f.line(f"%base = phi {t} [ %x, %entry ], [ %base.next, %squaring ]")
    f.line(f"%rest = phi {t} [ %n, %entry ], [ %rest.next, %squaring ]")
    f.line(f"%low = and {t} %rest, {const(1)}")
    f.line(f"%odd = icmp ne {t} %low, {const(0)}")
    f.line(f"%more = mul {t} %total, %base")
    f.line(f"%total.next = select {flag} %odd, {t} %more, {t} %total")
    f.line(f"%base.next = mul {t} %base, %base")
    f.line(f"%rest.next = lshr {t} %rest, {const(1)}")
    f.line("%step.next = add i32 %step, 1")
    f.line(f"%again = icmp ult i32 %step.next, {bits}")
    f.line("br i1 %again, label %squaring, label %done")
    f.label("done")
    result = "%total.next"
    if signed:
        below = f.value(f"icmp slt {t} %n, {const(0)}")
        result = f.value(f"select {flag} {below}, {t} {const(0)}, {t} %total.next")
    f.line(f"ret {t} {result}")
    f.raw("}")
    w.declare(f.text().rstrip("\n"))
    return w.value(f"call {t} @{name}({t} {args[0]}, {t} {args[1]})")
