"""Values that the texts of the ops promise: ties, NaN, zero divisors, clamped indices, wide accumulation."""

import ml_dtypes
import numpy as np
import pytest
from op_cases import run_description

from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.op import OPS, Sample
from kcompile.ir.types import DTYPES, TensorType, dtype_of, i64, parse_type

NAN = float("nan")


def both(name, *arrays, **attrs):
    """The reference's result, checked to be what the description gives."""
    arrays = [np.asarray(a) for a in arrays]
    sample = Sample(tuple(TensorType(a.shape, dtype_of(a)) for a in arrays), attrs)
    expected = OPS[name].reference(*arrays, **attrs)
    (found,) = run_description(OPS[name], arrays, sample, {})
    np.testing.assert_array_equal(found, expected)
    return expected


def f(*values):
    return np.array(values, np.float32)


def i(*values):
    return np.array(values, np.int32)


@pytest.mark.parametrize(("name", "a", "b", "expected"), [
    ("floordiv", i(7, -7, 7, -7, 5), i(2, 2, -2, -2, 0), i(3, -4, -4, 3, 0)),
    ("mod", i(7, -7, 7, -7, 5), i(2, 2, -2, -2, 0), i(1, 1, -1, -1, 0)),
    ("floordiv", f(7, -7, 7, -7), f(2, 2, -2, -2), f(3, -4, -4, 3)),
    ("mod", f(7, -7, 7, -7), f(2, 2, -2, -2), f(1, 1, -1, -1)),
    ("pow", i(2, 3, -2, 0, 5), i(10, 0, 3, 0, -1), i(1024, 1, -8, 1, 0)),
    ("maximum", f(1, NAN, 2), f(NAN, 1, 3), f(NAN, NAN, 3)),
    ("minimum", f(1, NAN, 2), f(NAN, 1, 3), f(NAN, NAN, 2)),
    ("shr", i(-8, 8, -1), i(1, 2, 31), i(-4, 2, -1)),
    ("shr", np.array([2**31, 255], np.uint32), np.array([31, 4], np.uint32), np.array([1, 15], np.uint32)),
    ("shl", i(1, 3), i(31, 1), i(-2**31, 6)),
    ("ne", f(NAN, 1), f(NAN, 1), np.array([True, False])),
    ("ge", f(NAN, 1), f(NAN, 1), np.array([False, True])),
])
def test_binary(name, a, b, expected):
    np.testing.assert_array_equal(both(name, a, b), expected)


@pytest.mark.parametrize(("name", "x", "expected"), [
    ("round", f(0.5, 1.5, 2.5, -0.5, -1.5), f(0, 2, 2, -0.0, -2)),
    ("sign", f(-3, 0, 2, NAN), f(-1, 0, 1, NAN)),
    ("sigmoid", f(np.inf, -np.inf, 200, -200, NAN), f(1, 0, 1, 0, NAN)),
    ("log", f(0, -1, NAN, np.inf), f(-np.inf, NAN, NAN, np.inf)),
    ("tanh", f(np.inf, -np.inf, NAN), f(1, -1, NAN)),
    ("erf", f(np.inf, -np.inf, NAN, 0), f(1, -1, NAN, 0)),
    ("is_finite", f(1, NAN, np.inf), np.array([True, False, False])),
    ("neg", np.array([1, 0], np.uint8), np.array([255, 0], np.uint8)),
])
def test_unary(name, x, expected):
    np.testing.assert_array_equal(both(name, x), expected)


def test_select_ignores_the_other_operand():
    np.testing.assert_array_equal(both("select", np.array([True, False]), f(1, NAN), f(NAN, 2)), f(1, 2))


@pytest.mark.parametrize("dtype", ["f32", "i32", "u8", "bool"])
def test_cast_to_bool_asks_for_zero(dtype):
    x = np.array([0, 1, 2, 0]).astype(DTYPES[dtype].numpy)
    np.testing.assert_array_equal(both("cast", x, dtype=DTYPES["bool"]), [False, True, True, False])


def test_cast_half_is_true():
    assert both("cast", f(0.5, -0.25, 0.0), dtype=DTYPES["bool"]).tolist() == [True, True, False]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argmax_takes_the_first_of_equals_and_the_first_nan(name):
    x = f(2, 2, 2, 2)
    assert both(name, x, axis=0, dtype=i64) == 0
    assert both(name, f(3, 1, 1, 3), axis=0, dtype=i64) == (0 if name == "argmax" else 1)
    assert both(name, f(3, NAN, 9, NAN, -9), axis=0, dtype=i64) == 1


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
def test_extremes_propagate_nan(name):
    np.testing.assert_array_equal(both(name, np.array([[1, NAN], [2, 3]], np.float32), axes=(1,)), [NAN, 3 if name == "reduce_max" else 2])


def test_empty_reductions_give_the_identity():
    x = np.zeros((0, 2), np.float32)
    assert both("reduce_sum", x, axes=(0,)).tolist() == [0, 0]
    assert both("reduce_max", x, axes=(0,)).tolist() == [-np.inf, -np.inf]
    assert both("reduce_prod", x, axes=(0,)).tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_sums_of_half_precision_accumulate_in_f32(dtype):
    ones = np.ones(4096, dtype)  # in its own type the sum would stop growing at 2048 (or 256)
    assert float(both("reduce_sum", ones, axes=(0,))) == 4096
    assert float(both("dot", ones, ones, batch=((), ()), contract=((0,), (0,)))) == 4096


def test_take_clamps():
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(both("take", x, i(-5, 0, 2, 99), axis=0), x[[0, 0, 2, 2]])
    np.testing.assert_array_equal(both("take", x, np.array([255], np.uint8), axis=1), x[:, [1]])


def test_scatter_add_clamps_and_adds_in_order():
    updates = f(1e8, 1, -1e8, 5)
    np.testing.assert_array_equal(both("scatter_add", i(0, 0, 0, 9), updates, size=2),
                                  [(np.float32(1e8) + np.float32(1)) + np.float32(-1e8), 5])


def gradient_of(name, x, *others, **attrs):
    """d sum(op(x, ...)) / dx by the op's own vjp, in f32."""
    graph = Graph("g")
    values = [build.param(graph, f"x{n}", TensorType(a.shape, dtype_of(a))) for n, a in enumerate((x, *others))]
    outputs = graph.add(OPS[name], values, attrs)
    cotangents = OPS[name].vjp((build.ones_like(outputs[0]),), tuple(values), outputs, attrs)
    graph.outputs = {f"g{n}": c for n, c in enumerate(cotangents) if c is not None}
    return evaluate(graph, {f"x{n}": a for n, a in enumerate((x, *others))})[0]


def test_equal_maxima_share_the_gradient():
    np.testing.assert_array_equal(gradient_of("reduce_max", f(1, 3, 3, 0), axes=(0,))["g0"], [0, 0.5, 0.5, 0])


def test_the_first_of_equal_operands_gets_the_gradient():
    for name in ("maximum", "minimum"):
        found = gradient_of(name, f(2, 1), f(2, 1))
        assert found["g0"].tolist() == [1, 1]
        assert found["g1"].tolist() == [0, 0]


@pytest.mark.parametrize(("values", "expected"), [
    ((2, 3, 4), (12, 8, 6)), ((2, 0, 4), (0, 8, 0)), ((0, 3, 0), (0, 0, 0)),
])
def test_gradient_of_a_product_with_zeros(values, expected):
    np.testing.assert_array_equal(gradient_of("reduce_prod", f(*values), axes=(0,))["g0"], expected)


def test_gradient_of_a_power_at_zero():
    found = gradient_of("pow", f(0, 0, 2), f(2, 0, 0))
    np.testing.assert_array_equal(found["g0"], [0, 0, 0])
    assert found["g1"][0] == 0


@pytest.mark.parametrize("strides", [(2, 2), (1, 1)])
def test_the_first_maximum_of_a_window_gets_the_cotangent(strides):
    x = f(1, 5, 5, 5, 2, NAN, NAN, 2).reshape(1, 2, 4, 1)
    y = OPS["window_max"].reference(x, window=(2, 2), strides=strides)
    dy = np.arange(1, y.size + 1, dtype=np.float32).reshape(y.shape)
    found = both("window_max_grad", x, y, dy, window=(2, 2), strides=strides)[0, :, :, 0]
    expected = [[0, 0, 0, 0], [0, 1, 2, 0]] if strides == (2, 2) else [[0, 0, 0, 0], [0, 1 + 2, 3, 0]]
    np.testing.assert_array_equal(found, expected)
    x = f(1, 5, 5, 5, 2, 1, 3, 2).reshape(1, 2, 4, 1)
    y = OPS["window_max"].reference(x, window=(2, 2), strides=strides)
    found = both("window_max_grad", x, y, np.ones_like(y), window=(2, 2), strides=strides)[0, 0, :, 0]
    np.testing.assert_array_equal(found, [0, 1, 1, 0] if strides == (2, 2) else [0, 2, 1, 0])


def test_conv_is_a_correlation():
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    w = f(1, 2, 3, 4).reshape(2, 2, 1, 1)
    attrs = {"strides": (1, 1), "dilation": (1, 1), "groups": 1, "border": ()}
    found = both("conv", x, w, **attrs)[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0 + 2 + 9 + 16, 1 + 4 + 12 + 20], [3 + 8 + 18 + 28, 4 + 10 + 21 + 32]])


def test_conv_of_infinity_is_nan_only_where_it_is_read():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 0, 0, 0] = np.inf
    y = both("conv", x, np.zeros((2, 2, 1, 1), np.float32), strides=(2, 2), dilation=(1, 1), groups=1, border=())
    assert np.isnan(y[0, 0, 0, 0])
    assert np.isfinite(y).sum() == 3


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, 0.5])
def test_gradient_of_a_constant_power(exponent):
    graph = Graph("g")
    x = build.param(graph, "x", parse_type("f64[3]"))
    y = build.pow(x, exponent)
    da, _ = OPS["pow"].vjp((build.ones_like(y),), y.node.inputs, (y,), y.node.attrs)
    graph.outputs = {"da": da}
    a = np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(evaluate(graph, {"x": a})[0]["da"], exponent * a ** (exponent - 1))


def test_constants_round_to_their_type():
    graph = Graph("c")
    assert build.constant(graph, 0.1, parse_type("f32[]")).node.attrs["value"] == float(np.float32(0.1))
    assert build.constant(graph, 1.7, parse_type("i32[]")).node.attrs["value"] == 1
    assert build.constant(graph, [[1, 2]], parse_type("f16[1, 2]")).node.attrs["value"] == ((1.0, 2.0),)
    assert build.full_like(build.param(graph, "x", parse_type("bf16[3]")), 1.001).node.attrs["value"] == 1.0


def test_slab_by_slab_sums_equal_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 40)), rng.standard_normal((40, 7))
    dot = OPS["dot"]
    sample = Sample((parse_type("f64[5, 40]"), parse_type("f64[40, 7]")), {"batch": ((), ()), "contract": ((1,), (0,))})
    monkeypatch.setattr("kcompile.ir.interpret.GRID_LIMIT", 100)
    (found,) = run_description(dot, [a, b], sample, {})
    np.testing.assert_allclose(found, a @ b, 1e-12)
