"""Sums gone through block by block: the same result for every block size, every length of the sum and every share of the tiles."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
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


ROWS = parse_kernel("""
kernel rows_of_images
  axes u:3, v:2, c:5, o:20, n:B, y:7, x:3
  read t: f32[B, 9, 4, 5], d: f32[B, 7, 3, 20]
  write dw: f32[3, 2, 5, 20]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s * 0.5
""".lstrip())


ODD = """
kernel odd
  axes u:3, v:3, c:17, o:32, n:B, y:14, x:14
  read t: f32[B, 16, 16, 17], d: f32[B, 14, 14, 32]
  write dw: f32[3, 3, 17, 32]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""".lstrip()


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


def rows_blocked(step: str) -> Nest:
    """A filter gradient in tiles, after one more step, if any."""
    nest = lower(ROWS)
    for known in plan(nest, Target.named("avx2")).steps:
        nest = nest if known.startswith(("slide(", "short(", "lead(", "block(", "portion(", "ahead(", "opposite(")) else apply(nest, known)
    return apply(nest, step) if step else nest


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 3, 4, 7, 8])
def test_blocks_of_the_rows_of_an_image(size: int, batch: int) -> None:
    symbols = {"B": batch}
    arrays = inputs(ROWS, symbols)
    compiled = Native(rows_blocked(f"block_inside(n, y, {size})"))
    first = run_native(compiled, arrays, symbols)
    assert_close(ROWS, first, evaluate(ROWS, arrays, symbols), f"{size} rows, {batch} images")
    plain = run_native(Native(rows_blocked("")), arrays, symbols)
    np.testing.assert_array_equal(first["dw"], plain["dw"], err_msg="sums keep their order")
    for shares in (2, 5):
        np.testing.assert_array_equal(run_native(compiled, arrays, symbols, shares=shares)["dw"], first["dw"], err_msg=f"{shares} shares")


@pytest.mark.parametrize("step", ["block_inside(n, x, 2)", "block_inside(y, x, 2)", "block_inside(u, n, 1)"])
def test_only_the_loop_directly_inside_the_sum_is_cut(step: str) -> None:
    with pytest.raises(ScheduleError, match="block_inside"):
        rows_blocked(step)


@pytest.mark.parametrize("step", ["block(n, 2)", "block_inside(n, y, 3)"])
def test_the_interpreter_agrees(step: str) -> None:
    symbols = {"B": 3}
    arrays = inputs(ROWS, symbols)
    want = evaluate(ROWS, arrays, symbols)
    flat = {name: array.reshape(-1) for name, array in arrays.items()}  # views
    interpret(rows_blocked(step), flat, symbols)
    assert_close(ROWS, arrays, want, "interpreted")


@pytest.mark.parametrize(("target", "step"), [("avx512", "block(n, "), ("avx2", "block_inside(n, y, "), ("neon", "block_inside(n, y, ")])
def test_the_strategy_blocks_what_exceeds_the_cache(target: str, step: str) -> None:
    assert any(s.startswith(step) for s in plan(lower(LONG), Target.named(target)).steps)


def test_with_wide_vectors_only_large_images_are_cut() -> None:
    avx512 = Target.named("avx512")  # an image of LONG takes 92 KB
    for l2, step in ((256 << 10, "block(n, "), (128 << 10, "block_inside(n, y, ")):
        assert any(s.startswith(step) for s in plan(lower(LONG), replace(avx512, l2=l2)).steps), l2


@pytest.mark.parametrize(("channels", "multiply_adds", "cut"), [(100, 2, True), (100, 1, False), (64, 2, False)])
def test_images_are_cut_where_lines_take_as_long_as_products(channels: int, multiply_adds: int, cut: bool) -> None:
    kernel = parse_kernel(f"""
kernel filter_gradient
  axes u:3, v:3, c:{channels}, o:{channels}, n:B, y:14, x:14
  read t: f32[B, 16, 16, {channels}], d: f32[B, 14, 14, {channels}]
  write dw: f32[3, 3, {channels}, {channels}]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""".lstrip())
    steps = plan(lower(kernel), Target.named(f"avx512,multiply_adds={multiply_adds},l2=2M")).steps
    assert ("block_inside(n, y, 7)" in steps) == cut


def test_the_last_tile_of_blocks_has_the_rows_that_are_left() -> None:
    kernel = parse_kernel(ODD)
    nest = plan(lower(kernel), replace(Target.named("avx2"), l2=64 << 10))
    assert {step.split("(")[0] for step in nest.steps} >= {"block_inside", "short"}
    arrays = inputs(kernel, {"B": 2})
    assert_close(kernel, run_native(Native(nest), arrays, {"B": 2}), evaluate(kernel, arrays, {"B": 2}), "odd")


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
    assert len(steps) == 2 and nest.scratch["sums.s"][1] == 2 * 9 * -(-136 // lanes) * lanes
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


@pytest.mark.parametrize(("target", "cache", "size", "block"), [
    ("avx512", 48, 8, 2),  # two images of 29 KB stay in the first-level cache
    ("avx512", 48, 5, 5),  # five of 12 KB
    ("avx512", 48, 20, 1),  # none of 155 KB: as many as fit a quarter of the second-level cache
    ("avx512", 32, 8, 8),  # the sums of all tiles would drive them out
    ("avx2", 32, 10, 1),
    ("avx2", 32, 8, 4),  # 64 terms of one image: too few for what the sums cost
])
def test_images_that_stay_in_the_first_level_cache(target: str, cache: int, size: int, block: int) -> None:
    kernel = parse_kernel(SMALL.format(size=size, padded=size + 2).lstrip())
    nest = plan(lower(kernel), replace(Target.named(target), l1=cache << 10))
    assert [step for step in nest.steps if step.startswith("block")] == [f"block(n, {block})"]
    if Target.named(target).vector_bytes <= Target.host().vector_bytes:
        arrays = inputs(kernel, {"B": 7})
        assert_close(kernel, run_native(Native(nest, Target.named(target)), arrays, {"B": 7}), evaluate(kernel, arrays, {"B": 7}), "small")
