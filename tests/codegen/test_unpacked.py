"""Panels that few rows read where they lie, and many from where they are packed: to the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

FEW = {"avx512": 48, "avx2": 6}


@pytest.mark.parametrize("target", FEW)
@pytest.mark.parametrize("columns", [512, 500])
def test_few_rows_and_many(target: str, columns: int) -> None:
    kernel = parse_kernel(f"""
kernel dense
  axes i:B, j:{columns}, k:300
  read x: f32[B, 300], w: f32[300, {columns}], b: f32[{columns}]
  write y: f32[B, {columns}]
  reduce s[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(s + b[j], 0.0)
""".lstrip())
    few = FEW[target]
    nest = plan(lower(kernel), Target.named(target))
    assert f"unpacked(w, i, {few})" in nest.steps and "along(w, i)" in nest.steps
    compiled = Native(nest, Target.named(target))
    arrays = inputs(kernel, {"B": 2 * few + 1})
    packed = run_native(compiled, arrays, {"B": 2 * few + 1}, shares=3)
    assert_close(kernel, packed, evaluate(kernel, arrays, {"B": 2 * few + 1}), f"{2 * few + 1} rows")
    for batch in (1, 5, few - 1, few, few + 1, 2 * few - 3, 2 * few):
        fewer = {name: array[:batch] if name in ("x", "y") else array for name, array in arrays.items()}
        found = run_native(compiled, fewer, {"B": batch}, shares=2)
        np.testing.assert_array_equal(found["y"], packed["y"][:batch])


@pytest.mark.parametrize(("places", "unpacks"), [("1, 1", True), ("6, 6", False)])
def test_a_panel_that_is_read_at_many_places_of_few_images_is_packed(places: str, unpacks: bool) -> None:
    height, width = places.split(", ")
    inside = "d[n, u + y - 2, v + x - 2, o] if 0 <= u + y - 2 < 4 and 0 <= v + x - 2 < 4"
    kernel = parse_kernel(f"""
kernel input_gradient
  axes n:B, y:{height}, x:{width}, c:512, u:3, v:3, o:64
  read d: f32[B, 4, 4, 64], w: f32[3, 3, 64, 512]
  write t: f32[B, {places}, 512]
  reduce s[n, y, x, c] = add over u, v, o of ({inside} else 0.0) * w[u, v, o, c]
  store t[n, y, x, c] = s
""".lstrip())
    steps = plan(lower(kernel), Target.named("avx512")).steps
    assert any(step.startswith("unpacked(w, n") for step in steps) == unpacks and any(step.startswith("pack(w, c") for step in steps)
