"""Convolutions by minimal filtering: as near to the true results as direct ones, the same bits whatever the threads and the batch; filters
that are kept follow their weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kcompile.codegen.changes import changed
from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step_cache import decode, encode
from kcompile.compiler import to_program
from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph, Value
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.widen import widen
from kcompile.ir.passes.winograd import winograd
from kcompile.ir.types import Dim, TensorType, f32

B = Dim.symbol("B")
ROWS = 5
CHANNELS, FILTERS = 48, 45


def convolved(x: Value, w: Value, padding: int) -> Value:
    if padding:
        x = build.pad(x, (0, padding, padding, 0), (0, padding, padding, 0))
    return build.conv(x, w, strides=(1, 1), border=((padding, padding),) * 2)


def pulled_back(dy: Value, w: Value, padding: int) -> Value:
    extents = [int(str(n)) + 2 - 2 * padding for n in dy.shape[1:3]]
    return build.conv_input_grad(dy, w, extents, strides=(1, 1), padding=((padding, padding),) * 2)


def graph_of(way: Callable[[Value, Value, int], Value], height: int, width: int, padding: int) -> Graph:
    graph = Graph("filtered")
    x = build.param(graph, "x", TensorType((B, height, width, FILTERS if way is pulled_back else CHANNELS), f32))
    w = build.state(graph, "w", "weight", TensorType((3, 3, CHANNELS, FILTERS), f32))
    graph.outputs["y"] = way(x, w, padding)
    return graph


def executable_of(graph: Graph) -> Executable:
    return compile_program(to_program(graph), options=CodegenOptions(cache_dir=None, threads=2, single_thread_below=0))


def numbers(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def result(executable: Executable, x: np.ndarray, w: np.ndarray, threads: int = 2) -> np.ndarray:
    name = executable.program.outputs["y"]
    shape = [n if isinstance(n, int) else n.evaluate({"B": len(x)}) for n in executable.program.buffers[name].type.shape]
    y = np.full(shape, np.nan, np.float32)
    executable.run({"x": x, "w": w, name: y}, {"B": len(x)}, threads)
    return y


@pytest.mark.parametrize("way", [convolved, pulled_back])
@pytest.mark.parametrize(("height", "width", "padding"), [(8, 8, 1), (31, 24, 0), (21, 10, 1), (12, 27, 1), (26, 26, 0)])
def test_results(way: Callable[[Value, Value, int], Value], height: int, width: int, padding: int) -> None:
    graph = graph_of(way, height, width, padding)
    x, w = numbers(ROWS, *(int(str(n)) for n in graph.params["x"].shape[1:]), seed=1), numbers(3, 3, CHANNELS, FILTERS, seed=2)
    executable = executable_of(graph)
    assert "winograd_output" in {node.op.name for node in winograd(graph).links}
    y = result(executable, x, w)
    true = evaluate(widen(graph), {"x": x.astype(np.float64)}, {"w": w.astype(np.float64)})[0]["y"]
    direct = result(compile_program(plan(fuse(describe(graph))), options=CodegenOptions(cache_dir=None)), x, w)
    errors = [float(np.max(np.abs(found - true))) for found in (y, direct)]
    assert 0 < errors[0] < 3 * errors[1], "as near to the true results as direct convolutions are"
    for threads, rows in ((1, slice(0, ROWS)), (2, slice(0, 1)), (2, slice(3, 5))):
        np.testing.assert_array_equal(result(executable, np.ascontiguousarray(x[rows]), w, threads), y[rows])


@pytest.mark.parametrize("way", [convolved, pulled_back])
def test_few_lanes_are_dead(way: Callable[[Value, Value, int], Value]) -> None:
    def is_filtered(lanes: int) -> bool:
        return "winograd_output" in {node.op.name for node in winograd(graph_of(way, 8, 8, 1), lanes).links}
    assert is_filtered(16) and not is_filtered(64)


@pytest.mark.parametrize(("size", "along"), [(8, True), (40, False)])
def test_samples_together_where_tiles_stay_near(size: int, along: bool) -> None:
    """Tiles of 40x40 pixels with 48 channels are 1.2 MB."""
    steps = plan(fuse(describe(winograd(graph_of(convolved, size, size, 1))))).steps
    assert any(step.along for step in steps) == along


def test_a_filter_that_changes_is_transformed_again() -> None:
    graph = graph_of(convolved, 8, 8, 1)
    executable = executable_of(graph)
    assert sum(step.kept for step in to_program(graph).steps) == len(executable.code.panels) == 1
    x, w, other = numbers(3, 8, 8, CHANNELS, seed=3), numbers(3, 3, CHANNELS, FILTERS, seed=4), numbers(3, 3, CHANNELS, FILTERS, seed=5)
    first, second = result(executable, x, w), result(executable, x, other)
    assert not np.array_equal(first, second)
    w[...] = other
    changed()
    np.testing.assert_array_equal(result(executable, x, w), second)


def test_kept_filters_come_from_the_cache() -> None:
    code = executable_of(graph_of(convolved, 8, 8, 1)).code
    assert code.panels and decode(encode(code)) == code
