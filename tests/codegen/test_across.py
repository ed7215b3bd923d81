"""Sums folded side by side: the reference's results, for each sample the same bits in any batch, and those of a fold by itself."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import VECTOR, Fold, Loop, Nest, statements
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

FEW = """
kernel few_columns
  axes n:B, y:{height}, x:{width}, o:{columns}, u:3, v:3, c:{channels}
  read t: {kind}[B, {height}, {width}, {channels}], w: {kind}[3, 3, {columns}, {channels}], b: {kind}[{columns}]
  write r: {kind}[B, {height}, {wide}, {columns}]
  reduce s[n, y, x, o] = add over u, v, c of (t[n, y + u - 1, x + v - 1, c] if {inside} else 0.0) * w[u, v, o, c]
  store r[n, y, {apart}*x, o] = max(s + b[o], 0.0)
"""
TARGETS = ("avx512", "avx512,multiply_adds=2", "avx2") if Target.host().vector_bytes == 64 else ("avx2",)


def few(width: int, columns: int, channels: int, apart: int = 1, kind: str = "f32") -> Kernel:
    inside = f"0 <= y + u - 1 < 5 and 0 <= x + v - 1 < {width}"
    return parse_kernel(FEW.format(height=5, width=width, wide=width * apart, columns=columns, channels=channels, apart=apart, kind=kind,
                                   inside=inside).lstrip())


def folded_across(nest: Nest) -> list[Loop]:
    return [s for s in statements(nest.body) if isinstance(s, Loop) and s.mode == VECTOR and any(isinstance(x, Fold) for x in s.inside)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("width", "columns", "channels", "apart", "kind"), [
    (28, 1, 32, 1, "f32"), (14, 1, 32, 2, "f32"), (30, 1, 20, 1, "f32"), (17, 1, 64, 3, "f32"), (7, 1, 16, 1, "f32"), (3, 1, 48, 5, "f32"),
    (28, 3, 64, 1, "f32"), (13, 3, 16, 2, "f32"), (9, 2, 8, 1, "f32"), (5, 4, 40, 1, "f32"), (28, 3, 16, 9, "f32"), (19, 2, 24, 2, "f64"),
])
def test_few_columns(width: int, columns: int, channels: int, apart: int, kind: str, target: str) -> None:
    kernel = few(width, columns, channels, apart, kind)
    nest = plan(lower(kernel), Target.named(target))
    assert folded_across(nest)
    native, whole = Native(nest, Target.named(target)), inputs(kernel, {"B": 3})
    first = []
    for batch, before in ((3, False), (3, True), (1, False)):
        arrays = {name: array[:batch].copy() if name in "tr" else array for name, array in whole.items()}
        found = run_native(native, arrays, {"B": batch}, shares=batch, before=before)
        assert_close(kernel, found, evaluate(kernel, arrays, {"B": batch}), f"batch {batch}")
        first.append(found["r"][0])
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("rows", [2, 3, 8, 9, 12, 13, 16])
def test_a_sum_is_added_up_in_the_order_it_has_by_itself(rows: int, target: str) -> None:
    lanes = Target.named(target).vector_bytes // 4
    kernel = few(32, 1, 64)
    steps = f"tile(c,{lanes});vectorize(c.i,{lanes});rfactor(c.i.v);tile(x,{rows});unroll(x.i);reorder(n,y,x.o,x.i);jam(x.i)"
    alone = lower(kernel)
    for step in steps.split(";"):
        alone = apply(alone, step)
    if 32 % rows:
        alone = apply(alone, "short(x.i)")  # last tiles have code of their own, so that no row is dead
    together = apply(alone, "across(x.i)")
    assert folded_across(together)
    arrays = inputs(kernel, {"B": 2})
    results = [run_native(Native(nest, Target.named(target)), arrays, {"B": 2})["r"] for nest in (alone, together)]
    np.testing.assert_array_equal(*results)


def test_whole_vectors_are_halved_together_where_that_is_as_fast_as_halves() -> None:
    nest = plan(lower(few(28, 3, 64)), Target.named("avx512"))  # tiles of 8 x 3 sums of 16 lanes
    counts = [emit(nest, Target.named(name), "k").count("shufflevector") for name in ("avx512,multiply_adds=2", "avx512")]
    assert counts[0] < 0.75 * counts[1]
