"""exp, expm1, tanh, sigmoid: one reduction, x = n ln 2 + r with |r| <= ln 2 / 2, and one polynomial each.

The polynomials are minimax fits of (e^r - 1 - r) / r^2, weighted for a relative error of e^r (EXP) or of e^r - 1 (EXPM1).
"""

from __future__ import annotations

import math

from kcompile.common.struct import struct

from .vectors import Math, Vec

EXP_F32 = (0.4999999403953552, 0.1666651964187622, 0.04166840389370918, 0.008368851616978645, 0.0013814271660521626)
EXPM1_F32 = (0.5, 0.1666666567325592, 0.04166635870933533, 0.008333389647305012, 0.0013940823264420033,
             0.0001984588016057387)
EXP_F64 = (0.5000000000000011, 0.16666666666666408, 0.04166666666652811, 0.008333333333497015, 0.001388888894424883,
           0.00019841269502545768, 2.480149238830423e-05, 2.755758859046294e-06, 2.7630523566618775e-07,
           2.4999806857680016e-08)
EXPM1_F64 = (0.5, 0.16666666666666677, 0.041666666666666505, 0.008333333333321515, 0.001388888888896353,
             0.0001984126988647706, 2.480158717098259e-05, 2.755724380440303e-06, 2.7557403343193004e-07,
             2.5109195044650276e-08, 2.0875305899392503e-09)
# (tanh(x)/x - 1)/x^2 in powers of x^2, for x up to TANH_SMALL
TANH_F32 = (-0.33333319425582886, 0.13332602381706238, -0.05385385453701019, 0.02107773721218109, -0.006282445043325424)
TANH_SMALL = 0.55

LOG2_E = math.log2(math.e)
LN2_F32 = (0.6931471824645996, -1.9046542121259336e-09)  # high and low part
LN2_F64 = (0.6931471805599453, 2.3190468138462996e-17)


@struct(frozen=True)
class Range:
    """Where results leave the type: `top` is the largest finite argument, `bottom` gives the smallest normal result."""

    top: float
    bottom: float
    minus_one: float  # below, expm1 rounds to -1
    tanh_one: float  # above, tanh rounds to 1
    scale_top: float  # the largest argument that reduces to an n whose 2^n is finite


F32_RANGE = Range(88.72283172607422, -87.33654022216797, -18.0, 9.1, 88.3)
F64_RANGE = Range(709.782712893384, -708.3964185322641, -38.0, 19.2, 709.0)


def _range(m: Math) -> Range:
    return F32_RANGE if m.single else F64_RANGE


def _reduce(m: Math, x: Vec) -> tuple[Vec, Vec]:
    """(r, n in the place of the exponent bits)."""
    high, low = LN2_F32 if m.single else LN2_F64
    t = m.fma(x, LOG2_E, m.magic)
    n = t - m.magic
    r = m.fma(n, -low, m.fma(n, -high, x))
    return r, m.bits(t) << m.mantissa


def _exp_of_reduced(m: Math, r: Vec) -> Vec:
    return 1.0 + m.fma(r * r, m.polynomial(r, EXP_F32 if m.single else EXP_F64), r)


def _expm1_of_reduced(m: Math, r: Vec) -> Vec:
    return m.fma(r * r, m.polynomial(r, EXPM1_F32 if m.single else EXPM1_F64), r)


def exp(m: Math, x: Vec) -> Vec:
    """Results below the smallest normal number are 0."""
    r, exponent = _reduce(m, x)
    scaled = m.from_bits(m.bits(_exp_of_reduced(m, r)) + exponent)
    scaled = m.select(x.compare("ugt", _range(m).top), x + math.inf, scaled)  # NaN too
    return m.select(x < _range(m).bottom, 0.0, scaled)


def exp_in_range(m: Math, x: Vec) -> tuple[Vec, Vec]:
    """(p, s) with e^x = p * s, for x between the range's `bottom` and `scale_top`, or NaN."""
    r, exponent = _reduce(m, x)
    return _exp_of_reduced(m, r), m.power_of_two(exponent, m.bias)


def expm1(m: Math, x: Vec) -> Vec:
    r, exponent = _reduce(m, m.at_least(x, _range(m).minus_one))
    half = m.power_of_two(exponent, m.bias - 1)  # 2^(n-1): n may be one past the largest exponent
    y = m.fma(half, _expm1_of_reduced(m, r), half - 0.5)
    y = m.select(x.compare("ugt", _range(m).top), x + math.inf, y + y)
    return m.select(m.abs(x) < 2.0 ** (-m.mantissa - 2), x, y)  # keeps -0


def tanh(m: Math, x: Vec) -> Vec:
    """float64: e / (e + 2) with e = expm1(2|x|), which has full relative accuracy down to 0.

    float32: 1 - 2 / (1 + exp(2|x|)), and an odd polynomial where that would cancel; cheaper than a second float type's
    accuracy and within 2 units in the last place, which the other formula misses.
    """
    a = m.at_most(m.abs(x), _range(m).tanh_one)
    r, exponent = _reduce(m, a + a)
    s = m.power_of_two(exponent, m.bias)
    q = _expm1_of_reduced(m, r)
    if m.single:
        large = 1.0 - 2.0 / m.fma(s, q, s + 1.0)
        z = a * a
        small = m.fma(a * z, m.polynomial(z, TANH_F32), a)
        return m.copysign(m.select(a < TANH_SMALL, small, large), x)
    e = m.fma(s, q, s - 1.0)
    return m.copysign(e / (e + 2.0), x)


def sigmoid(m: Math, x: Vec) -> Vec:
    """1 / (1 + exp(-x)), summed as (2^n q + 1) + 2^n with q = exp(r) - 1: the large terms meet last."""
    top = _range(m).scale_top
    y = m.at_least(m.at_most(-x, top), 2.0 - top)
    r, exponent = _reduce(m, y)
    s = m.power_of_two(exponent, m.bias)
    return m.select(x < -top, 0.0, 1.0 / (m.fma(s, _expm1_of_reduced(m, r), 1.0) + s))
