"""Several terms of a sum in each trip: the same bits as one, whatever is left, and only where that brings something."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.access import inner_loops
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Let, Prefetch, Transpose, statements
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan, tile_choices
from kcompile.codegen.target import Target
from kcompile.ir.scalar import Aff, AxisValue, walk
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

KERNEL = """
kernel residual
  axes n:B, x:13, c:32, ky:3, o:{terms}
  read t: f32[B, 3, 13, {terms}], w: f32[3, {terms}, 32], r: f32[B, 13, 32]
  write y: f32[B, 13, 32]
  reduce s[n, x, c] = add over ky, o of t[n, ky, x, o] * w[ky, o, c]
  store y[n, x, c] = s + r[n, x, c]
"""


TAPS = """
kernel taps
  axes n:B, x:12, c:32, u:4, o:{channels}
  read t: f32[B, 15, {channels}], w: f32[4, {channels}, 32]
  write y: f32[B, 12, 32]
  reduce s[n, x, c] = add over u, o of t[n, x + u, o] * w[u, o, c]
  store y[n, x, c] = s
"""


FILTER = """
kernel filter_gradient
  axes g:2, u:3, v:3, c:32, o:32, n:B, y:8, x:18
  read t: f32[B, 10, {width}, 2, 32], d: f32[B, 8, 18, 2, 32]
  write dw: f32[3, 3, 2, 32, 32]
  reduce s[u, v, g, c, o] = add over n, y, x of t[n, y + u, x + {apart}*v, g, c] * d[n, y, x, g, o]
  store dw[u, v, g, c, o] = s
"""


FIRST = """
kernel first_layer
  axes u:3, v:3, o:32, n:B, y:26, x:26
  read t: f32[B, 28, 28], d: f32[B, 26, 26, 32]
  write dw: f32[3, 3, 32]
  reduce s[u, v, o] = add over n, y, x of t[n, y + u, x + v] * d[n, y, x, o]
  store dw[u, v, o] = s
"""


DENSE = """
kernel dense
  axes i:B, j:512, k:784
  read x: f32[B, 784], w: f32[784, 512]
  write y: f32[B, 512]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c
"""


TURNED = """
kernel input_gradient
  axes i:B, j:64, k:64
  read d: f32[B, 64], w: f32[64, 64]
  write y: f32[B, 64]
  reduce c[i, j] = add over k of d[i, k] * w[j, k]
  store y[i, j] = c
"""


def kernel_of(terms: int):
    return parse_kernel(KERNEL.format(terms=terms).lstrip())


def steps_of(target: str, terms: int) -> list[str]:
    return [step for step in plan(lower(kernel_of(terms)), Target.named(target)).steps if step.startswith("several")]


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(("terms", "count"), [(4, 2), (5, 2), (10, 3), (11, 3), (11, 5), (5, 5)])
def test_the_same_bits(terms: int, count: int, asks: bool) -> None:
    kernel, target = kernel_of(terms), Target.named("avx2")
    nest = lower(kernel)
    for step in plan(nest, target).steps:
        nest = nest if step.startswith(("several", "expect", *(() if asks else ("prefetch",)))) else apply(nest, step)
    arrays = inputs(kernel, {"B": 3})
    one = run_native(Native(nest, target), arrays, {"B": 3})
    assert_close(kernel, one, evaluate(kernel, arrays, {"B": 3}), "one term")
    several = run_native(Native(apply(nest, f"several(o, {count})"), target), arrays, {"B": 3})
    np.testing.assert_array_equal(several["y"], one["y"])


def test_where_it_happens() -> None:
    assert steps_of("avx512", 11) == steps_of("avx512", 10) == ["several(o, 2)"]  # 26 products a term
    assert steps_of("avx512", 5) == ["several(o, 5)"]  # all there are
    assert steps_of("avx512", 3) == []  # no two trips
    assert steps_of("avx2", 11) == ["several(o, 2)"]


def test_what_is_asked_for_is_asked_for_once_a_line() -> None:
    nest, target = lower(kernel_of(40)), Target.named("avx2")
    nest = plan(nest, target, next(tile for tile in tile_choices(nest, target) if (tile.vectors, tile.height) == (2, 5)))
    five, three = ([s.index for s in loop.body if isinstance(s, Prefetch)] for loop in inner_loops(nest.body) if loop.step == 4)
    assert five[0].coefficient("o") == 5 and str(five[1] + five[0] * -1) == "15" and len(five) == 2  # five rows of four terms: 20 floats
    assert three[0].coefficient("o") == 3 and len(three) == 1
    assert nest.steps.index("prefetch(t, o)") < nest.steps.index("several(o, 4)")


@pytest.mark.parametrize(("channels", "steps"), [
    (5, ["several(u.o, 4)"]),  # rows are five apart: no four terms read the same
    (2, ["several(u.o, 2)"]),  # the third term of a row is the first of the next one: it would stay in a register
    (1, []),
])
def test_few_registers(channels: int, steps: list[str]) -> None:
    kernel = parse_kernel(TAPS.format(channels=channels).lstrip())
    nest = plan(lower(kernel), Target.named("avx2"))
    assert [s for s in nest.steps if s.startswith("several")] == steps
    arrays = inputs(kernel, {"B": 3})
    assert_close(kernel, run_native(Native(nest), arrays, {"B": 3}), evaluate(kernel, arrays, {"B": 3}), "several")


def test_what_an_epilogue_reads_is_asked_for_by_all_terms_of_a_trip() -> None:
    steps = plan(lower(kernel_of(11)), Target.named("avx512")).steps
    assert steps.index("several(o, 2)") < steps.index("expect(r)")


def test_what_one_tile_reads_alone_is_asked_for_all_the_same() -> None:
    steps = plan(lower(parse_kernel(FIRST.lstrip())), Target.named("avx512")).steps
    assert [s.split("(")[0] for s in steps[-2:]] == ["several", "lead"]


@pytest.mark.parametrize(("apart", "several"), [(1, False), (2, True)])
def test_taps_beside_channels(apart: int, several: bool) -> None:
    """Tiles have four channels of three taps where no twelve channels or more divide them. Neighbouring positions then read the same unless
    taps lie further apart: no registers would be left for several of them."""
    kernel = parse_kernel(FILTER.format(apart=apart, width=18 + 2 * apart).lstrip())
    nest = plan(lower(kernel), Target.named("avx512"))
    assert {"tile(c, 4)", "unroll(v)"} <= set(nest.steps)
    assert ("several(x, 2)" in nest.steps) == several
    assert {"tile(c, 2)", "unroll(v)"} <= set(plan(lower(kernel), Target.named("avx2")).steps)
    assert_close(kernel, run_native(Native(nest), arrays := inputs(kernel, {"B": 3}), {"B": 3}), evaluate(kernel, arrays, {"B": 3}), "taps")


def test_tiles_of_several_terms_ask_for_as_many_terms_ahead_as_others() -> None:
    """The tile that packs a panel adds one term a trip, those that read the weight where it lies four."""
    nest = plan(lower(parse_kernel(DENSE.lstrip())), Target.named("avx2"))
    (ahead,) = (int(s.split(", ")[2][:-1]) for s in nest.steps if s.startswith("lead(w, k, "))
    found = {loop.step: loop.body[0] for loop in inner_loops(nest.body)
             if loop.body and isinstance(loop.body[0], Let) and loop.body[0].name.startswith("k.n")}
    assert set(found) == {1, 4}
    for step, place in found.items():
        trips = -(-ahead // step)
        assert any(isinstance(e, AxisValue) and str(e.index + Aff.of({"k": -512, "j.o": -1})) == str(512 * step * trips)
                   for e in walk(place.expr)), step


def test_turned_tiles() -> None:
    kernel = parse_kernel(TURNED.lstrip())
    nest = plan(lower(kernel), Target.named("avx2"))
    assert "several(k, 4)" in nest.steps and any(isinstance(s, Transpose) for s in statements(nest.body))
    arrays = inputs(kernel, {"B": 7})
    assert_close(kernel, run_native(Native(nest), arrays, {"B": 7}), evaluate(kernel, arrays, {"B": 7}), "turned")
