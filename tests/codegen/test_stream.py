"""Tiles with more vectors than rows: rows are held and vectors pass by, where 16 registers have no room for all vectors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile.codegen.assembly import assembly
from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.schedule import apply
from kcompile.codegen.schedule.lead import tile_sums
from kcompile.codegen.schedule.stream import is_streamed
from kcompile.codegen.strategy import plan, tile_choices
from kcompile.codegen.target import Target
from kcompile.codegen.tiles import Room, best_tiles
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

FIRST = parse_kernel("""kernel first_layer
  axes u:3, v:3, o:32, n:B, y:12, x:12
  read t: f32[B, 14, 14], d: f32[B, 12, 12, 32]
  write dw: f32[B, 3, 3, 32]
  reduce s[n, u, v, o] = add over y, x of t[n, y + u, x + v] * d[n, y, x, o]
  store dw[n, u, v, o] = s
""")
PRODUCTS = parse_kernel("""kernel products
  axes n:B, a:4, x:9, o:64, c:64
  read t: f32[B, 4, 9, 64], w: f32[4, 64, 64]
  write y: f32[B, 4, 9, 64]
  reduce s[n, a, x, o] = add over c of t[n, a, x, c] * w[a, c, o]
  store y[n, a, x, o] = s
""")
AVX2 = Target.named("avx2")


def test_four_vectors_and_three_rows_leave_room_for_the_rows_alone() -> None:
    room = Room(16, 12, trip=0.8)
    assert not room.holds(4, 3) and Room(16, 12, streams=True).holds(4, 3)
    tile = best_tiles(32, 8, {"v": 3}, Room(16, 12, trip=0.8, streams=True))[0]
    assert (tile.vectors, tile.height) == (4, 3)


@pytest.mark.parametrize("kernel", [FIRST, PRODUCTS], ids=lambda kernel: kernel.name)
def test_the_same_bits_and_nothing_in_memory(kernel: Kernel) -> None:
    nest = plan(lower(kernel), AVX2)
    (held,) = [step for step in nest.steps if step.startswith("stream")]
    other = lower(kernel)
    for step in nest.steps:
        other = other if step == held else apply(other, step)
    arrays, symbols = inputs(kernel, {"B": 3}), {"B": 3}
    found, rows_first = (run_native(Native(x, AVX2), arrays, symbols) for x in (nest, other))
    assert_close(kernel, found, evaluate(kernel, arrays, symbols), "streamed")
    assert all(np.array_equal(found[name], rows_first[name]) for name in found)
    loops = re.findall(r"^\.L\w+:\n((?:[^.\n].*\n)+?)\s+j\w+\s", assembly(emit(nest, AVX2, kernel.name), AVX2), re.MULTILINE)
    sums = [body for body in loops if body.count("vfmadd") >= 12]
    assert sums and not any("%rsp" in body for body in sums)


def test_where_registers_have_room_nothing_changes() -> None:
    for target in ("avx512", "neon"):
        for kernel in (FIRST, PRODUCTS):
            assert not any(step.startswith("stream") for step in plan(lower(kernel), Target.named(target)).steps)


def test_several_terms_take_registers_for_rows() -> None:
    assert "several(c, 4)" in plan(lower(PRODUCTS), AVX2).steps  # 12 sums and three rows leave one register for a vector


def test_two_axes_of_rows_beside_one_vector_are_no_vectors_that_pass_by() -> None:
    steps = ["tile(c, 8)", "vectorize(c.i, 8)", "tile(x, 3)", "unroll(x.i)", "unroll(y)", "reorder(n, x.o, c.o, x.i, y, c.i.v)",
             "jam(c.i.v)", "jam(y)", "jam(x.i)"]
    nest = lower(parse_kernel("""kernel two_axes
  axes n:B, y:2, x:6, c:8, o:16
  read t: f32[B, 2, 6, 16], w: f32[16, 8]
  write r: f32[B, 2, 6, 8]
  reduce s[n, y, x, c] = add over o of t[n, y, x, o] * w[o, c]
  store r[n, y, x, c] = s
"""))
    for step in steps:
        nest = apply(nest, step)
    (sums, _), = tile_sums(nest.body)
    assert not is_streamed(sums)
    (sums, _), = tile_sums(plan(lower(FIRST), AVX2).body)
    assert is_streamed(sums)


def test_where_last_rows_are_done_one_by_one() -> None:
    nest = lower(parse_kernel("""kernel rows
  axes i:B, j:64, k:64
  read x: f32[B, 64], w: f32[64, 64]
  write y: f32[B, 64]
  reduce s[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = s
"""))
    tile = next(tile for tile in tile_choices(nest, AVX2) if (tile.vectors, tile.height) == (4, 3))
    steps = plan(nest, AVX2, tile).steps
    assert "singly(i.i)" in steps and "stream(j.i.u)" in steps
