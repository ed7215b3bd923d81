"""Epilogues along rows of fewer elements than lanes, as those of a classifier's last layer: in one piece, and the same results."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Loop, statements
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native


def adam(rows: int, columns: int, extra: str = "") -> Kernel:
    shape = f"f32[{rows}, {columns}]"
    return parse_kernel(f"""kernel adam
  axes i:{rows}, j:{columns}, k:B
  read x: f32[B, {rows}], d: f32[B, {columns}], w: {shape}, m: {shape}, v: {shape}, rate: f32[], b: f32[{columns}]
  write w2: {shape}, m2: {shape}, v2: {shape}
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  let mn[i, j] = m[i, j] * 0.9 + g * 0.1
  let vn[i, j] = v[i, j] * 0.999 + g * g * 0.001
  store m2[i, j] = mn
  store v2[i, j] = vn
  store w2[i, j] = w[i, j] - rate[] * mn / (sqrt(vn) + 0.001) {extra}
  in_place w2 = w
  in_place m2 = m
  in_place v2 = v
""")


def flat(kernel: Kernel, target: str = "avx512") -> bool:
    return any(loop.var.endswith(".e") for loop in statements(plan(lower(kernel), Target.named(target)).body) if isinstance(loop, Loop))


@pytest.mark.parametrize("target", ["host", "avx512", "avx2"])
@pytest.mark.parametrize(("rows", "columns"), [(512, 10), (64, 10), (128, 3), (48, 5), (64, 7), (96, 12), (33, 10), (128, 16), (7, 10)])
def test_updates_of_narrow_layers(rows: int, columns: int, target: str) -> None:
    kernel = adam(rows, columns)
    compiled = Native(plan(lower(kernel), Target.named(target)))
    for batch in (1, 2, 33):
        arrays = inputs(kernel, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), f"{rows} x {columns}, {batch} rows")
        for before in (False, True):
            again = run_native(compiled, arrays, {"B": batch}, shares=3, before=before)
            for name in kernel.writes:
                np.testing.assert_array_equal(again[name], first[name])


def test_when_rows_are_one_piece() -> None:
    assert flat(adam(512, 10)) and flat(adam(512, 10), "avx2") and flat(adam(512, 5), "avx2")
    assert not flat(adam(512, 16)), "rows are whole vectors"
    assert not flat(adam(512, 10, "+ b[j]")), "what the rows share does not lie one behind the other"
    assert not flat(adam(33, 10)), "the last tile has fewer rows"
