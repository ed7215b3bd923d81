"""Random training graphs: passes keep values, gradients agree with finite differences, texts come back."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.passes import PASSES
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.random_graphs import random_arrays, random_graph, shrink
from kcompile.ir.text import parse_graph, print_graph
from kcompile.ir.types import f64
from kcompile.ir.verify import verify_graph


def values(graph: Graph, batch: int) -> dict[str, np.ndarray]:
    outputs, updates = evaluate(graph, *random_arrays(graph, batch))
    return {**outputs, **{f"update {path}": value for path, value in updates.items()}}


def assert_equal_values(before: dict[str, np.ndarray], graph: Graph, batch: int) -> None:
    after = values(graph, batch)
    assert after.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-9, atol=1e-9, err_msg=f"{name} of\n{print_graph(graph)}")


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_passes_keep_values(first: int) -> None:
    for seed in range(first, first + 10):
        graph = random_graph(seed, dtype=f64)
        expected = values(graph, 3)
        for name in ("infer", "dead_code", "common_subexpressions", "simplify"):
            after = PASSES[name].function(graph)
            verify_graph(after)
            assert_equal_values(expected, after, 3)
        differentiated = differentiate(graph)
        verify_graph(differentiated, pseudo=False)
        assert_equal_values(expected, differentiated, 3)
        simplified = simplify(differentiated)
        verify_graph(simplified, pseudo=False)
        assert_equal_values(expected, simplified, 3)
        assert print_graph(simplify(simplified)) == print_graph(simplified), f"simplify is no fixpoint on seed {seed}"


@pytest.mark.parametrize("first", range(100, 150, 10))
def test_gradients_agree_with_finite_differences(first: int) -> None:
    for seed in range(first, first + 10):
        graph = random_graph(seed, dtype=f64)
        params, states = random_arrays(graph, 2)
        _, gradients = evaluate(graph, params, states)
        rng = np.random.default_rng(seed)
        direction = {path: rng.standard_normal(array.shape) for path, array in states.items() if path in gradients}
        step = 1e-6
        ends = [evaluate(graph, params, {path: array + sign * step * direction[path] for path, array in states.items()})[0]["loss"]
                for sign in (1, -1)]
        measured = (ends[0] - ends[1]) / (2 * step)
        computed = sum(float(np.sum(gradients[path] * d)) for path, d in direction.items())
        np.testing.assert_allclose(computed, measured, rtol=2e-5, atol=1e-7, err_msg=f"seed {seed}\n{print_graph(graph)}")


def test_texts_come_back() -> None:
    for seed in range(40):
        for graph in (random_graph(seed), simplify(differentiate(random_graph(seed)))):
            for options in ({}, {"locations": True}, {"names": False}):
                text = print_graph(graph, **options)
                assert print_graph(parse_graph(text), **options) == text


def test_same_seed_same_graph() -> None:
    assert print_graph(random_graph(3)) == print_graph(random_graph(3)) != print_graph(random_graph(4))


def test_shrinker_keeps_the_fault_and_little_else() -> None:
    def has_division(graph: Graph) -> bool:
        return any(node.op.name == "div" for node in graph.digraph)

    graph = next(g for g in map(random_graph, range(20)) if has_division(g))
    small = shrink(graph, has_division)
    verify_graph(small)
    assert has_division(small) and len(small) <= 6 < len(graph)
