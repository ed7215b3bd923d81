"""A graph prepared for many runs gives what `evaluate` gives, bit for bit, and keeps nothing that nobody reads."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import kcompile
from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.prepared import Prepared
from kcompile.ir.random_graphs import random_arrays, random_graph
from kcompile.ir.types import TensorType, f32


@pytest.mark.parametrize("seed", range(60))
def test_random_training_graphs(seed: int) -> None:
    graph = random_graph(seed)
    prepared = Prepared(graph, {"B": 3})
    for again in range(2):
        params, states = random_arrays(graph, 3, again)
        wanted, _ = evaluate(graph, params, states, symbols={"B": 3})
        found = prepared.run(params, states)
        assert found.keys() == wanted.keys()
        assert all(found[name].tobytes() == wanted[name].tobytes() and found[name].dtype == wanted[name].dtype for name in wanted)


def test_intermediates_are_dropped_after_their_last_reader() -> None:
    graph = Graph("chain")
    x = build.param(graph, "x", TensorType((4,), f32))
    graph.outputs["y"] = build.exp(build.add(build.mul(x, x), x))
    prepared = Prepared(graph, {})
    seen: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    def watched(reference):
        def call(*arrays, **attributes):
            alive.append(sum(ref() is not None for ref in seen))
            result = np.asarray(reference(*arrays, **attributes))
            seen.append(weakref.ref(result))
            return result
        return call

    prepared._steps = [(watched(reference), *rest) for reference, *rest in prepared._steps]
    prepared.run({"x": np.ones(4, np.float32)}, {})
    assert alive == [0, 1, 1]


def test_eager_operations_give_the_same_each_time() -> None:
    """The first run of a signature is checked, the later ones are prepared."""
    x = np.random.default_rng(0).standard_normal((5, 7)).astype("float32")
    layers = kcompile.layers
    model = kcompile.Sequential([kcompile.Input((7,)), layers.Dense(6, activation="softmax"), layers.LayerNormalization()])
    first = np.asarray(model(x))
    assert all(np.asarray(model(x)).tobytes() == first.tobytes() for _ in range(3))
    model.layers[0].kernel.assign(model.layers[0].kernel * 2)
    assert np.asarray(model(x)).tobytes() != first.tobytes(), "weights are read at each call"
