"""Tiles of the rows of two operands with the sum as lanes: the reference's results, and for each row the same bits in any batch."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

PRODUCT = """
kernel product_of_rows
  axes i:B, j:{columns}, k:{long}
  read d: f32[B, {long}], w: f32[{columns}, {long}]
  write y: f32[B, {columns}]
  reduce s[i, j] = add over k of d[i, k] * w[j, k]
  store y[i, j] = max(s, 0.5)
"""


@pytest.mark.parametrize(("columns", "long"), [(16, 3136), (7, 4001), (2, 2600)])
def test_rows_have_the_same_bits_in_any_batch(columns: int, long: int) -> None:
    kernel = parse_kernel(PRODUCT.format(columns=columns, long=long).lstrip())
    target = Target.named("avx512") if Target.host().vector_bytes == 64 else Target.named("avx2")
    nest = plan(lower(kernel), target)
    if target.vector_bytes == 64:
        assert any("at a time" in note and "which is reduced" in note for note in nest.notes)
    native = Native(nest, target)
    whole = inputs(kernel, {"B": 13})
    for batch in (1, 5, 6, 13):
        symbols = {"B": batch}
        arrays = {name: array if name == "w" else array[:batch].copy() for name, array in whole.items()}
        found = run_native(native, arrays, symbols, shares=min(batch, 3))
        assert_close(kernel, found, evaluate(kernel, arrays, symbols), f"batch {batch}")
        if batch == 1:
            first = found["y"][0].copy()
        np.testing.assert_array_equal(found["y"][0], first)
