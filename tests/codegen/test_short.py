"""A last tile of known rows with code of its own: for every number of rows that may be left, in place too, and for every share."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.codegen.tiles import worth_a_short_tile
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

AVX2 = Target.named("avx2")
KERNEL = """
kernel rows
  axes i:{rows}, j:48, k:20
  read x: f32[{rows}, 20], w: f32[20, 48], b: f32[48]
  write y: f32[{rows}, 48]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = {value}
"""


@pytest.mark.parametrize("value", ["max(c + b[j], 0.0)", "tanh(c) * exp(b[j]) + log(c * c + 1.0)"])
@pytest.mark.parametrize("rows", [7, 9, 11, 13, 14, 15, 17, 19, 22, 23])
def test_rows_that_are_left(rows: int, value: str) -> None:
    kernel = parse_kernel(KERNEL.format(rows=rows, value=value).lstrip())
    nest = plan(lower(kernel), AVX2)
    compiled = Native(nest)
    arrays = inputs(kernel, {})
    first = run_native(compiled, arrays, {})
    assert_close(kernel, first, evaluate(kernel, arrays, {}), f"{rows} rows")
    for shares in (2, 3):
        np.testing.assert_array_equal(run_native(compiled, arrays, {}, shares=shares)["y"], first["y"])


def test_it_happens() -> None:
    nest = plan(lower(parse_kernel(KERNEL.format(rows=7, value="c").lstrip())), AVX2)
    assert any(step.startswith("short(") for step in nest.steps)


def test_little_is_computed_twice() -> None:
    assert worth_a_short_tile(7, 4) and not worth_a_short_tile(8, 4) and not worth_a_short_tile(199, 4) and not worth_a_short_tile(3, 4)
