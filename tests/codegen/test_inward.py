"""Short sums for each row of a batch (`d @ w.T`): panels of w are turned, results lie as made: for every width, batch and share."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native


def gradient(columns: int, terms: int, still: str = "") -> Kernel:
    return parse_kernel(f"""kernel gradient
  axes i:B, j:{columns}, k:{terms}
  read d: f32[B, {terms}], w: f32[{columns}, {terms}], y: f32[B, {columns}]
  write dx: f32[B, {columns}]
  reduce s[i, j] = add over k of d[i, k] * w[j, k]
  store dx[i, j] = select(y[i, j] >= 0.0, s, 0.0)
{still}""")


def turned_in(kernel: Kernel) -> bool:
    return any(step.startswith("pack(w, j, k,") for step in plan(lower(kernel), Target.named("avx512")).steps)


@pytest.mark.parametrize("target", ["host", "avx512", "avx2"])
@pytest.mark.parametrize(("columns", "terms"), [(512, 10), (64, 10), (100, 3), (77, 17), (784, 33), (128, 64)])
def test_every_width(columns: int, terms: int, target: str) -> None:
    kernel = gradient(columns, terms)
    compiled = Native(plan(lower(kernel), Target.named(target)))
    for batch in (1, 7, 8, 33):
        arrays = inputs(kernel, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), f"{columns} x {terms}, {batch} rows")
        np.testing.assert_array_equal(run_native(compiled, arrays, {"B": batch}, shares=3)["dx"], first["dx"])


def test_where_it_happens() -> None:
    assert turned_in(gradient(512, 10)) and turned_in(gradient(64, 10))
    assert not turned_in(gradient(40, 10)), "few panels"
    assert not turned_in(gradient(512, 100)), "a long sum, beside which it is nothing to turn results"
