"""Texts of nests print and parse to the byte."""

from __future__ import annotations

import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.text.tokens import ParseError

from .kernels import ALL


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name: str) -> None:
    nest = lower(parse_kernel(ALL[name].strip() + "\n"))
    along = replace(nest, along=True)
    for stage in (nest, plan(nest, Target.named("avx512")), plan(nest, Target.named("scalar")), along, plan(along, Target.named("avx512"))):
        text = print_nest(stage)
        again = parse_nest(text)
        assert print_nest(again) == text
        assert again.body == stage.body and again.along == stage.along
        assert (again.trips, again.symbols) == (stage.trips, stage.symbols)


@pytest.mark.parametrize(("right", "wrong", "expected"), [
    ("c add=", "d add=", "the name of an accumulator"),
    ("]: f32 = add", "]: f99 = add", "an element type"),
    ("]: f32 = add", "]: f32 = sub", "add, mul, max or min"),
    ("        y[", "        fold q = d over j\n        y[", "an accumulator"),
    ("        y[", "        y[50*i + j] = transpose v over j<4, k:vec4\n        y[", "the name of a let"),
])
def test_a_mistake_is_named_with_its_place(right: str, wrong: str, expected: str) -> None:
    text = print_nest(lower(parse_kernel(ALL["dense"].strip() + "\n")))
    assert right in text
    with pytest.raises(ParseError, match=rf"<text>:\d+:\d+: expected .*{expected}"):
        parse_nest(text.replace(right, wrong))
