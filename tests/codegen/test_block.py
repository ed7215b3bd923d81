"""Sums gone through block by block: the same result for every block size, every length of the sum and every share of the tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import f32

from .harness import Native
from .test_native import KERNELS, assert_close, evaluate, inputs, run_native

LONG = parse_kernel("""
kernel long_filter_gradient
  axes u:3, v:2, c:24, o:40, n:B, y:20, x:17
  read t: f32[B, 22, 18, 24], d: f32[B, 20, 17, 40]
  write dw: f32[3, 2, 24, 40]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s * 0.5
""".lstrip())


# A window slides along x, so that all of x is written out in each tile.
WINDOWS = parse_kernel("""
kernel depthwise_gradient
  axes ky:3, kx:3, c:136, n:B, y:7, x:7
  read image: f32[B, 9, 9, 136], d: f32[B, 7, 7, 136]
  write dw: f32[3, 3, 136]
  reduce s[ky, kx, c] = add over n, y, x of image[n, y + ky, x + kx, c] * d[n, y, x, c]
  store dw[ky, kx, c] = s
""".lstrip())


def blocked(name: str, size: int, target: str = "avx512") -> Nest:
    nest = lower(KERNELS[name])
    for step in plan(nest, Target.named(target)).steps:
        nest = apply(nest, step)
    return apply(nest, f"block(n, {size})")


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("name", ["conv_filter_gradient", "conv_filter_gradient_1"])
def test_every_block_is_counted_once(name: str, size: int, batch: int) -> None:
    kernel, symbols = KERNELS[name], {"B": batch}
    arrays = inputs(kernel, symbols)
    want = evaluate(kernel, arrays, symbols)
    nest = blocked(name, size)
    compiled = Native(nest)
    first = run_native(compiled, arrays, symbols)
    assert_close(kernel, first, want, f"{name} in blocks of {size}, {batch} long")
    for shares in (2, 5):
        again = run_native(compiled, arrays, symbols, shares=shares)
        for written in kernel.writes:
            np.testing.assert_array_equal(again[written], first[written], err_msg=f"{shares} shares")


def test_the_interpreter_agrees() -> None:
    kernel, symbols = KERNELS["conv_filter_gradient_1"], {"B": 3}
    arrays = inputs(kernel, symbols)
    want = evaluate(kernel, arrays, symbols)
    flat = {name: array.reshape(-1) for name, array in arrays.items()}  # views
    interpret(blocked("conv_filter_gradient_1", 2, "avx2"), flat, symbols)
    assert_close(kernel, arrays, want, "interpreted")


@pytest.mark.parametrize("target", ["avx512", "avx2", "neon"])
def test_the_strategy_blocks_what_exceeds_the_cache(target: str) -> None:
    assert any(step.startswith("block(n, ") for step in plan(lower(LONG), Target.named(target)).steps)


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_chosen_blocks(batch: int) -> None:
    arrays = inputs(LONG, {"B": batch})
    nest = plan(lower(LONG), Target.named("avx2"))
    assert_close(LONG, run_native(Native(nest), arrays, {"B": batch}), evaluate(LONG, arrays, {"B": batch}), "long")


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_a_loop_that_sums_and_is_written_out_adds_once(target: str, batch: int) -> None:
    nest = plan(lower(WINDOWS), replace(Target.named(target), l2=64 << 10))
    steps = [step for step in nest.steps if step.startswith(("unroll(x", "block("))]
    lanes = Target.named(target).lanes(f32)
    assert len(steps) == 2 and nest.scratch["sums.s"][1] == 9 * -(-136 // lanes) * lanes
    arrays = inputs(WINDOWS, {"B": batch})
    found = run_native(Native(nest), arrays, {"B": batch}, shares=3)
    assert_close(WINDOWS, found, evaluate(WINDOWS, arrays, {"B": batch}), "depthwise gradient")


def test_tiles_of_unknown_number_are_refused() -> None:
    nest = plan(lower(KERNELS["conv"]), Target.named("avx512"))
    loop = next(s for s in nest.steps if s.startswith("collapse"))[9:-1].split(", ")[0]
    with pytest.raises(ScheduleError, match="block"):
        apply(nest, f"block({loop}, 2)")


SMALL = """
kernel small_images
  axes u:3, v:3, c:32, o:64, n:B, y:{size}, x:{size}
  read t: f32[B, {padded}, {padded}, 32], d: f32[B, {size}, {size}, 64]
  write dw: f32[3, 3, 32, 64]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
"""


@pytest.mark.parametrize(("target", "size", "block"), [
    ("avx512", 8, 1),  # one image, 29 KB, stays in the first-level cache
    ("avx512", 5, 3),  # three of 12 KB
    ("avx512", 12, 4),  # none of 61 KB: as many as fit a quarter of the second-level cache
    ("avx2", 8, 4),
])
def test_images_that_stay_in_the_first_level_cache(target: str, size: int, block: int) -> None:
    kernel = parse_kernel(SMALL.format(size=size, padded=size + 2).lstrip())
    nest = plan(lower(kernel), Target.named(target))
    assert [step for step in nest.steps if step.startswith("block")] == [f"block(n, {block})"]
    if Target.named(target).vector_bytes <= Target.host().vector_bytes:
        arrays = inputs(kernel, {"B": 7})
        assert_close(kernel, run_native(Native(nest, Target.named(target)), arrays, {"B": 7}), evaluate(kernel, arrays, {"B": 7}), "small")
