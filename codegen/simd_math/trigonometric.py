"""sin, cos and atan2.

Arguments are reduced by pi/2 in float64 (for float32 too): three parts of pi/2 and fused multiply-adds up to 2^30, and
above that an exact integer product with the bits of 2/pi, one lane at a time.
"""

from __future__ import annotations

import functools
import math

from ...ir.types import f64
from ..text_builder import Writer
from .vectors import INTEGER, Math, Vec, narrow, widen

# (sin(r)/r - 1)/r^2 and (cos(r) - 1 + r^2/2)/r^4 in powers of r^2, for r up to pi/4
SIN_F32 = (-0.1666666716337204, 0.008333329111337662, -0.00019839331798721105, 2.718275254665059e-06)
COS_F32 = (0.0416666679084301, -0.0013888883404433727, 2.4799515813356265e-05, -2.7209887321077986e-07)
SIN_F64 = (-0.16666666666666666, 0.008333333333333323, -0.00019841269841255064, 2.75573192141881e-06,
           -2.505210491096697e-08, 1.6058366546167146e-10, -7.578693720753024e-13)
COS_F64 = (0.0416666666666666, -0.0013888888888874064, 2.4801587289443333e-05, -2.755731434060556e-07,
           2.0875721615287052e-09, -1.135955885277521e-11)
# (atan(r)/r - 1)/r^2 in powers of r^2, for r up to tan(pi/8)
ATAN_F64 = (-0.33333333333333326, 0.1999999999999769, -0.14285714285390505, 0.11111111088333492, -0.09090908150150309,
            0.07692282885888233, -0.06666228637849032, 0.058770402291387025, -0.052185231416181845,
            0.04504032743468052, -0.033485719505110145, 0.015206602702191156)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
LARGE = 2.0**30


def sin(m: Math, x: Vec) -> Vec:
    return _circular(m, x, 0)


def cos(m: Math, x: Vec) -> Vec:
    return _circular(m, x, 1)


def _circular(m: Math, x: Vec, shift: int) -> Vec:
    """sin of x + shift * pi/2."""
    double = Math(m.w, f64, m.lanes)
    wide = widen(x, double) if m.single else x
    high, low, quadrant = _reduce(double, wide)
    quadrant = quadrant + shift
    odd, negative = ((quadrant & bit).compare("ne", 0) for bit in (1, 2))
    if m.single:
        r = narrow(high, m)
        z = r * r
        sine = m.fma(r * z, m.polynomial(z, SIN_F32), r)
        cosine = m.fma(z * z, m.polynomial(z, COS_F32), m.fma(z, -0.5, 1.0))
    else:
        r = high
        z = r * r
        half = z * 0.5
        sine = r + m.fma(r * z, m.polynomial(z, SIN_F64), low * (1.0 - half))
        whole = 1.0 - half
        cosine = whole + (((1.0 - whole) - half) + m.fma(z * z, m.polynomial(z, COS_F64), -(r * low)))
    value = m.select(odd, cosine, sine)
    value = m.select(negative, -value, value)
    if shift == 0:
        value = m.select(m.abs(x) < 2.0 ** (-m.mantissa // 2 - 2), x, value)  # keeps -0
    return m.select(m.abs(x).equals(math.inf), math.nan, value)


def _reduce(m: Math, x: Vec) -> tuple[Vec, Vec, Vec]:
    """(r high, r low, quadrant) of x - quadrant * pi/2; a branch goes lane by lane where some |x| >= LARGE.

    Only for helper functions: it starts new blocks. The caller's block is named 'entry'.
    """
    w = m.w
    t = m.fma(x, 2.0 / math.pi, m.magic)
    n = t - m.magic
    first = m.fma(n, -HALF_PI[0], x)  # exact
    product = n * HALF_PI[1]
    lost = m.fma(n, HALF_PI[1], -product)
    high = first - product
    back = high - first
    low = ((first - (high - back)) - (product + back)) - m.fma(n, HALF_PI[2], lost)
    quadrant = m.bits(t)
    large = m.abs(x).compare("oge", LARGE)
    anywhere = large.name if m.lanes == 1 else w.call("i1", f"llvm.vector.reduce.or.v{m.lanes}i1", (m.bool_type, large.name))
    w.line(f"br i1 {anywhere}, label %lanes, label %join")
    w.declare(_large_reduction())
    w.label("lanes")
    w.line("%lane = phi i32 [ 0, %entry ], [ %next, %lanes ]")
    names = ("high", "low", "quadrant")
    kinds = (m.float_type, m.float_type, m.int_type)
    for name, kind, start in zip(names, kinds, (high, low, quadrant), strict=True):
        w.line(f"%{name} = phi {kind} [ {start.name}, %entry ], [ %{name}.new, %lanes ]")
    element, chosen = x.name, large.name
    if m.lanes > 1:
        element = w.value(f"extractelement {m.float_type} {x.name}, i32 %lane")
        chosen = w.value(f"extractelement {m.bool_type} {large.name}, i32 %lane")
    parts = w.value(f"call {{double, double, i64}} @kc.reduce_large(double {element})")
    for index, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        part = w.value(f"extractvalue {{double, double, i64}} {parts}, {index}")
        scalar = "i64" if name == "quadrant" else "double"
        if m.lanes > 1:
            part = w.value(f"insertelement {kind} %{name}, {scalar} {part}, i32 %lane")
        w.line(f"%{name}.new = select i1 {chosen}, {kind} {part}, {kind} %{name}")
    w.line("%next = add i32 %lane, 1")
    w.line(f"%more = icmp ult i32 %next, {m.lanes}")
    w.line("br i1 %more, label %lanes, label %join")
    w.label("join")
    out = [w.value(f"phi {kind} [ {start.name}, %entry ], [ %{name}.new, %lanes ]")
           for name, kind, start in zip(names, kinds, (high, low, quadrant), strict=True)]
    return m.vec(out[0]), m.vec(out[1]), m.vec(out[2], INTEGER)


@functools.cache
def _large_reduction() -> str:
    """@kc.reduce_large: x = m 2^e (integers); 192 bits of 2/pi from the right place times m are x / (pi/2) modulo 4.

    The window starts at bit 2 - e of 2/pi (earlier bits contribute multiples of 4), which lies 1216 bits deep at most.
    The fraction is taken to the nearest integer, so that |r| <= pi/4, and its first 128 significant bits are used.
    """
    depth = 1024 + 192
    digits = _two_over_pi(depth + 64)
    table = digits.to_bytes((depth + 64) // 8, "big")
    content = "".join(f"\\{byte:02X}" for byte in table)
    # digits / 2^(depth+64) = 2/pi; bit b (weight 2^-b) is bit b-1 of the big-endian table.
    w = Writer()
    w.raw(f"@kc.two_over_pi = internal constant [{len(table)} x i8] c\"{content}\"")
    w.raw("define internal {double, double, i64} @kc.reduce_large(double %x) {")
    w.label("entry")
    w.line("%bits = bitcast double %x to i64")
    w.line("%field = lshr i64 %bits, 52")
    w.line("%biased = and i64 %field, 2047")
    w.line("%low = and i64 %bits, 4503599627370495")
    w.line("%m = or i64 %low, 4503599627370496")
    # x = m * 2^(biased - 1075). Bits of weight 2^-b with b <= e - 2 vanish modulo 4: the window starts at bit e - 1 (0-based e - 2).
    w.line("%e = sub i64 %biased, 1075")
    w.line("%start.raw = sub i64 %e, 2")
    # |x| >= 2^30 has e >= -22: below bit 0 the table is preceded by zeros, which a right shift supplies.
    w.line("%before = icmp slt i64 %start.raw, 0")
    w.line("%start = select i1 %before, i64 0, i64 %start.raw")
    w.line("%short.raw = sub i64 0, %start.raw")
    w.line("%short = select i1 %before, i64 %short.raw, i64 0")
    w.line("%byte.raw = lshr i64 %start, 3")
    w.line(f"%byte.in = icmp ult i64 %byte.raw, {len(table) - 32}")
    w.line(f"%byte = select i1 %byte.in, i64 %byte.raw, i64 {len(table) - 32}")
    w.line("%bit = and i64 %start, 7")
    w.line("%p = getelementptr i8, ptr @kc.two_over_pi, i64 %byte")
    w.line("%loaded = load i256, ptr %p, align 1")
    w.declare("declare i256 @llvm.bswap.i256(i256)")
    w.line("%big = call i256 @llvm.bswap.i256(i256 %loaded)")
    w.line("%bit.wide = zext i64 %bit to i256")
    w.line("%aligned = shl i256 %big, %bit.wide")
    w.line("%short.wide = zext i64 %short to i256")
    w.line("%window.wide = lshr i256 %aligned, %short.wide")
    w.line("%window.top = lshr i256 %window.wide, 64")
    w.line("%window = trunc i256 %window.top to i192")
    w.line("%m.wide = zext i64 %m to i192")
    w.line("%product = mul i192 %window, %m.wide")
    w.line(f"%rounded = add i192 %product, {1 << 189}")
    w.line("%quadrant.wide = lshr i192 %rounded, 190")
    w.line("%quadrant = trunc i192 %quadrant.wide to i64")
    w.line("%whole = shl i192 %quadrant.wide, 190")
    w.line("%fraction = sub i192 %product, %whole")  # a signed fraction of 2^190
    w.line("%below = icmp slt i192 %fraction, 0")
    w.line("%negated = sub i192 0, %fraction")
    w.line("%size = select i1 %below, i192 %negated, i192 %fraction")
    w.declare("declare i192 @llvm.ctlz.i192(i192, i1)")
    w.line("%zeros = call i192 @llvm.ctlz.i192(i192 %size, i1 false)")
    w.line("%normal = shl i192 %size, %zeros")
    # 53 + 53 leading bits as two doubles, scaled by 2^-(zeros - 2).
    w.line("%head.wide = lshr i192 %normal, 139")
    w.line("%head = trunc i192 %head.wide to i64")
    w.line("%tail.wide = lshr i192 %normal, 86")
    w.line("%tail.all = trunc i192 %tail.wide to i64")
    w.line("%tail = and i64 %tail.all, 9007199254740991")
    w.line("%head.float = uitofp i64 %head to double")
    w.line("%tail.float = uitofp i64 %tail to double")
    w.line("%zeros.narrow = trunc i192 %zeros to i64")
    w.line("%power = sub i64 972, %zeros.narrow")  # head has weight 2^(192-53-zeros-190) = 2^(-51-zeros)
    w.line("%power.bits = shl i64 %power, 52")
    w.line("%scale = bitcast i64 %power.bits to double")
    w.line("%head.scaled = fmul double %head.float, %scale")
    w.line("%tail.raw = fmul double %tail.float, %scale")
    w.line("%tail.scaled = fmul double %tail.raw, 0x3CA0000000000000")  # 2^-53
    # (head + tail) * pi/2 in double-double
    w.declare("declare double @llvm.fma.f64(double, double, double)")
    high, low = (Math(w, f64, 1).operand(part, "f") for part in HALF_PI[:2])
    w.line(f"%r = fmul double %head.scaled, {high}")
    w.line("%r.negative = fneg double %r")
    w.line(f"%r.lost = call double @llvm.fma.f64(double %head.scaled, double {high}, double %r.negative)")
    w.line(f"%r.second = call double @llvm.fma.f64(double %head.scaled, double {low}, double %r.lost)")
    w.line(f"%r.low = call double @llvm.fma.f64(double %tail.scaled, double {high}, double %r.second)")
    w.line("%flip = xor i1 %below, false")
    w.line("%x.negative = icmp slt i64 %bits, 0")
    w.line("%opposite = xor i1 %flip, %x.negative")
    w.line("%high.minus = fneg double %r")
    w.line("%low.minus = fneg double %r.low")
    w.line("%high.out = select i1 %opposite, double %high.minus, double %r")
    w.line("%low.out = select i1 %opposite, double %low.minus, double %r.low")
    w.line("%quadrant.minus = sub i64 0, %quadrant")
    w.line("%quadrant.out = select i1 %x.negative, i64 %quadrant.minus, i64 %quadrant")
    w.line("%o1 = insertvalue {double, double, i64} poison, double %high.out, 0")
    w.line("%o2 = insertvalue {double, double, i64} %o1, double %low.out, 1")
    w.line("%o3 = insertvalue {double, double, i64} %o2, i64 %quadrant.out, 2")
    w.line("ret {double, double, i64} %o3")
    w.raw("}")
    return w.text().rstrip("\n")


def _two_over_pi(bits: int) -> int:
    """floor(2/pi * 2^bits), with pi from Machin's formula in integers."""
    guard = bits + 64
    one = 1 << guard

    def arctan_of_inverse(n: int) -> int:
        term = total = one // n
        k = 1
        while term:
            term //= n * n
            k += 2
            total += -(term // k) if k % 4 == 3 else term // k
        return total

    pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
    return (2 << (2 * guard)) // pi >> (guard - bits)


def atan2(m: Math, y: Vec, x: Vec) -> Vec:
    """The angle of (x, y); computed in float64."""
    if m.single:
        double = Math(m.w, f64, m.lanes)
        return narrow(_atan2(double, widen(y, double), widen(x, double)), m)
    return _atan2(m, y, x)


def _atan2(m: Math, y: Vec, x: Vec) -> Vec:
    ax, ay = m.abs(x), m.abs(y)
    steep = ay > ax
    large, small = m.select(steep, ay, ax), m.select(steep, ax, ay)
    infinite = large.equals(math.inf)
    small = m.select(infinite, m.select(small.equals(math.inf), 1.0, 0.0), small)
    large = m.select(infinite, 1.0, large)
    huge = large > 2.0**1020
    large, small = (m.select(huge, v * 2.0**-4, v) for v in (large, small))
    wide = small > large * (math.sqrt(2.0) - 1.0)  # atan(a) = pi/4 + atan((a - 1) / (a + 1))
    r = m.select(wide, small - large, small) / m.select(wide, small + large, large)
    r = m.select(large.equals(0.0), 0.0, r)
    z = r * r
    series = r * z * m.polynomial(z, ATAN_F64)
    quarter, rest = m.select(wide, HALF_PI[0] / 2, 0.0), m.select(wide, HALF_PI[1] / 2, 0.0)
    high = quarter + r
    low = (r - (high - quarter)) + (series + rest)
    # pi/2 - angle where y is the larger, pi - angle where x is negative
    turned = HALF_PI[0] - high
    turned_low = ((HALF_PI[0] - turned) - high) + (HALF_PI[1] - low)
    high, low = m.select(steep, turned, high), m.select(steep, turned_low, low)
    backward = m.bits(x) < 0
    turned = 2 * HALF_PI[0] - high
    turned_low = ((2 * HALF_PI[0] - turned) - high) + (2 * HALF_PI[1] - low)
    high, low = m.select(backward, turned, high), m.select(backward, turned_low, low)
    angle = m.copysign(high + low, y)
    return m.select(x.compare("uno", y), x + y, angle)
