"""Rows gone through block by block: when it pays, and the same results for every share of the work."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.row_blocks import RowBlocks, Traffic, row_blocks
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import Dim

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

AVX2 = Target.named("avx2")
B = Dim.symbol("B")

KERNELS = {
    "pointwise": """
kernel pointwise
  axes n:B, y:8, x:8, o:640, c:96
  read t: f32[B, 8, 8, 96], w: f32[96, 640], b: f32[640]
  write r: f32[B, 8, 8, 640]
  reduce s[n, y, x, o] = add over c of t[n, y, x, c] * w[c, o]
  store r[n, y, x, o] = max(s + b[o], 0.0)
""",
    "strided": """
kernel strided
  axes n:B, y:3, x:30, o:72, ky:3, kx:3, c:72
  read t: f32[B, 7, 61, 72], w: f32[3, 3, 72, 72]
  write r: f32[B, 3, 30, 72]
  reduce s[n, y, x, o] = add over ky, kx, c of t[n, 2*y + ky, 2*x + kx, c] * w[ky, kx, c, o]
  store r[n, y, x, o] = s
""",
}


@pytest.mark.parametrize("name", KERNELS)
def test_blocks_compute_what_the_kernel_says(name: str) -> None:
    kernel = parse_kernel(KERNELS[name].lstrip())
    nest = plan(lower(kernel), AVX2)
    assert any("rows at a time for all panels" in note for note in nest.notes)
    compiled = Native(nest)
    for batch in (1, 2):
        arrays = inputs(kernel, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), f"{name}, {batch} images")
        for shares in (2, 5):
            again = run_native(compiled, arrays, {"B": batch}, shares=shares)
            np.testing.assert_array_equal(again["r"], first["r"])


def test_small_rows_are_streamed() -> None:
    assert row_blocks({"n": 49 * B}, {"n": 7}, Traffic(4 << 20, 49 * 512, 32), AVX2) is None


def test_large_rows_are_cut_into_whole_tiles_of_a_sample() -> None:
    found = row_blocks({"n": 784 * B}, {"n": 4}, Traffic(256 << 10, 784 * 512, 32), AVX2)
    assert found and found.before == 1 and 784 % found.cut == 0 and found.cut % 4 == 0 and found.cut == found.rows
    assert row_blocks({"n": 784 * B}, {"n": 6}, Traffic(256 << 10, 784 * 512, 32), AVX2) is None  # tiles of six do not fill it


def test_outer_loops_are_a_block() -> None:
    extents, tiles = {"i.j": 28 * B, "k": 28}, {"k": 4}
    assert row_blocks(extents, tiles, Traffic(512 << 10, 3 << 20, 32), AVX2) == RowBlocks(1, 0, 28)
