"""Products of two operands in rows far apart: the same results for every batch and share of the trips, and where they are planned."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

SMALL = replace(Target.named("avx512"), l2=512 << 10)


def gradient(rows: int, columns: int, extra: str = "") -> Kernel:
    return parse_kernel(f"""kernel gradient
  axes i:{rows}, j:{columns}, k:B
  read x: f32[B, {rows}], d: f32[B, {columns}]{f", w: f32[{rows}, {columns}]" if extra else ""}
  write y: f32[{rows}, {columns}]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  store y[i, j] = g * 0.5{extra}
""")


@pytest.mark.parametrize(("rows", "columns"), [(512, 256), (450, 301), (300, 1100), (784, 271)])
def test_every_batch(rows: int, columns: int) -> None:
    """Rows and columns that fill tiles, panels and blocks or not, against sums that are packed or not, of one part or several."""
    kernel = gradient(rows, columns)
    nest = plan(lower(kernel), SMALL)
    assert any(step.startswith("repack(") for step in nest.steps), nest.steps
    compiled = Native(nest)
    for batch in (1, 2, 64, 65, 128, 129, 260):
        arrays = inputs(kernel, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), f"{rows} x {columns}, {batch}")
        again = run_native(compiled, arrays, {"B": batch}, shares=3)
        np.testing.assert_array_equal(again["y"], first["y"], err_msg=f"{rows} x {columns}, {batch} in shares")


def test_where_they_are_planned() -> None:
    def packed(kernel: Kernel, target: str = "avx512", **fields: int) -> bool:
        return any(step.startswith("repack(") for step in plan(lower(kernel), replace(Target.named(target), **fields)).steps)
    assert packed(gradient(784, 500))
    assert not packed(gradient(784, 500), "avx2")
    assert not packed(gradient(784, 200)), "rows of 800 bytes lie near each other"
    assert not packed(gradient(784, 500, " - w[i, j]")), "what follows the sum reads a matrix"
    assert not packed(gradient(784, 500), cores=64), "a core has no block worth packing for"
