"""Text forms: what the ops describe comes back to the byte, and mistakes are named with their place."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile.ir.ops  # noqa: F401
from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.op import OPS, OpaqueKernel
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.random_graphs import random_graph
from kcompile.ir.text import (
    ParseError,
    parse,
    parse_graph,
    parse_kernel,
    parse_program,
    print_graph,
    print_kernel,
    print_program,
    print_text,
)
from kcompile.ir.types import parse_type
from kcompile.ir.verify import verify_kernel

SAMPLES = [(op.name, number) for op in OPS.values() for number in range(len(op.samples))]


@pytest.mark.parametrize("name", sorted({name for name, _ in SAMPLES}))
def test_every_op_as_text(name: str) -> None:
    op = OPS[name]
    for sample in op.samples:
        graph = Graph("sample")
        inputs = [build.param(graph, f"x{n}", type_) for n, type_ in enumerate(sample.inputs)]
        for number, value in enumerate(graph.add(op, inputs, sample.attrs)):
            graph.outputs[f"y{number}"] = value
        text = print_graph(graph)
        back = parse_graph(text)
        assert print_graph(back) == text
        assert [v.type for v in back.outputs.values()] == [v.type for v in graph.outputs.values()]
        assert next(n for n in back.nodes() if n.op is op).attrs == next(n for n in graph.nodes() if n.op is op).attrs


@pytest.mark.parametrize("name", sorted({name for name, _ in SAMPLES if not isinstance(OPS[name].kernel, OpaqueKernel)}))
def test_every_described_kernel_as_text(name: str) -> None:
    op = OPS[name]
    for sample in op.samples:
        for kernel in op.kernel(sample.inputs, tuple(op.infer(sample.inputs, sample.attrs)), sample.attrs):
            verify_kernel(kernel)
            text = print_kernel(kernel)
            assert parse_kernel(text) == kernel
            assert print_kernel(parse_kernel(text)) == text


def test_programs_as_text() -> None:
    for seed in range(8):
        program = describe(simplify(differentiate(random_graph(seed))))
        for stage in (program, fuse(program), plan(fuse(program))):
            text = print_program(stage, verdicts=True)
            assert print_program(parse_program(text), verdicts=True) == text
            assert parse_program(text) == stage


def test_first_word_decides() -> None:
    graph = parse("graph g {\n  param %x: f32[2]\n  out y = %x\n}\n")
    assert print_text(graph).startswith("graph g {")
    with pytest.raises(ParseError, match=r"^<text>:1:1: expected graph, kernel or program, found 'module'$"):
        parse("module m\n")


def test_types_may_be_left_out() -> None:
    graph = parse_graph("graph g {\n param %x: f32[B, 2]\n %0 = exp(%x)\n %1 = constant(2.0): f32[B, 2]\n %2 = mul(%0, %1)\n out y = %2\n}")
    assert str(graph.outputs["y"].type) == "f32[B, 2]"


def test_numbers_keep_their_bits() -> None:
    graph = Graph("numbers")
    for number, value in enumerate((0.1, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4028235e38, 16777217.0)):
        graph.outputs[f"y{number}"] = build.constant(graph, value, parse_type("f32[B]"))
    graph.outputs["z"] = build.constant(graph, [[1.5, -0.0], [0.25, np.inf]], parse_type("f64[2, 2]"))
    back = parse_graph(print_graph(graph))
    for name, value in graph.outputs.items():
        assert repr(back.outputs[name].node.attrs["value"]) == repr(value.node.attrs["value"])


def test_locations_come_back() -> None:
    graph = Graph("located")
    x = build.param(graph, "x", parse_type("f32[2]"))
    with graph.located("block/dense", "my model.py:12"):
        y = build.exp(x)
    with graph.located("", "model.py:3"):
        graph.outputs["y"] = build.neg(y)
    text = print_graph(graph, locations=True)
    assert "  # block/dense my model.py:12\n" in text and "  # - model.py:3\n" in text
    assert print_graph(parse_graph(text), locations=True) == text


@pytest.mark.parametrize(("text", "message"), [
    ("graph g {\n  param %x f32[2]\n}", "g.kir:2:12: expected ':', found 'f32'"),
    ("graph g {\n  param %x: f33[2]\n}", "g.kir:2:13: expected a type such as f32[B, 784], found 'f33'"),
    ("graph g {\n  param %x: f32[2]\n  %0 = exq(%x)\n}", "g.kir:3:8: expected the name of an op, found 'exq'"),
    ("graph g {\n  param %x: f32[2]\n  %x = exp(%x)\n}", "g.kir:3:3: expected a name that is not taken, found '%x'"),
    ("graph g {\n  param %x: f32[2]\n  out y = %x",
     "g.kir:3:13: expected param, state, a node, out, update or '}', found the end of the text"),
    ("graph g {\n  state %x: f32[2]  role=wait\n}", "g.kir:2:9: expected role= one of weight"),
    ("graph g {\n  param %x: f32[2]\n  update x = %x\n}", "g.kir:3:10: expected the path of a state, found 'x'"),
    ("graph g {\n  param %x: f32[2]\n  %0 = exp(%x) $\n}", "g.kir:3:16: expected a token, found '$'"),
    ("graph g {\n  param %x: f32[2]\n  %0, %1 = exp(%x)\n}", "g.kir:3:7: expected 1 results of exp, found 2"),
    ("kernel k\n  axes i:3\n  read x: f32[3]\n  write y: f32[3]\n  store y[i] = x[j]\n",
     "g.kir:5:18: expected an axis or an index equation of the kernel, found 'j'"),
    ("kernel k\n  axes i:3\n  read x: f32[3]\n  write y: f32[3]\n  store y[i] = x[i] + a\n",
     "g.kir:5:23: expected the name of an earlier equation, an array with its index, or a function, found 'a'"),
    ("kernel k\n  axes i:3\n  read x: f32[3], n: i32[3]\n  write y: f32[3]\n  store y[i] = x[i] + n[i]\n",
     "g.kir:5:21: expected operands of one type for add, found f32 and i32"),
    ("kernel k\n  axes i:3\n  write y: f32[3]\n  let a[i] = 1.0\n  store y[i] = a\n",
     "g.kir:4:14: expected a constant with its type, as in 0.0:f32, found '1.0'"),
    ("program p {\n  temp t: f32[3]\n  step 1\n}", "g.kir:3:8: expected step 0, found '1'"),
    ("program p {\n  out y = t\n}", "g.kir:2:11: expected a buffer that is declared above, found 't'"),
])
def test_mistakes_are_placed(text: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, "g.kir")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
