"""Builder functions: one a primitive, operators, compositions that gradients share."""

import inspect

import numpy as np
import pytest

from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.op import OPS
from kcompile.ir.types import Dim, parse_type

B = Dim.symbol("B")


def graph_with(*texts):
    graph = Graph("g")
    return graph, *(build.param(graph, f"x{n}", parse_type(t)) for n, t in enumerate(texts))


def test_every_primitive_has_a_builder():
    without = {"custom_gradient", "cotangent"}  # built where gradients are: see passes/differentiate.py
    missing = [name for name in OPS if name not in without and not inspect.isfunction(getattr(build, name, None))]
    assert missing == []


def test_operators():
    graph, x = graph_with("f64[B, 3]")
    y = -(2 - (x + 1) * x / 4.0)
    z = 1 / (3 * y - x)
    graph.outputs = {"z": z - x}
    a = np.random.default_rng(0).random((2, 3))
    wanted = 1 / (3 * -(2 - (a + 1) * a / 4.0) - a) - a
    np.testing.assert_allclose(evaluate(graph, {"x0": a})[0]["z"], wanted)


def test_numbers_take_the_type_of_the_value_beside_them():
    _, x = graph_with("i32[B]")
    assert (x + 2).node.inputs[1].node.attrs == {"value": 2, "type": x.type}
    assert build.maximum(0, x).node.inputs[0].type == x.type


@pytest.mark.parametrize(("given", "shape"), [
    ("f32[3]", (B, 3)), ("f32[B, 1]", (B, 4)), ("f32[1, 3]", (2, B, 3)), ("f32[]", (B,)), ("f32[1]", (1,)),
])
def test_expand(given, shape):
    graph, x = graph_with(given)
    wide = build.expand(x, shape)
    graph.outputs = {"wide": wide}
    dims = [5 if isinstance(d, Dim) else d for d in x.shape]
    a = np.random.default_rng(0).random(dims, np.float32)
    found = evaluate(graph, {"x0": a}, symbols={"B": 5})[0]
    target = [5 if isinstance(d, Dim) else d for d in shape]
    np.testing.assert_array_equal(found["wide"], np.broadcast_to(a, target))


def test_what_changes_nothing_makes_no_node():
    graph, x = graph_with("f32[B, 3]")
    same = [build.reshape(x, x.shape), build.transpose(x, (0, 1)), build.broadcast(x, x.shape, (0, 1)), build.cast(x, x.dtype),
            build.slice(x, (0, 0), x.shape), build.pad(x, (0, 0), (0, 0)), build.concat([x], 1),
            build.reduce_sum(x, ()), build.reverse(x, ())]
    assert all(value is x for value in same)
    assert len(graph) == 1


def test_attributes_are_plain_ints():
    _, x = graph_with("f32[B, 6]")
    node = build.reshape(x, [B, np.int64(2), 3]).node
    assert [type(d) for d in node.attrs["shape"]] == [Dim, int, int]


def test_dot_contracts_last_with_first_by_default():
    _, x, w, batched = graph_with("f32[B, 3]", "f32[3, 4]", "f32[B, 3, 4]")
    assert build.dot(x, w).shape == (B, 4)
    assert build.dot(x, batched, batch=((0,), (0,))).shape == (B, 4)


def test_sources_enter_the_graph():
    graph = Graph("g")
    w = build.state(graph, "dense/kernel", "weight", parse_type("f32[3]"))
    x = build.param(graph, "x", parse_type("f32[3]"))
    assert graph.states == {"dense/kernel": w}
    assert graph.params == {"x": x}
    assert graph.role("dense/kernel") == "weight"


def test_gradient_has_the_types_of_its_weights():
    graph, x, w = graph_with("f32[3]", "f32[3]")
    loss = build.reduce_sum(x * w, (0,))
    assert [g.type for g in build.gradient(loss, [w, x])] == [w.type, x.type]
    assert len(graph.nodes()[-1].outputs) == 2
