"""Numbers in place of extents: put back, nothing has changed; layers that differ in their sizes alone share what fusion finds out."""

import pytest

from kcompile.ir import build
from kcompile.ir.extents import compact, numbered, renumbered, with_extents
from kcompile.ir.fusion_table import ROW_LIMIT
from kcompile.ir.graph import Graph
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.program import Program
from kcompile.ir.random_graphs import random_graph
from kcompile.ir.text.programs import parse_program, print_program
from kcompile.ir.types import Dim, TensorType, f32

B = Dim.symbol("B")


def _layers(*sizes: int) -> Graph:
    """Dense layers of these many inputs, each with an update of its weight."""
    graph = Graph("layers")
    for n, size in enumerate(sizes):
        x = build.param(graph, f"x{n}", TensorType((B, size), f32))
        weight = build.state(graph, f"w{n}", "weight", TensorType((size, 7), f32))
        graph.outputs[f"y{n}"] = build.tanh(build.dot(x, weight))
        graph.updates[f"w{n}"] = build.mul(weight, build.exp(weight))
    return graph


def _forms(program: Program) -> list[set[object]]:
    """The forms of the kernels that each of two layers has."""
    found: list[set[object]] = [set(), set()]
    for step in program.steps:
        for n in range(2):
            if any(a in step.kernel.arrays for a in (f"x{n}", f"w{n}")):
                found[n].add(step.kernel.placed.form)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_kernels_are_what_they_were(seed: int) -> None:
    for step in describe(simplify(differentiate(random_graph(seed, steps=12)))).steps:
        kernel, extents = numbered(step.kernel)
        assert all(not isinstance(n, int) or n < 2 for n in kernel.axes.values())
        assert with_extents(kernel, extents) == step.kernel


def test_equal_extents_have_equal_numbers_and_only_they() -> None:
    (step,) = describe(_layers(5)).steps[:1]
    assert numbered(step.kernel)[1] == (7, 5) or numbered(step.kernel)[1] == (5, 7)
    (square,) = describe(_layers(7)).steps[:1]
    assert numbered(square.kernel)[1] == (7,)


def test_numbers_beside_another_form_and_after_a_loss() -> None:
    kernel, extents = numbered(describe(_layers(5)).steps[0].kernel)
    moved = renumbered(kernel, (3, 1))
    assert with_extents(moved, (0, extents[1], 0, extents[0])) == with_extents(kernel, extents)
    small, places = compact(moved)
    assert places == (1, 3)
    assert with_extents(small, (extents[1], extents[0])) == with_extents(kernel, extents)


def test_layers_of_other_sizes_have_the_same_forms() -> None:
    described = describe(_layers(5, 11))
    first, second = _forms(described)
    assert first == second
    first, second = _forms(fuse(described))
    assert first == second


def test_a_layer_whose_extents_are_equal_has_another_form() -> None:
    first, second = _forms(describe(_layers(7, 5)))
    assert first != second


@pytest.mark.parametrize("rows", [(8, 2 * ROW_LIMIT), (2 * ROW_LIMIT, 8)])
def test_a_row_that_is_too_long_is_told_from_a_short_one(rows: tuple[int, int]) -> None:
    """Whichever comes first: what holds for one does not hold for the other."""
    graph = Graph("rows")
    for n, size in enumerate(rows):
        x = build.param(graph, f"x{n}", TensorType((B, size), f32))
        graph.outputs[f"y{n}"] = build.exp(build.sub(x, build.expand_reduced(build.reduce_max(x, (1,)), x.shape, (1,))))
    program = describe(graph)
    fused = fuse(program)
    assert len(fused.steps) == 3
    assert print_program(fused, verdicts=True) == print_program(fuse(parse_program(print_program(program))), verdicts=True)
