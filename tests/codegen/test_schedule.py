"""Schedules as data: a plan's recorded steps replay to the same nest, and every plan says why."""

from __future__ import annotations

import pytest

from kcompile.codegen.access import body_cost, leaf_cost, useful_lanes
from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Loop, statements
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .kernels import ALL


@pytest.mark.parametrize("target", ["avx512", "avx2", "neon", "scalar"])
@pytest.mark.parametrize("name", ALL)
def test_steps_replay(name: str, target: str) -> None:
    nest = lower(parse_kernel(ALL[name].strip() + "\n"))
    planned = plan(nest, Target.named(target))
    again = nest
    for step in planned.steps:
        again = apply(again, step)
    assert again.body == planned.body
    assert dict(again.scratch) == dict(planned.scratch)
    assert planned.notes


@pytest.mark.parametrize("name", ["dense", "adam", "softmax_long", "input_gradient", "conv"])
def test_the_same_kernel_gives_the_same_bytes(name: str) -> None:
    kernel = parse_kernel(ALL[name].strip() + "\n")
    target = Target.named("avx512")
    assert emit(plan(lower(kernel), target), target, "f") == emit(plan(lower(kernel), target), target, "f")


def test_parallel_loops_must_be_perfectly_nested() -> None:
    nest = lower(parse_kernel(ALL["layernorm"].strip() + "\n"))
    with pytest.raises(ScheduleError, match="carries"):
        apply(nest, "parallel(j)")


@pytest.mark.parametrize(("extent", "lanes"), [("2", 2), ("3", 4), ("4", 4), ("5", 8), ("8", 8), ("9", 16), ("B", 16)])
def test_a_short_loop_takes_part_of_a_register(extent: str, lanes: int) -> None:
    kernel = f"kernel k\n  axes i:{extent}\n  read x: f32[{extent}]\n  write y: f32[{extent}]\n  store y[i] = x[i]\n"
    nest = lower(parse_kernel(kernel))
    (loop,) = (s for s in statements(nest.body) if isinstance(s, Loop))
    assert useful_lanes(nest, Target.named("avx512"), loop) == lanes


def test_costs_of_a_nest() -> None:
    """3 rows of: 1 for the accumulator, 5 times 2 for the sum, 1 for its store, 5 times 4 for the last loop."""
    nest = lower(parse_kernel("kernel k\n  axes i:3, j:5\n  read x: f32[3, 5]\n  write y: f32[3], z: f32[3, 5]\n"
                              "  reduce r[i] = add over j of x[i, j]\n  store y[i] = r\n  store z[i, j] = x[i, j] * r + 1.0\n"))
    assert (body_cost(nest.body), leaf_cost(nest.body)) == (3 * (1 + 5 * 2 + 1 + 5 * 4), 4)
