"""Random training graphs: passes keep values, gradients agree with finite differences, texts come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph, GraphError, Node, Value
from kcompile.ir.op import OPS
from kcompile.ir.passes import PASSES
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.random_graphs import random_arrays, random_graph
from kcompile.ir.rebuild import rebuild
from kcompile.ir.shrink import shrink
from kcompile.ir.text import parse_graph, print_graph
from kcompile.ir.types import f64
from kcompile.ir.verify import verify_graph

STEPS: dict[str, Callable[[Graph], Graph]] = {
    **{name: PASSES[name].function for name in ("infer", "dead_code", "common_subexpressions", "simplify", "differentiate")},
    "differentiate,simplify": lambda graph: simplify(differentiate(graph)),
}


def values(graph: Graph, batch: int) -> dict[str, np.ndarray]:
    outputs, updates = evaluate(graph, *random_arrays(graph, batch), symbols={"B": batch})
    return {**outputs, **{f"update {path}": value for path, value in updates.items()}}


def difference(graph: Graph, step: Callable[[Graph], Graph]) -> str:
    """What a step changed that it must not; empty when nothing."""
    before = values(graph, 3)
    result = step(graph)
    try:
        verify_graph(result)
    except GraphError as error:
        return str(error)
    after = values(result, 3)
    if after.keys() != before.keys():
        return f"outputs {list(before)} became {list(after)}"
    for name, value in before.items():
        if not np.allclose(after[name], value, rtol=1e-9, atol=1e-9):
            return f"{name} is {after[name]}, not {value}"
    return ""


def smallest_failure(graph: Graph, step: Callable[[Graph], Graph]) -> Graph:
    return shrink(graph, lambda smaller: bool(difference(smaller, step)))


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_passes_keep_values(first: int) -> None:
    """A failure prints a file test of the smallest graph that shows it."""
    for seed in range(first, first + 10):
        graph = random_graph(seed, dtype=f64)
        for name, step in STEPS.items():
            found = difference(graph, step)
            if found:
                pytest.fail(f"seed {seed}: {found}\n// run: {name}\n{print_graph(smallest_failure(graph, step))}----")
        simplified = simplify(differentiate(graph))
        verify_graph(simplified, pseudo=False)
        assert print_graph(simplify(simplified)) == print_graph(simplified), f"simplify is no fixpoint on seed {seed}"


def test_a_broken_pass_is_found_and_its_graph_made_small() -> None:
    def broken(graph: Graph) -> Graph:
        def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
            return new.add(OPS["add"], inputs, {}) if node.op.name == "sub" else None
        return rebuild(graph, change)

    graph = next(g for g in (random_graph(seed, steps=6, dtype=f64) for seed in range(20)) if difference(g, broken))
    small = smallest_failure(graph, broken)
    assert difference(small, broken) and len(small) <= 8, print_graph(small)


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
        return any(node.op.name == "div" for node in graph.links)

    graph = next(g for g in map(random_graph, range(20)) if has_division(g))
    small = shrink(graph, has_division)
    verify_graph(small)
    assert has_division(small) and len(small) <= 8 < len(graph)
