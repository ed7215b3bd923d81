"""The last of a tile's vectors steps back; loops that count rows, as many as there are vectors, do not."""

from __future__ import annotations

import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

CONV = """
kernel conv
  axes n:B, y:{size}, x:{size}, o:{o}, u:3, v:3, c:{c}
  read t: {dtype}[B, {size} + 2, {size} + 2, {c}], w: {dtype}[3, 3, {c}, {o}]
  write r: {dtype}[B, {size}, {size}, {o}]
  reduce s[n, y, x, o] = add over u, v, c of t[n, y + u, x + v, c] * w[u, v, c, o]
  store r[n, y, x, o] = s
"""


def text(size: int, o: int, c: int, dtype: str) -> str:
    return CONV.lstrip().format(size=size, o=o, c=c, dtype=dtype).replace(f"{size} + 2", str(size + 2))


@pytest.mark.parametrize("target", [Target.host(), Target.named("avx2")], ids=["host", "avx2"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("size", [2, 4, 6])
@pytest.mark.parametrize("o", [12, 20, 24, 40])
@pytest.mark.parametrize("c", [2, 3, 16])
def test_convolutions_whose_rows_lie_whole_vectors_apart(size: int, o: int, c: int, dtype: str, target: Target) -> None:
    kernel = parse_kernel(text(size, o, c, dtype))
    arrays, symbols = inputs(kernel, {"B": 2}), {"B": 2}
    found = run_native(Native(plan(lower(kernel), target), target), arrays, symbols)
    assert_close(kernel, found, evaluate(kernel, arrays, symbols), f"{o} channels")


def test_what_counts_rows_stays_as_it_is() -> None:
    nest = plan(lower(parse_kernel(text(6, 40, 2, "f32"))), Target.named("avx512"))
    assert [step for step in nest.steps if step.startswith("slide(")] == ["slide(o.i.u)"]
