"""Cores that go through the blocks of a long sum towards each other: nothing is counted twice or forgotten, the bits are the same however
the work is shared, and two cores never read the same block at once, but where they meet."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_ahead import lines
from .test_native import assert_close, evaluate, inputs, run_native

GRADIENT = """
kernel filter_gradient
  axes u:{u}, c:{c}, o:128, n:B, y:{y}, x:{x}
  read t: f32[B, {tall}, {x}, {c}], d: f32[B, {y}, {x}, 128]
  write dw: f32[{u}, {c}, 128]
  reduce s[u, c, o] = add over n, y, x of t[n, y + u, x, c] * d[n, y, x, o]
  store dw[u, c, o] = s
"""
# name: the sizes, the target's name and the size of its second-level cache, the step that cuts the sum
CASES = {
    "images": ((2, 12, 4, 3), "avx2", 96 << 10, "block(n, "),
    "columns": ((1, 40, 1, 1), "avx2", 16 << 10, "block(n"),
    "elements": ((1, 48, 8, 8), "avx512", 256 << 10, "block(n.y.x.o, "),
}


def case(name: str) -> tuple[Kernel, Target, str]:
    (u, c, y, x), target, l2, step = CASES[name]
    kernel = parse_kernel(GRADIENT.format(u=u, c=c, y=y, x=x, tall=y + u - 1).lstrip())
    return kernel, replace(Target.named(target), l2=l2, cores=2), step


@pytest.mark.parametrize("name", list(CASES))
def test_the_strategy_turns_half_of_the_cores(name: str) -> None:
    kernel, target, step = case(name)
    steps = plan(lower(kernel), target).steps
    assert any(s.startswith(step) for s in steps) and any(s.startswith("opposite(") for s in steps)
    assert not any(s.startswith("opposite(") for s in plan(lower(kernel), replace(target, cores=1)).steps)


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("name", list(CASES))
def test_every_block_is_counted_once(name: str, batch: int) -> None:
    kernel, target, _ = case(name)
    if target.vector_bytes > Target.host().vector_bytes:
        pytest.skip("this processor has no such vectors")
    native = Native(plan(lower(kernel), target), target)
    arrays = inputs(kernel, {"B": batch})
    first = run_native(native, arrays, {"B": batch})
    assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), name)
    for shares in (2, 3, 5):
        np.testing.assert_array_equal(run_native(native, arrays, {"B": batch}, shares=shares)["dw"], first["dw"])


def test_the_interpreter_agrees() -> None:
    kernel, target, _ = case("images")
    nest = plan(lower(kernel), replace(target, l2=32 << 10))
    assert any(s.startswith("opposite(") for s in nest.steps)
    arrays = inputs(kernel, {"B": 5})
    want = evaluate(kernel, arrays, {"B": 5})
    interpret(nest, {name: array.reshape(-1) for name, array in arrays.items()}, {"B": 5})  # views
    assert_close(kernel, arrays, want, "interpreted")


@pytest.mark.parametrize("batch", [6, 7])
def test_two_cores_read_the_same_block_only_where_they_meet(batch: int) -> None:
    kernel, target, _ = case("images")
    read: dict[tuple[int, int], set[tuple[str, int]]] = {}
    for what, core, block, array, line in lines(plan(lower(kernel), target), batch):
        if what == "read" and array == "t":
            read.setdefault((core, block), set()).add((array, line))
    cores, count = sorted({core for core, _ in read}), 1 + max(block for _, block in read)
    assert len(cores) == 2 and count >= 3
    both = [block for block in range(count) if len(read[cores[0], block] & read[cores[1], block]) > 1]  # a line may hold ends of two
    assert len(both) <= 1


def test_one_thread_takes_one_block_for_both_portions_and_asks_for_it_once() -> None:
    kernel, target, _ = case("images")
    nest = plan(lower(kernel), target)
    asked: dict[bool, list[tuple[int, str, int]]] = {}
    read: dict[tuple[int, int], set[int]] = {}
    for alone in (False, True):
        found = list(lines(nest, 16, alone))
        asked[alone] = [(block, array, line) for what, _, block, array, line in found if what == "asked"]
        for what, core, block, array, line in found if alone else ():
            if what == "read" and array == "t":
                read.setdefault((core, block), set()).add(line)
    assert set(asked[True]) and len(asked[True]) < len(asked[False])
    first, second = sorted({core for core, _ in read})
    assert all(read[first, block] == read[second, block] for _, block in read)
