"""Texts of nests print and parse to the byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
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


def test_a_mistake_is_named_with_its_place() -> None:
    text = print_nest(lower(parse_kernel(ALL["dense"].strip() + "\n"))).replace("c add=", "d add=")
    with pytest.raises(ParseError, match=r"<text>:\d+:\d+: expected .*accumulator"):
        parse_nest(text)
