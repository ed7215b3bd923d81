"""Tiles at the border of an image with code of their own: rows that one tile holds, that several do, and that leave a short one."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import all_loads
from kcompile.codegen.runs import trips_of_a_sample
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

TARGETS = {name: Target.named(name) for name in ("avx2", "avx512")}
KERNEL = """
kernel border
  axes n:B, y:4, x:{rows}, c:{channels}, ky:3, kx:{taps}, o:5
  read dy: f32[B, 2, {extent}, 5], w: f32[3, {taps}, 5, {channels}], b: f32[{channels}]
  write dx: f32[B, 4, {rows}, {channels}]
  reduce s[n, y, x, c] = add over ky, kx, o of (dy[n, ky + y - 2, {dilation}*kx + x - {low}, o] if 0 <= ky + y - 2 < 2 and 0 <= {dilation}*kx + x - {low} < {extent} else 0.0) * w[ky, kx, o, c]
  store dx[n, y, x, c] = {value}
"""  # noqa: E501


def nest_of(target: Target, extent: int, taps: int, channels: int, dilation: int = 1, value: str = "s", along: bool = False):
    low = (taps - 1) * dilation
    kernel = parse_kernel(KERNEL.format(rows=extent + low, extent=extent, taps=taps, channels=channels, dilation=dilation, low=low,
                                        value=value).lstrip())
    return kernel, plan(lower(kernel, along), target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", ["max(s + b[c], 0.0)", "tanh(s) * exp(b[c]) + log(s * s + 1.0)"])
@pytest.mark.parametrize(("extent", "taps", "channels", "dilation"), [
    (4, 3, 16, 1), (4, 3, 13, 1), (17, 3, 16, 1), (30, 3, 16, 1), (45, 2, 16, 1), (26, 5, 16, 1), (11, 3, 32, 1), (16, 3, 32, 2),
    (27, 3, 32, 1), (29, 4, 24, 2), (12, 7, 37, 1), (61, 3, 8, 1), (14, 3, 8, 1), (5, 3, 32, 1)])
def test_borders(target: str, value: str, extent: int, taps: int, channels: int, dilation: int) -> None:
    if TARGETS[target].vector_bytes > Target.host().vector_bytes:
        pytest.skip(f"this machine does not run {target}")
    kernel, nest = nest_of(TARGETS[target], extent, taps, channels, dilation, value)
    compiled = Native(nest, TARGETS[target])
    for batch in (1, 5):
        symbols = {"B": batch}
        arrays = inputs(kernel, symbols)
        first = run_native(compiled, arrays, symbols)
        assert_close(kernel, first, evaluate(kernel, arrays, symbols), f"batch {batch}")
        for shares in (2, 3):
            np.testing.assert_array_equal(run_native(compiled, arrays, symbols, shares=shares)["dx"], first["dx"])


@pytest.mark.parametrize("extent", [4, 5, 6])
def test_images_of_few_rows_have_tiles_of_their_own_where_samples_go_together(extent: int) -> None:
    target = TARGETS["avx512"]
    kernel, nest = nest_of(target, extent, 3, 32, along=True)
    assert "edges(x, kx)" in nest.steps and trips_of_a_sample(nest) > 0
    assert trips_of_a_sample(nest_of(target, extent, 3, 32)[1]) == 0
    if target.vector_bytes <= Target.host().vector_bytes:
        arrays = inputs(kernel, {"B": 5})
        assert_close(kernel, run_native(Native(nest, target), arrays, {"B": 5}, shares=2), evaluate(kernel, arrays, {"B": 5}), "along")


def test_where_it_happens() -> None:
    def steps(target: str, *geometry: int, along: bool = False) -> list[str]:
        return [step for step in nest_of(TARGETS[target], *geometry, along=along)[1].steps if step.startswith(("edges", "trim(kx)"))]

    assert steps("avx512", 30, 3, 16) == steps("avx2", 30, 3, 16) == ["edges(x.i, kx)"]
    assert steps("avx512", 11, 3, 32) == ["edges(x, kx)"]
    assert steps("avx2", 11, 3, 32) == ["trim(kx)"]
    assert steps("avx512", 4, 3, 32) == ["trim(kx)"]
    assert steps("avx512", 3, 3, 32, along=True) == steps("avx2", 5, 3, 32, along=True) == ["trim(kx)"]
    assert steps("avx512", 4, 3, 16) == []


@pytest.mark.parametrize("target", TARGETS)
def test_operands_are_packed_before(target: str) -> None:
    if TARGETS[target].vector_bytes > Target.host().vector_bytes:
        pytest.skip(f"this machine does not run {target}")
    kernel, nest = nest_of(TARGETS[target], 30, 3, 512)
    steps = [step.split("(")[0] for step in nest.steps]
    assert steps.index("edges") > max(n for n, step in enumerate(steps) if step.startswith("pack"))
    arrays = inputs(kernel, {"B": 2})
    assert_close(kernel, run_native(Native(nest, TARGETS[target]), arrays, {"B": 2}), evaluate(kernel, arrays, {"B": 2}), "packed")


def test_what_lies_beyond_is_not_multiplied() -> None:
    kernel, nest = nest_of(Target.host(), 30, 3, 16)
    arrays = inputs(kernel, {"B": 1})
    arrays["w"][:, 2] = np.inf  # the last tap alone reads past the right border
    dx = run_native(Native(nest), arrays, {"B": 1})["dx"]
    assert np.isfinite(dx[:, :, -2:]).all() and not np.isfinite(dx[:, :, :-2]).any()


BESIDE = """
kernel beside
  axes n:B, y:17, x:16, c:32, ky:3, kx:3, o:5
  read t: f32[B, 17, 18, 5], w: f32[3, 3, 5, 32]
  write y1: f32[B, 17, 16, 32]
  reduce s[n, y, x, c] = add over ky, kx, o of (t[n, ky + y - 1, kx + x, o] if 0 <= ky + y - 1 < 17 else 0.0) * w[ky, kx, o, c]
  store y1[n, y, x, c] = s
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_border_along_no_row_of_a_tile_is_left_out_of_sums(target: str) -> None:
    """Rows lie along x, and the guard moves with y alone: many rows of y are no reason to keep it."""
    kernel = parse_kernel(BESIDE.lstrip())
    nest = plan(lower(kernel), TARGETS[target])
    assert "trim(ky)" in nest.steps and not any(step.startswith("edges") for step in nest.steps)
    assert not any(load.guards for load in all_loads(nest.body))
    if TARGETS[target].vector_bytes <= Target.host().vector_bytes:
        arrays = inputs(kernel, {"B": 2})
        assert_close(kernel, run_native(Native(nest, TARGETS[target]), arrays, {"B": 2}), evaluate(kernel, arrays, {"B": 2}), "beside")
