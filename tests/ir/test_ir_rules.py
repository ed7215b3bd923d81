"""Every rule, tried on its examples: it applies, and both sides have the same bits (or, if inexact, close values)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import kcompile.ir.ops
import kcompile.ir.rules  # noqa: F401
from kcompile.ir import build
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph, Value
from kcompile.ir.op import OPS
from kcompile.ir.patterns import AnyOp, Attr, Splat, Variable, instantiate
from kcompile.ir.rewrite import RULES, Rewriter, Rule
from kcompile.ir.text import parse_graph, print_graph
from kcompile.ir.types import DTYPES, TensorType, evaluate_dim, parse_dim, parse_type
from kcompile.ir.verify import verify_graph

BATCH = {"B": 4}
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5)
DEFAULT_TYPES = ("f32[2, 3]", "f64[5]", "i32[2, 3]", "bool[4]")


def attribute(value: Any) -> Any:
    """The attribute an example means: 'B' is a dim, 'f32' a dtype."""
    if isinstance(value, str):
        return DTYPES[value] if value in DTYPES else parse_dim(value)
    return tuple(attribute(v) for v in value) if isinstance(value, tuple) else value


def instances(entry: Rule) -> Iterator[tuple[Graph, float]]:
    """A graph of the left side and the least value of its floats, for every example and every member of the families that
    fits its types."""
    families = [v for v in entry.variables.values() if isinstance(v, AnyOp)]
    for example in entry.examples:
        typed = any(isinstance(v, Variable) and name in example for name, v in entry.variables.items())
        for default in (DEFAULT_TYPES[:1] if typed else DEFAULT_TYPES):
            for members in itertools.product(*(family.ops for family in families)):
                for dtype in ((DTYPES["f64"], DTYPES["i32"], DTYPES["bool"]) if "cast" in members else (None,)):
                    graph = instance(entry, example, default, dict(zip([f.name for f in families], members, strict=True)), dtype)
                    if graph is not None:
                        yield graph, example.get("at_least", -3.0)


def instance(entry: Rule, example: Any, default: str, members: dict[str, str], dtype: Any) -> Graph | None:
    graph = Graph(entry.name)
    bindings: dict[str, Any] = {}

    def make(op: str, /, *inputs: Value, **attrs: Any) -> Value:
        return graph.add(OPS[op], inputs, attrs)[0]

    for name, variable in entry.variables.items():
        if isinstance(variable, Splat):
            given = example.get(name, 0.75 if default[0] == "f" else default[0] == "b" or 3)
            number, type_text = given if isinstance(given, tuple) else (given, default)
            bindings[name] = build.constant(graph, number, parse_type(type_text))
        elif isinstance(variable, Attr):
            bindings[name] = attribute(example[name])
        elif isinstance(variable, Variable):
            bindings[name] = build.param(graph, name, parse_type(example.get(name, default)))
        else:
            bindings[name] = matched_node(members[name], dtype)
    try:
        graph.outputs["y"] = instantiate(entry.left, bindings, make, left_type(entry, bindings))
    except (TypeError, KeyError):
        return None  # the op does not take such operands
    guard = {name: bindings[name] for name in entry.guard_names}
    return graph if entry.where is None or entry.where(**guard) else None


def left_type(entry: Rule, bindings: dict[str, Any]) -> TensorType | None:
    return next((v.type for v in bindings.values() if isinstance(v, Value)), None)


class matched_node:
    """What an AnyOp is bound to: an op with its attributes."""

    def __init__(self, op: str, dtype: Any) -> None:
        self.op, self.attrs = OPS[op], {"dtype": dtype} if op == "cast" else {}


def draw(rng: np.random.Generator, type_: TensorType, special: bool, low: float) -> np.ndarray:
    shape = tuple(evaluate_dim(d, BATCH) for d in type_.shape)
    if type_.dtype.kind == "b":
        return rng.random(shape) < 0.5
    if type_.dtype.is_integer:
        return rng.integers(0 if type_.dtype.kind == "u" else -9, 9, shape).astype(type_.dtype.numpy)
    values = rng.uniform(max(low, -3), 3, shape)
    if special:
        values = np.where(rng.random(shape) < 0.6, rng.choice(SPECIAL, shape), values)
    return values.astype(type_.dtype.numpy)


def bits(array: np.ndarray) -> bytes:
    if array.dtype.kind not in "iub":
        array = np.where(np.isnan(array.astype(np.float64)), np.asarray(np.nan, array.dtype), array)
    return np.ascontiguousarray(array).tobytes()


def compare(entry: Rule, before: Graph, after: Graph, low: float) -> None:
    rng = np.random.default_rng(0)
    tolerant = entry.inexact or entry.close
    for round_ in range(4):
        special = round_ > 0 and not tolerant
        params = {name: draw(rng, v.type, special, low) for name, v in before.params.items()}
        wanted, _ = evaluate(before, params, symbols=BATCH)
        got, _ = evaluate(after, params, symbols=BATCH)
        for name, value in wanted.items():
            if tolerant:
                np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6, err_msg=print_graph(before) + print_graph(after))
            else:
                assert bits(got[name]) == bits(value), f"{value}\n{got[name]}\n{params}\n" + print_graph(before) + print_graph(after)


@pytest.mark.parametrize("name", RULES)
def test_both_sides_agree(name: str) -> None:
    entry = RULES[name]
    graphs = [(parse_graph(text, name), -3.0) for text in entry.examples] if entry.procedure else list(instances(entry))
    assert graphs, "no example of the rule fits its guard and the types of its ops"
    for graph, low in graphs:
        rewriter = Rewriter([entry])
        after = rewriter.run(graph)
        assert any(application.rule == name for application in rewriter.log), "the rule does not apply to\n" + print_graph(graph)
        verify_graph(after)
        compare(entry, graph, after, low)


def test_all_rules_together_settle() -> None:
    """Every left side simplified with every rule on: no endless loop, and a second pass changes nothing."""
    for entry in RULES.values():
        if entry.procedure is None:
            for graph, _ in instances(entry):
                once = Rewriter(RULES.values()).run(graph)
                again = Rewriter(RULES.values()).run(once)
                assert print_graph(once) == print_graph(again), entry.name


