"""Accuracy of the elementary functions over random bit patterns and edges, in units in the last place.

References: float64 for float32, the 80-bit long double for float64 (math.erf where numpy has none). The bounds are what
was measured on several million points, rounded up a little; PROMISED is what codegen claims.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from kcompile.codegen.simd_math import FUNCTIONS
from kcompile.codegen.simd_math.trigonometric import _two_over_pi
from kcompile.ir.types import DType, f32, f64

from .native import run, ulp_errors

BOUNDS_F32 = {"exp": 1.05, "expm1": 1.5, "log": 0.85, "log1p": 1.5, "tanh": 1.5, "sigmoid": 2.0, "erf": 1.3, "sin": 1.6, "cos": 1.6,
              "pow": 0.51, "atan2": 0.51, "rsqrt": 1.5}
BOUNDS_F64 = {"exp": 1.1, "expm1": 2.0, "log": 0.9, "log1p": 1.6, "tanh": 2.6, "sigmoid": 2.4, "erf": 2.5, "sin": 0.9, "cos": 0.9,
              "pow": 2.0, "atan2": 2.0, "rsqrt": 1.6}
PROMISED = {"exp": 2, "tanh": 2, "sigmoid": 2, "erf": 2, "log": 1}
EDGES = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 0.5, -0.5, 2.0, 3.0, -3.0, 1e-30, -1e-30, 88.5, 88.72283, 89.0, -87.3, -104.0,
         709.7, 709.78, 710.0, -708.3, -745.0, 1e9, 1e20, 1e30, math.pi, math.pi / 2, -math.pi / 2, 1e308, -1e308, 5e-324, 1e-45]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


_erf = np.vectorize(math.erf, otypes=[np.float64])
REFERENCE: dict[str, Callable[..., np.ndarray]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": _sigmoid, "erf": _erf,
    "sin": np.sin, "cos": np.cos, "pow": np.power, "atan2": np.arctan2, "rsqrt": lambda x: 1 / np.sqrt(x)}


def points(dtype: DType, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random bit patterns (every exponent, NaN payloads, infinities), the ranges where functions bend, and edges."""
    words = np.uint32 if dtype == f32 else np.uint64
    patterns = rng.integers(0, np.iinfo(words).max, count, dtype=words, endpoint=True).view(dtype.numpy)
    bends = [rng.normal(size=count // 2) * scale for scale in (1e-3, 1, 5, 30, 300, 1e8)]
    near_one = 1 + rng.normal(size=count // 2) * 1e-3
    with np.errstate(all="ignore"):
        return np.concatenate([np.array(EDGES).astype(dtype.numpy), patterns, *[b.astype(dtype.numpy) for b in bends],
                               near_one.astype(dtype.numpy)])


def arguments(fn: str, dtype: DType, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    x = points(dtype, count, rng)
    if fn not in ("pow", "atan2"):
        return [x]
    a, b = (g.ravel() for g in np.meshgrid(np.array(EDGES), np.array(EDGES)))
    bases, exponents = np.exp(rng.normal(size=count) * 3), rng.normal(size=count) * 40
    with np.errstate(all="ignore"):
        return [np.concatenate([x, a, bases, -bases]).astype(dtype.numpy),
                np.concatenate([rng.permutation(x), b, exponents, np.rint(exponents)]).astype(dtype.numpy)]


@pytest.mark.parametrize("dtype", [f32, f64], ids=str)
@pytest.mark.parametrize("fn", sorted(FUNCTIONS))
def test_accuracy(fn: str, dtype: DType) -> None:
    args = arguments(fn, dtype, 20_000, np.random.default_rng(5))
    wide = np.float64 if dtype == f32 or fn == "erf" else np.longdouble
    with np.errstate(all="ignore"):
        exact = REFERENCE[fn](*[a.astype(wide) for a in args]).astype(np.longdouble if dtype == f64 else np.float64)
        errors = ulp_errors(run(fn, args, [dtype] * len(args), dtype, 16 if dtype == f32 else 8), exact)
    worst = int(np.argmax(errors))
    bound = (BOUNDS_F32 if dtype == f32 else BOUNDS_F64)[fn]
    assert errors[worst] <= bound, f"{errors[worst]} at {[a[worst] for a in args]}"
    assert dtype == f64 or bound <= PROMISED.get(fn, 4)


@pytest.mark.parametrize("dtype", [f32, f64], ids=str)
@pytest.mark.parametrize("fn", sorted(FUNCTIONS))
def test_same_bits_for_every_width(fn: str, dtype: DType) -> None:
    args = arguments(fn, dtype, 500, np.random.default_rng(6))
    results = [run(fn, args, [dtype] * len(args), dtype, lanes) for lanes in (1, 2, 3, 8, 16, 32)]
    for other in results[1:]:
        numbers = ~np.isnan(other)
        assert np.array_equal(np.isnan(results[0]), ~numbers)
        assert results[0][numbers].tobytes() == other[numbers].tobytes()


@pytest.mark.parametrize("dtype", [f32, f64], ids=str)
def test_signed_zeros_and_limits(dtype: DType) -> None:
    def at(fn: str, *values: float) -> float:
        return float(run(fn, [np.array([v], dtype.numpy) for v in values], [dtype] * len(values), dtype, 4)[0])

    for fn in ("expm1", "log1p", "tanh", "erf", "sin"):
        assert math.copysign(1, at(fn, -0.0)) == -1 and at(fn, -0.0) == 0, fn
        assert math.copysign(1, at(fn, 0.0)) == 1, fn
    assert at("exp", -math.inf) == 0 and at("exp", math.inf) == math.inf and at("exp", -0.0) == 1
    assert at("log", 0.0) == at("log", -0.0) == -math.inf and math.isnan(at("log", -1.0)) and at("log", 1.0) == 0
    assert at("sigmoid", -math.inf) == 0 and at("sigmoid", math.inf) == 1 and at("tanh", -math.inf) == -1 and at("erf", math.inf) == 1
    assert math.isnan(at("sin", math.inf)) and math.isnan(at("cos", -math.inf))
    assert math.copysign(1, at("atan2", -0.0, 1.0)) == -1
    assert at("atan2", -0.0, -1.0) == -float(dtype.numpy.type(math.pi)) == -at("atan2", 0.0, -0.0)
    assert at("pow", -2.0, 3.0) == -8 and at("pow", -0.0, -1.0) == -math.inf and at("pow", math.nan, 0.0) == 1 == at("pow", 1.0, math.nan)
    assert math.isnan(at("pow", -2.0, 0.5)) and at("pow", -1.0, math.inf) == 1


def test_large_angles() -> None:
    """Where a reduction with a few parts of pi has no correct bit left: the doubles nearest to multiples of pi/2, and the largest ones."""
    x = np.array([6381956970095103 * 2.0**797, 5.319372648326541e255, 1e300, 1.7e308, 2.0**1023, 2.0**30, 2.0**30 + 1, 2.0**31.5])
    exact = [np.sin(x.astype(np.longdouble)), np.cos(x.astype(np.longdouble))]
    for fn, wanted in zip(("sin", "cos"), exact, strict=True):
        assert ulp_errors(run(fn, [x], [f64], f64, 4), wanted).max() <= 0.9
    close = run("cos", [x[:1]], [f64], f64, 1)[0]
    assert close == -4.687165924254628e-19, "the known worst case of double reduction"


def test_digits_of_two_over_pi() -> None:
    assert _two_over_pi(64) == 0xA2F9836E4E441529
    assert _two_over_pi(1280) >> 1152 == 0xA2F9836E4E441529FC2757D1F534DDC0
