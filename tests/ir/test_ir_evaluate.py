"""The interpreter: symbols from shapes, errors that name the param, memory given back."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.ir import build
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.ir.graph import Graph, GraphError
from kcompile.ir.op import OPS
from kcompile.ir.text import parse_graph
from kcompile.ir.types import parse_type

MEAN = parse_graph("""graph mean {
  param %x: f32[B, 3]
  state %total: f32[]  role=metric
  %0 = reduce_sum(%x, axes=(0, 1))
  %1 = dim_size(dim=3*B, dtype=i64)
  %2 = cast(%1, dtype=f32)
  %3 = div(%0, %2)
  %4 = add(%total, %3)
  out mean = %3
  update total = %4
}
""")


def test_outputs_and_updates() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    outputs, updates = evaluate(MEAN, {"x": x}, {"total": np.float32(10)})
    assert outputs["mean"] == np.float32(2.5) and updates["total"] == np.float32(12.5)
    assert outputs["mean"].dtype == np.float32


def test_python_values_are_converted() -> None:
    outputs, _ = evaluate(MEAN, {"x": [[1, 2, 3]]}, {"total": 0})
    assert outputs["mean"] == 2


@pytest.mark.parametrize(("params", "states", "error", "message"), [
    ({}, {"total": 0.0}, ValueError, r"param 'x' of graph mean \(f32\[B, 3\]\) was not given"),
    ({"x": np.zeros((2, 4), np.float32)}, {"total": 0.0}, ValueError, r"param 'x': expected f32\[B, 3\], given shape \(2, 4\)"),
    ({"x": np.zeros(3, np.float32)}, {"total": 0.0}, ValueError, r"param 'x': expected f32\[B, 3\], given shape \(3,\)"),
    ({"x": np.zeros((2, 3))}, {"total": 0.0}, TypeError, "param 'x': expected float32, given float64"),
    ({"x": np.zeros((2, 3), np.float32), "y": 1}, {"total": 0.0}, ValueError, "param 'y' is not one of graph mean: x"),
    ({"x": np.zeros((2, 3), np.float32)}, {"totals": 0.0}, ValueError, "state 'totals' is not one of graph mean: total"),
])
def test_misuse_is_named(params: dict, states: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(MEAN, params, states)


def test_a_fraction_is_no_integer() -> None:
    graph = parse_graph("graph g {\n param %n: i32[]\n out y = %n\n}\n")
    assert evaluate(graph, {"n": 3})[0]["y"].dtype == np.int32
    with pytest.raises(TypeError, match="param 'n': expected int32, given float64"):
        evaluate(graph, {"n": 3.5})


def test_symbols_must_agree() -> None:
    graph = parse_graph("graph g {\n param %x: f32[B]\n param %y: f32[B]\n %0 = add(%x, %y)\n out y = %0\n}\n")
    with pytest.raises(ValueError, match="param 'y': dimension B is 3, but B = 2 from param 'x'"):
        evaluate(graph, {"x": np.zeros(2, np.float32), "y": np.zeros(3, np.float32)})


def test_symbols_are_solved_for() -> None:
    found = bind_symbols([(parse_type("f32[2*B+1]"), (7,), "x"), (parse_type("f32[B*T]"), (12,), "y")])
    assert found == {"B": 3, "T": 4}


def test_symbols_no_shape_tells() -> None:
    graph = parse_graph("graph g {\n %0 = constant(1.0): f32[B]\n %1 = reduce_sum(%0, axes=(0))\n out y = %1\n}\n")
    with pytest.raises(ValueError, match="no shape tells the size of symbol B"):
        evaluate(graph)
    assert evaluate(graph, symbols={"B": 5})[0]["y"] == 5


def test_gradients_are_expanded_first() -> None:
    graph = Graph("g")
    x = build.param(graph, "x", parse_type("f64[]"))
    graph.outputs["slope"] = build.gradient(build.mul(x, x), [x])[0]
    assert evaluate(graph, {"x": 3.0})[0]["slope"] == 6


def test_a_reference_that_breaks_its_word() -> None:
    graph = parse_graph("graph g {\n param %x: f32[2]\n %0 = exp(%x)\n out y = %0\n}\n")
    object.__setattr__(OPS["exp"], "reference", lambda x: x.astype(np.float64))
    try:
        with pytest.raises(GraphError, match=r"the reference of exp gave float64\[2\], but float32\[2\] was inferred"):
            evaluate(graph, {"x": np.zeros(2, np.float32)})
    finally:
        object.__setattr__(OPS["exp"], "reference", ORIGINAL)


ORIGINAL = OPS["exp"].reference


def test_dead_values_are_freed() -> None:
    graph = Graph("chain")
    x = build.param(graph, "x", parse_type("f64[100000]"))
    for _ in range(50):
        x = build.neg(x)
    graph.outputs["y"] = x
    import tracemalloc
    array = np.ones(100000)
    tracemalloc.start()
    evaluate(graph, {"x": array})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * array.nbytes
