"""Rows whose last vector has one live lane: what is stored there has the bytes of its own dtype, not of what it was computed in.

LLVM 22.1 stores a single lane of a truncated vector with four bytes for two (llvm/llvm-project#179489).
"""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import DTYPES

from .harness import Native, run_native

CAST = """kernel cast
  axes i:B, j:{n}
  read x: {wide}[B, {n}]
  write y: {narrow}[B, {n}]
  store y[i, j] = {narrow}(x[i, j])
"""
ROWS = """kernel rows
  axes i:B, j:{n}
  read x: {wide}[B, {n}]
  write y: {narrow}[B, {n}]
  reduce most[i] = max over j of x[i, j]
  store y[i, j] = {narrow}(x[i, j] - most)
"""
APART = """kernel apart
  axes i:B, j:{n}
  read x: {wide}[B, {n}]
  write y: {narrow}[B, {n}, 3], z: {wide}[B]
  reduce total[i] = add over j of x[i, j]
  store z[i] = total
  store y[i, j, 1] = {narrow}(x[i, j] - total)
"""
TURNED = """kernel turned
  axes i:{n}, j:40
  read x: {wide}[40, {n}]
  write y: {narrow}[{n}, 40]
  store y[i, j] = {narrow}(x[j, i] + x[j, i])
"""


@pytest.mark.parametrize("target", ["avx512", "avx2"])
@pytest.mark.parametrize(("wide", "narrow"), [("f32", "bf16"), ("f32", "f16"), ("i32", "i8"), ("i32", "u16"), ("i64", "i32")])
@pytest.mark.parametrize("text", [CAST, ROWS, APART, TURNED], ids=["cast", "rows", "apart", "turned"])
def test_nothing_behind_it_is_touched(text: str, wide: str, narrow: str, target: str) -> None:
    chosen = Target.named(target)
    if chosen.vector_bytes > Target.host().vector_bytes:
        pytest.skip("not a processor for such vectors")
    for n in (9, 17, 33, 49, 65):
        kernel = parse_kernel(text.format(n=n, wide=wide, narrow=narrow))
        native = Native(plan(lower(kernel), chosen), chosen)
        for rows in (1, 3):
            x, *out = (np.zeros([rows if str(d) == "B" else int(str(d)) for d in kind.shape], kind.dtype.numpy)
                       for kind in kernel.arrays.values())
            x[...] = np.random.default_rng(n).integers(-40, 40, x.shape)
            found = run_native(native, dict(zip(kernel.arrays, (x, *out), strict=True)), {"B": rows})["y"]
            if text.startswith("kernel rows"):
                wanted = x - x.max(1, keepdims=True)
            elif text.startswith("kernel apart"):
                wanted, found = x - x.sum(1, keepdims=True), found[..., 1]
            else:
                wanted = x if text.startswith("kernel cast") else (x + x).T
            if DTYPES[narrow].is_float:
                np.testing.assert_allclose(found.astype("f4"), wanted, rtol=1e-2)
            else:
                np.testing.assert_array_equal(found, wanted.astype(DTYPES[narrow].numpy))
