"""Convolutions and windows of random geometry, and ops over dimensions of unknown extent."""

import random

import numpy as np
import pytest
from op_cases import assert_near, results_of, run_description

from kcompile.ir.op import OPS, Sample
from kcompile.ir.sampling import sample_operands
from kcompile.ir.types import Dim, TensorType, f64, i64, parse_type

B, H, W = (Dim.symbol(name) for name in "BHW")


def check(name, types, attrs, symbols, operands=None, **options):
    op, sample = OPS[name], Sample(tuple(types), attrs, **options)
    operands = sample_operands(op, sample, symbols) if operands is None else operands
    for found, expected in zip(run_description(op, operands, sample, symbols), results_of(op, operands, sample, symbols), strict=True):
        assert_near(found, expected, f"{name} {types} {attrs}")


@pytest.mark.parametrize("seed", range(60))
def test_convolution(seed):
    rng = random.Random(seed)
    count = rng.choice([1, 2, 2, 2, 3])
    window, strides, dilation = (tuple(rng.randint(1, high) for _ in range(count)) for high in (4, 4, 3))
    spatial = tuple((k - 1) * d + 1 + rng.randint(0, 6) for k, d in zip(window, dilation, strict=True))
    groups = rng.choice([1, 1, 2, 3])
    x = TensorType((B, *spatial, groups * rng.randint(1, 3)), f64)
    w = TensorType((*window, x.shape[-1] // groups, groups * rng.randint(1, 3)), f64)
    attrs = {"strides": strides, "dilation": dilation, "groups": groups}
    symbols = {"B": rng.randint(1, 3)}
    padding = tuple((low := rng.randint(0, n - 1), rng.randint(0, n - 1 - low)) for n in spatial)
    (y,) = OPS["conv"].infer((x, w), {**attrs, "border": ()})
    for border in ((), padding):
        check("conv", (x, w), {**attrs, "border": border}, symbols)
        check("conv_filter_grad", (x, y), {**attrs, "kernel_spatial": window, "border": border}, symbols)
    check("conv_input_grad", (y, w), {**attrs, "input_spatial": spatial, "padding": ()}, symbols)
    inside = tuple(n - low - high for n, (low, high) in zip(spatial, padding, strict=True))
    check("conv_input_grad", (y, w), {**attrs, "input_spatial": inside, "padding": padding}, symbols)


@pytest.mark.parametrize("seed", range(60))
def test_window(seed):
    rng = random.Random(seed)
    count = rng.choice([1, 2, 2, 2, 3])
    window = tuple(rng.randint(1, 5) for _ in range(count))
    strides = window if rng.random() < 0.4 else tuple(rng.randint(1, 4) for _ in range(count))
    spatial = tuple(k + rng.randint(0, 6) for k in window)
    attrs = {"window": window, "strides": strides}
    x = TensorType((B, *spatial, rng.randint(1, 3)), f64)
    (y,) = OPS["window_max"].infer((x,), attrs)
    symbols = {"B": rng.randint(1, 3)}
    check("window_sum", (x,), attrs, symbols)
    check("window_sum_grad", (y,), {**attrs, "input_spatial": spatial}, symbols)
    for nan_every in (0, 7):
        check("window_max", (x,), attrs, symbols, nan_every=nan_every)
        check("window_max_grad", (x, y, y), attrs, symbols, nan_every=nan_every)
    values, _, dy = sample_operands(OPS["window_max_grad"], Sample((x, y, y), attrs), symbols)
    ties = np.round(values)
    best = OPS["window_max"].reference(ties, **attrs)
    check("window_max_grad", (x, y, y), attrs, symbols, [ties, best, dy])


CONV = {"strides": (1, 1), "dilation": (1, 1), "groups": 1}
LINE = {"strides": (1,), "dilation": (1,), "groups": 1}
SYMBOLIC = [
    ("conv", ["f64[B, H, W, 3]", "f64[3, 2, 3, 4]"], {**CONV, "border": ()}),
    ("conv", ["f64[B, H, W, 3]", "f64[3, 2, 3, 4]"], {**CONV, "border": ((1, 2), (0, 1))}),
    ("conv_input_grad", ["f64[B, H-2, W-1, 4]", "f64[3, 2, 3, 4]"], {**CONV, "input_spatial": (H, W), "padding": ()}),
    ("conv_input_grad", ["f64[B, H, W, 4]", "f64[3, 3, 3, 4]"], {**CONV, "input_spatial": (H, W), "padding": ((1, 1), (1, 1))}),
    ("conv_filter_grad", ["f64[B, H, W, 3]", "f64[B, H-2, W-1, 4]"], {**CONV, "kernel_spatial": (3, 2), "border": ((0, 1), (1, 0))}),
    ("conv", ["f64[B, 2*H, 3]", "f64[3, 3, 4]"], {**LINE, "strides": (2,), "border": ()}),
    ("conv_input_grad", ["f64[B, H, 4]", "f64[3, 3, 4]"], {**LINE, "strides": (2,), "input_spatial": (2 * H + 1,), "padding": ()}),
    ("conv_input_grad", ["f64[B, H-1, 4]", "f64[3, 3, 4]"], {**LINE, "strides": (2,), "input_spatial": (2 * H,), "padding": ()}),
    ("window_sum_grad", ["f64[B, H-1, 3]"], {"window": (3,), "strides": (2,), "input_spatial": (2 * H,)}),
    ("window_max", ["f64[B, 2*H, W, 3]"], {"window": (2, 1), "strides": (2, 1)}),
    ("window_max_grad", ["f64[B, 2*H, W, 3]", "f64[B, H, W, 3]", "f64[B, H, W, 3]"], {"window": (2, 1), "strides": (2, 1)}),
    ("window_max_grad", ["f64[B, H+2, W, 3]", "f64[B, H, W, 3]", "f64[B, H, W, 3]"], {"window": (3, 1), "strides": (1, 1)}),
    ("window_sum_grad", ["f64[B, H, W, 3]"], {"window": (3, 1), "strides": (1, 1), "input_spatial": (H + 2, W)}),
    *[("cumsum", ["f64[B, H]"], {"axis": 1, "exclusive": exclusive, "reverse": reverse}) for exclusive in (False, True)
      for reverse in (False, True)],
    ("slice", ["f64[B, 2*H]"], {"starts": (0, 0), "stops": (B, 2 * H), "strides": (1, 2)}),
    ("slice", ["f64[B, 2*H+1]"], {"starts": (0, 2), "stops": (B, 2 * H + 1), "strides": (1, 2)}),
    ("slice", ["f64[B, 2*H]"], {"starts": (0, H), "stops": (B, 2 * H), "strides": (1, 1)}),
    ("reverse", ["f64[B, H]"], {"axes": (0, 1)}),
    ("concat", ["f64[B, 2*H]", "f64[B, H]"], {"axis": 1}),
    ("pad", ["f64[B, H]"], {"low": (0, H), "high": (0, 1), "value": 2.0}),
    ("scatter_add", ["i32[B]", "f64[B, 2]"], {"size": H}),
    ("take", ["f64[H, 3]", "i32[B]"], {"axis": 0}),
    ("argmax", ["f64[H, B]"], {"axis": 0, "dtype": i64}),
]


@pytest.mark.parametrize(("name", "types", "attrs"), SYMBOLIC, ids=[f"{c[0]}-{n}" for n, c in enumerate(SYMBOLIC)])
def test_unknown_extents(name, types, attrs):
    for batch, height in ((1, 5), (3, 6)):
        check(name, tuple(map(parse_type, types)), attrs, {"B": batch, "H": height, "W": 7}, integer_high=40)


@pytest.mark.parametrize("extent", [1, 7, 8, 9, 63, 64, 65, 513])
@pytest.mark.parametrize("exclusive", [False, True])
def test_cumsum_of_any_length(extent, exclusive):
    check("cumsum", (TensorType((extent,), f64),), {"axis": 0, "exclusive": exclusive, "reverse": False}, {})
