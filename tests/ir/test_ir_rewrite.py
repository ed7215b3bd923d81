"""The engine: matching on the DAG, guards, logs, loops, speed; and what simplify promises."""

from __future__ import annotations

import time

import pytest

from kcompile.ir import build
from kcompile.ir.graph import Graph, GraphError
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.simplify import simplify, simplify_with_log
from kcompile.ir.patterns import Attr, Equation, Pat, p
from kcompile.ir.random_graphs import random_graph
from kcompile.ir.rewrite import RULES, Rewriter, procedure, rule
from kcompile.ir.rules import DEFAULT_INEXACT, rules_named
from kcompile.ir.text import parse_graph, print_graph
from kcompile.ir.types import parse_type


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> dict:
    """An empty registry for the rules that a test defines."""
    rules: dict = {}
    monkeypatch.setattr("kcompile.ir.rewrite.RULES", rules)
    return rules


def run(rules: dict, text: str) -> str:
    return print_graph(Rewriter(rules.values()).run(parse_graph(text)))


FACTORED = """graph g {
  param %x: f32[2]
  param %y: f32[2]
  param %a: f32[2]
  %0 = mul(%x, %a)
  %1 = mul(%a, %y)
  %2 = add(%0, %1)
  out z = %2
}
"""


def test_every_order_of_commutative_operands_is_tried(scratch: dict) -> None:
    @rule()
    def factor(a: Pat, x: Pat, y: Pat) -> Equation:
        return a * x + a * y, a * (x + y)

    assert "%0 = add(%x, %y): f32[2]\n  %1 = mul(%a, %0)" in run(scratch, FACTORED)


def test_a_guard_sees_the_rules_variables(scratch: dict) -> None:
    @rule(where=lambda x: x.rank == 2, examples=({"x": "f32[2, 3]"},))
    def only_matrices(x: Pat) -> Equation:
        return p.neg(p.neg(x)), x

    text = "graph g {{\n param %x: f32[{}]\n %0 = neg(%x)\n %1 = neg(%0)\n out y = %1\n}}\n"
    assert "neg" in run(scratch, text.format("6")) and "neg" not in run(scratch, text.format("2, 3"))


def test_rules_that_chase_each_other_are_named(scratch: dict) -> None:
    @rule()
    def to_sub(x: Pat, y: Pat) -> Equation:
        return x + y, x - -y

    @rule()
    def to_add(x: Pat, y: Pat) -> Equation:
        return x - -y, x + y + -y

    with pytest.raises(GraphError, match=r"rules rewrite one another's results without end: .*to_sub"):
        run(scratch, FACTORED)


def test_rules_no_test_could_try_are_refused(scratch: dict) -> None:
    with pytest.raises(ValueError, match="give examples of its attributes"):
        @rule()
        def no_examples(x: Pat, s: Attr) -> Equation:
            return p.reshape(x, shape=s), x

    with pytest.raises(ValueError, match="annotate x as Pat, Splat, Attr or AnyOp"):
        @rule()
        def no_annotation(x):  # type: ignore[no-untyped-def]
            return p.neg(x), x

    with pytest.raises(ValueError, match="no op is named 'nag'"):
        @rule()
        def no_op(x: Pat) -> Equation:
            return p.nag(x), x

    with pytest.raises(ValueError, match="has no examples"):
        procedure(("neg",), ())(lambda make, node: None)


def test_a_rule_that_changes_the_type_is_named(scratch: dict) -> None:
    @rule(examples=({"x": "f32[2, 3]"},))
    def wrong(x: Pat) -> Equation:
        return p.exp(x), p.reduce_sum(x, axes=(0,))

    with pytest.raises(GraphError, match=r"rule wrong turns f32\[2\] into f32\[\]"):
        run(scratch, "graph g {\n param %x: f32[2]\n %0 = exp(%x)\n out y = %0\n}\n")


def test_the_log_tells_rule_node_and_place() -> None:
    graph = Graph("g")
    x = build.param(graph, "x", parse_type("f32[2]"))
    with graph.located("dense/relu", "model.py:4"):
        graph.outputs["y"] = build.neg(build.neg(x))
    _, log = simplify_with_log(graph)
    assert [(a.rule, a.op, a.node, a.path, a.source) for a in log] == [("negate_twice", "neg", 2, "dense/relu", "model.py:4")]


def test_inexact_rules_are_off_unless_listed_or_asked_for() -> None:
    names = {r.name for r in rules_named()}
    assert {n for n, r in RULES.items() if r.inexact} & names == set(DEFAULT_INEXACT)
    assert "common_factor" not in names
    assert "mul(%a, %0)" in print_graph(simplify(parse_graph(FACTORED), inexact=["common_factor"])).replace("%0, %a", "%a, %0")
    with pytest.raises(ValueError, match="no rule is named 'nonsense'"):
        simplify(parse_graph(FACTORED), inexact=["nonsense"])


def test_the_graph_given_is_untouched() -> None:
    graph = random_graph(5)
    text = print_graph(graph, locations=True)
    simplify(graph)
    assert print_graph(graph, locations=True) == text


def test_stop_gradient_stays_before_a_gradient() -> None:
    graph = parse_graph("graph g {\n param %x: f32[]\n %0 = stop_gradient(%x)\n %1 = mul(%0, %x)\n %2 = gradient(%1, %x)\n out y = %2\n}\n")
    assert "stop_gradient" in print_graph(simplify(graph))
    assert print_graph(simplify(differentiate(graph))) == "graph g {\n  param %x: f32[]\n  out y = %x\n}\n"


def test_a_thousand_nodes_are_simplified_in_a_third_of_a_second() -> None:
    graph = next(g for g in (differentiate(random_graph(seed, steps=400)) for seed in range(20)) if len(g) >= 1000)
    times = []
    for _ in range(3):
        started = time.process_time()
        simplify(graph)
        times.append(time.process_time() - started)
    assert min(times) * 1000 / len(graph) < 0.3, f"{len(graph)} nodes took {min(times):.3f} s"
