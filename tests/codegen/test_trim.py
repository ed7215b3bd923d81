"""Sums over a window of one channel, whose lanes are places of the image: which terms count differs from lane to lane."""

from __future__ import annotations

import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

GRADIENT = """
kernel gradient
  axes n:B, y:{h}, x:{w}, u:{k}, v:{k}
  read g: {kind}[B, {h}, {w}], w: {kind}[{k}, {k}]
  write r: {kind}[B, {h}, {w}]
  reduce s[n, y, x] = add over u, v of (g[n, {y}, {x}] if 0 <= {y} < {h} and 0 <= {x} < {w} else 0.0) * w[u, v]
  store r[n, y, x] = s
"""


@pytest.mark.parametrize("target", [Target.host(), Target.named("avx2")], ids=["host", "avx2"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize(("h", "w", "k"), [(8, 8, 3), (8, 8, 5), (13, 4, 3), (4, 13, 3), (5, 16, 5)])
def test_input_gradients_of_one_channel(h: int, w: int, k: int, kind: str, target: Target) -> None:
    kernel = parse_kernel(GRADIENT.lstrip().format(h=h, w=w, k=k, kind=kind, y=f"y + u - {k // 2}", x=f"x + v - {k // 2}"))
    for batch in (1, 3):
        arrays, symbols = inputs(kernel, {"B": batch}), {"B": batch}
        found = run_native(Native(plan(lower(kernel), target), target), arrays, symbols)
        assert_close(kernel, found, evaluate(kernel, arrays, symbols), f"{h}x{w}")
