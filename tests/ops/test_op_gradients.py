"""Every gradient against finite differences in float64, and the gradients of gradients."""

import numpy as np
import pytest
from op_cases import cases, new_graph, to_f64

from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.op import OPS, NoGradient
from kcompile.ir.sampling import sample_operands
from kcompile.ir.types import DTYPES, f32, f64, parse_type

STEP = 1e-6
SYMBOLS = {"B": 3}


def _differentiable(op, sample):
    if isinstance(op.vjp, NoGradient) or to_f64(sample) is None or sample.nan_every:
        return False
    return op.name != "cast" or sample.attrs["dtype"] in (f32, f64)  # the others round: test_gradient_of_cast


@pytest.mark.parametrize(("given", "made", "flows"), [("f32", "f16", True), ("bf16", "f64", True), ("f32", "i32", False),
                                                      ("i32", "f32", False), ("f32", "bool", False)])
def test_gradient_of_cast(given, made, flows):
    graph = Graph("cast")
    x = build.param(graph, "x", parse_type(f"{given}[3]"))
    y = build.cast(x, DTYPES[made])
    (gradient,) = OPS["cast"].vjp((build.ones_like(y),), (x,), (y,), y.node.attrs)
    assert (gradient is not None) == flows
    assert gradient is None or gradient.type == x.type


def test_gradient_of_a_strided_slice_of_unknown_extent():
    graph = Graph("slice")
    x = build.param(graph, "x", parse_type("f64[2*H+1]"))
    y = build.slice(x, (2,), x.shape, (2,))
    (graph.outputs["g"],) = OPS["slice"].vjp((build.ones_like(y),), (x,), (y,), y.node.attrs)
    assert evaluate(graph, {"x": np.zeros(7)})[0]["g"].tolist() == [0, 0, 1, 0, 1, 0, 1]
    assert evaluate(graph, {"x": np.zeros(3)})[0]["g"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", [op.name for op in OPS.values() if callable(op.vjp) and op.samples])
def test_without_a_cotangent_nothing_flows(name):
    op = OPS[name]
    sample = op.samples[0]
    _, inputs, outputs = new_graph(sample, op)
    assert list(op.vjp((None,) * len(outputs), inputs, outputs, sample.attrs)) == [None] * len(inputs)


@pytest.mark.parametrize(("x", "expected"), [([2, 1, 3], [3, 6, 2]), ([2, 0, 3], [0, 6, 0]), ([0, 1, 0], [0, 0, 0])])
def test_gradient_of_a_product_with_ones_and_zeros(x, expected):
    graph = Graph("product")
    value = build.param(graph, "x", parse_type("f64[3]"))
    y = build.reduce_prod(value, (0,))
    (graph.outputs["g"],) = OPS["reduce_prod"].vjp((build.ones_like(y),), (value,), (y,), y.node.attrs)
    assert evaluate(graph, {"x": np.array(x, np.float64)})[0]["g"].tolist() == expected


def _graph_of_vjp(op, sample):
    """params x0.. and ct -> output y, and the cotangents g0.. of the operands that have one."""
    graph, inputs, outputs = new_graph(sample, op)
    (y,) = outputs
    ct = build.param(graph, "ct", y.type)
    cotangents = op.vjp((ct,), inputs, outputs, sample.attrs)
    assert len(cotangents) == len(inputs)
    graph.outputs["y"] = y
    for n, value in enumerate(cotangents):
        if value is not None:
            assert value.type == inputs[n].type
            graph.outputs[f"g{n}"] = value
    return graph


def _run(graph, operands, ct):
    params = {f"x{n}": a for n, a in enumerate(operands)} | {"ct": ct}
    return evaluate(graph, {name: params[name] for name in graph.params}, symbols=SYMBOLS)[0]


def _check(graph, operands, ct, value, gradient_of):
    """sum(ct * value) changes along a random direction of each operand as its gradient says."""
    rng = np.random.default_rng(1)
    base = _run(graph, operands, ct)
    for name, number in gradient_of.items():
        direction = rng.standard_normal(operands[number].shape)
        moved = []
        for sign in (1, -1):
            shifted = list(operands)
            shifted[number] = operands[number] + sign * STEP * direction
            moved.append(float(np.sum(value(_run(graph, shifted, ct)))))
        expected = (moved[0] - moved[1]) / (2 * STEP)
        found = float(np.sum(base[name] * direction))
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6 * (1 + float(np.abs(base[name]).sum()))), name


@pytest.mark.parametrize(("op", "sample"), cases(_differentiable))
def test_gradient(op, sample):
    sample = to_f64(sample)
    graph = _graph_of_vjp(op, sample)
    operands = sample_operands(op, sample, SYMBOLS)
    shape = _run_shape(graph, "y")
    ct = np.random.default_rng(2).standard_normal(shape)
    gradients = {f"g{n}": n for n in range(len(operands)) if f"g{n}" in graph.outputs}
    assert gradients or any(t.dtype.is_integer for t in sample.inputs)
    if op.name == "window_max_grad":  # y depends on x: only the derivative by dy means something
        gradients = {"g2": 2}
    _check(graph, operands, ct, lambda out: ct * out["y"], gradients)


def _run_shape(graph, name):
    from kcompile.ir.sampling import bound_type
    return bound_type(graph.outputs[name].type, SYMBOLS).shape


@pytest.mark.parametrize(("op", "sample"), cases(_differentiable))
def test_second_gradient(op, sample):
    """The gradients of sum(v * g), g the first gradients, for fixed v: by the operands and by ct."""
    from kcompile.ir.passes.differentiate import differentiate
    sample = to_f64(sample)
    graph = _graph_of_vjp(op, sample)
    firsts = {name: value for name, value in graph.outputs.items() if name != "y"}
    if not firsts or op.name in ("window_max_grad",):
        firsts = {name: value for name, value in firsts.items() if name == "g2"}
    if not firsts:
        pytest.skip("no operand has a gradient")
    rng = np.random.default_rng(3)
    weights = {name: rng.standard_normal(_run_shape(graph, name)) for name in firsts}
    total = None
    for name, value in firsts.items():
        v = build.param(graph, f"v_{name}", value.type)
        part = build.reduce_sum(value * v, range(value.rank))
        total = part if total is None else total + part
    graph.outputs = {"total": total}
    names = [n for n, v in graph.params.items() if v.dtype.is_float and not n.startswith("v_")]
    if op.name == "window_max_grad":
        names = ["ct"]
    for name, value in zip(names, build.gradient(total, [graph.params[n] for n in names]), strict=True):
        graph.outputs[f"d_{name}"] = value
    expanded = differentiate(graph)
    operands = sample_operands(op, sample, SYMBOLS)
    params = {f"x{n}": a for n, a in enumerate(operands)}
    params |= {"ct": rng.standard_normal(_param_shape(graph, "ct"))} | {f"v_{n}": w for n, w in weights.items()}
    base = evaluate(expanded, params, symbols=SYMBOLS)[0]
    for name in names:
        direction = rng.standard_normal(params[name].shape)
        moved = [float(evaluate(expanded, params | {name: params[name] + sign * STEP * direction}, symbols=SYMBOLS)[0]["total"])
                 for sign in (1, -1)]
        expected = (moved[0] - moved[1]) / (2 * STEP)
        found = float(np.sum(base[f"d_{name}"] * direction))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * (1 + float(np.abs(base[f"d_{name}"]).sum()))), name


def _param_shape(graph, name):
    from kcompile.ir.sampling import bound_type
    return bound_type(graph.params[name].type, SYMBOLS).shape
