"""A sample of what exhaustive.py measures on every float32: both sides of every power of two, of zero and of infinity, a stride
through all bit patterns, and the worst arguments known. The bounds are those of docs/accuracy.md."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile.codegen.target import Target

from .exhaustive import FUNCTIONS, SIGN, SMALLEST_NORMAL, Measure, Native, Reference, Worst, blocks, edges, sweep

STRIDE = 20011  # a prime, so that the low bits of the patterns vary
BOUNDS = {"exp": 1.05, "log": 0.85, "tanh": 1.5, "sigmoid": 2.0, "erf": 1.3, "sqrt": 0.5, "rsqrt": 1.5, "sin": 1.6, "cos": 1.6}
WORST_KNOWN = {
    "exp": (0xC0BB44A2, 0x42171D54), "log": (0x3FB2FC9D, 0x3F33F1D4), "tanh": (0x3F0F4246, 0x3F0E10B3), "sigmoid": (0xB9B58FE9, 0xB9B45E2A),
    "erf": (0x3F897380, 0x3F87305D),
    "rsqrt": (0x74818675, 0x0080CAB3), "sin": (0x64C7335A, 0x689D87E9, 0x6D7852C5), "cos": (0x55CA952C, 0x648923B7, 0x7475D80E)}


def worst_of(name: str, pieces: list[np.ndarray]) -> dict[str, Worst]:
    targets = ("host", "avx2", "scalar")
    natives = {t: Native(name, Target.named(t)) for t in targets}
    worst = {t: Worst() for t in targets}
    for patterns in pieces:
        sweep(name, Reference(name), natives, Measure(), patterns, worst)
    return worst


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sample(name: str) -> None:
    known = [np.full(32, bits & ~SIGN & 0xFFFFFFFF, np.uint32) for bits in WORST_KNOWN.get(name, ())]
    for target, worst in worst_of(name, [*edges(), *blocks(STRIDE), *known]).items():
        assert worst.ulps <= BOUNDS[name], f"{target}: {worst.ulps} ULP at {worst.argument!r}"
    bar = FUNCTIONS[name].bar
    assert bar is None or BOUNDS[name] <= bar


@pytest.mark.parametrize("got, exact, error", [
    (1.0, 1.0, 0.0), (1.0, 1.0 + 2.0**-24, 0.5), (2.0, 2.0 - 2.0**-23, 1.0), (math.inf, math.inf, 0.0), (math.inf, 1e38, math.inf),
    (math.nan, math.nan, 0.0), (math.nan, 1.0, math.inf), (1.0, math.nan, math.inf), (0.0, -0.0, math.inf), (-0.0, -0.0, 0.0),
    (0.0, 1e-40, 0.0), (0.0, 2.0**-126, 2.0**23), (math.inf, 1e39, 0.0)])
def test_errors_are_measured_right(got: float, exact: float, error: float) -> None:
    measured, not_nearest = Measure()(np.full(8, got, np.float32), np.full(8, exact))
    assert measured == error and not_nearest == (8 if error > 0.5 else 0)


def test_an_error_in_one_place_is_found() -> None:
    exact = np.linspace(1, 2, 64)
    got = exact.astype(np.float32)
    got[37] += 2.0**-20
    measure = Measure()
    largest, _ = measure(got, exact)
    assert largest > 7 and measure.place(got, exact, largest) == 37


def test_blocks_have_subnormals_alone() -> None:
    for patterns in [*edges(), *blocks(100_003)]:
        assert len(patterns) % 32 == 0 and (patterns[-1] < SMALLEST_NORMAL) == (patterns[0] < SMALLEST_NORMAL)


def test_flushed_subnormals_are_written_down() -> None:
    """Native code of a step flushes; an op's own text says so, where it computes."""
    from kcompile.ir.op import OPS
    from kcompile.ir.subnormals import FLUSHED

    tiny = np.full(32, 1e-40, np.float32)
    assert FUNCTIONS["sqrt"].exact(np.float64(tiny[0])) > 0 and not Native("sqrt", Target.host())(tiny).any()
    assert all(OPS[name].text.endswith(FLUSHED) for name in FUNCTIONS) and not OPS["neg"].text.endswith(FLUSHED)
