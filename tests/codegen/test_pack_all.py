"""An operand packed whole before the loops that share the work: right for every share, and for a last panel that is not full."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import KERNELS, assert_close, evaluate, inputs, run_native

POINTWISE = parse_kernel("""
kernel pointwise
  axes n:B, y:8, x:9, o:300, c:21
  read t: f32[B, 8, 9, 21], w: f32[21, 300], b: f32[300]
  write r: f32[B, 8, 9, 300]
  reduce s[n, y, x, o] = add over c of t[n, y, x, c] * w[c, o]
  store r[n, y, x, o] = max(s + b[o], 0.0)
""".lstrip())


@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_pointwise_convolutions_pack_their_filter_whole(target: str) -> None:
    nest = plan(lower(POINTWISE), Target.named(target))
    assert any(step.startswith("pack_all(w, ") for step in nest.steps)
    compiled = Native(nest)
    for batch in (1, 3):
        arrays = inputs(POINTWISE, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(POINTWISE, first, evaluate(POINTWISE, arrays, {"B": batch}), f"pointwise, {batch} images")
        again = run_native(compiled, arrays, {"B": batch}, shares=5)
        np.testing.assert_array_equal(again["r"], first["r"])


def test_rows_that_surely_fill_their_tiles_are_not_clamped() -> None:
    nest = plan(lower(POINTWISE), Target.named("avx512"))
    row = next(step for step in nest.steps if step.startswith("tile(n.y.x"))
    assert 72 % int(row.rstrip(")").split(", ")[1]) == 0


def test_an_operand_of_other_loops_is_refused() -> None:
    nest = lower(KERNELS["dense"])
    for step in ("tile(j, 32)", "vectorize(j.i, 16)"):
        nest = apply(nest, step)
    with pytest.raises(ScheduleError, match="pack_all"):
        apply(nest, "pack_all(x, j, k, 16)")
