"""Reverse mode: what has no gradient, gradients of one's own, order, places."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph, GraphError, Value
from kcompile.ir.op import NoGradient, Op
from kcompile.ir.ops.pseudo import PSEUDO_OPS
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.text import print_graph
from kcompile.ir.types import f64, i32, parse_type
from kcompile.ir.verify import verify_graph


def start(*types: str) -> tuple[Graph, list[Value]]:
    graph = Graph("g")
    return graph, [build.param(graph, f"x{n}", parse_type(t)) for n, t in enumerate(types)]


def gradients(graph: Graph, loss: Value, wanted: list[Value], *arrays: object) -> list[np.ndarray]:
    for number, value in enumerate(build.gradient(loss, wanted)):
        graph.outputs[f"g{number}"] = value
    outputs, _ = evaluate(graph, {f"x{n}": a for n, a in enumerate(arrays)})
    return list(outputs.values())


def test_no_pseudo_op_is_left_and_the_graph_given_is_untouched() -> None:
    graph, (x,) = start("f64[]")
    gradients(graph, build.exp(x), [x], 1.0)
    before = print_graph(graph)
    after = differentiate(graph)
    assert print_graph(graph) == before
    assert not any(node.op.name in PSEUDO_OPS for node in after.links)
    verify_graph(after, pseudo=False)


def test_an_intermediate_and_its_input() -> None:
    graph, (x,) = start("f64[]")
    y = build.mul(x, x)
    dy, dx = gradients(graph, build.mul(y, x), [y, x], 3.0)
    assert dy == 3 and dx == 27


def test_the_loss_itself() -> None:
    graph, (x,) = start("f64[]")
    assert gradients(graph, x, [x], 3.0) == [1.0]


def test_integers_stop_cotangents() -> None:
    graph, (x,) = start("f64[3]")
    through = build.cast(build.cast(x, i32), f64)
    loss = build.reduce_sum(build.add(through, x), (0,))
    np.testing.assert_array_equal(gradients(graph, loss, [x], np.array([1.5, 2.5, 3.5]))[0], np.ones(3))


def test_a_loss_must_be_a_float_scalar() -> None:
    _, (x, n) = start("f64[3]", "i32[]")
    with pytest.raises(TypeError, match=r"the loss must be a float scalar, not f64\[3\]"):
        build.gradient(x, [x])
    with pytest.raises(TypeError, match=r"value 1 is i32\[\]: only floats have a gradient"):
        build.gradient(build.reduce_sum(x, (0,)), [x, n])


def opaque(x: Value) -> Value:
    """A node of an op that has no gradient and is no step function."""
    sine = build.sin(x).node.op
    op: Op = replace(sine, name="opaque", vjp=NoGradient("nobody knows it"))
    return x.graph.add(op, (x,), {})[0]


def test_an_op_without_gradient_names_layer_and_line() -> None:
    graph, (x,) = start("f64[]")
    with graph.located("block/odd", "model.py:12"):
        y = opaque(x)
    graph.outputs["g"] = build.gradient(y, [x])[0]
    with pytest.raises(GraphError, match=r"opaque has no gradient \(nobody knows it\).* in layer block/odd \(model.py:12\)"):
        differentiate(graph)


def test_an_op_without_gradient_off_the_path_is_no_error() -> None:
    graph, (x, y) = start("f64[]", "f64[]")
    graph.outputs["g"] = build.gradient(build.add(opaque(x), y), [y])[0]
    assert evaluate(graph, {"x0": 1.0, "x1": 1.0})[0]["g"] == 1


def custom(graph: Graph, x: Value, name: str = "ct") -> Value:
    """round, whose gradient is three times what comes in."""
    y = build.round(x)
    ct = build.cotangent(y, name)
    return build.custom_gradient([y], [x], [ct], [build.mul(ct, 3.0)])[0]


def test_custom_gradient() -> None:
    graph, (x,) = start("f64[2]")
    loss = build.reduce_sum(build.mul(custom(graph, x), x), (0,))
    np.testing.assert_array_equal(gradients(graph, loss, [x], np.array([1.4, 2.6]))[0], 3 * np.array([1.4, 2.6]) + [1, 3])


def test_custom_gradient_used_twice_and_nested() -> None:
    graph, (x,) = start("f64[]")
    y = custom(graph, custom(graph, x, "inner"), "outer")
    assert gradients(graph, build.add(y, y), [x], 1.4)[0] == 18


def test_custom_gradient_with_two_results() -> None:
    graph, (x,) = start("f64[]")
    a, b = build.neg(x), build.exp(x)
    ca, cb = build.cotangent(a, "a"), build.cotangent(b, "b")
    a, b = build.custom_gradient([a, b], [x], [ca, cb], [build.add(ca, build.mul(cb, 10.0))])
    graph.outputs["one"] = build.gradient(a, [x])[0]
    assert gradients(graph, build.add(a, b), [x], 1.0) == [1.0, 11.0]


def test_a_cotangent_read_elsewhere_is_an_error() -> None:
    graph, (x,) = start("f64[]")
    ct = build.cotangent(x, "lost")
    graph.outputs["y"] = build.add(x, ct)
    graph.outputs["g"] = build.gradient(x, [x])[0]
    with pytest.raises(GraphError, match="cotangent 'lost' is read outside its custom_gradient"):
        differentiate(graph)


def test_second_derivative() -> None:
    graph, (x,) = start("f64[]")
    first = build.gradient(build.tanh(x), [x])[0]
    assert np.isclose(gradients(graph, first, [x], 0.3)[0], -2 * np.tanh(0.3) * (1 - np.tanh(0.3) ** 2))


def test_backward_nodes_carry_the_forward_place() -> None:
    graph, (x,) = start("f64[]")
    with graph.located("block/act", "model.py:5"):
        y = build.tanh(x)
    graph.outputs["g"] = build.gradient(y, [x])[0]
    after = differentiate(graph)
    backward = [n for n in after.nodes() if n.op.name in ("mul", "sub")]
    assert backward and {(n.path, n.source) for n in backward} == {("block/act", "model.py:5")}
