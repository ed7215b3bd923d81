"""Sums over the elements of images in parts of known length: what the next block reads is asked for meanwhile, all of it, and the bits are
the same however the work is shared. Where results are updated in place, the sums of a last tile step back, and each row is updated once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import VECTOR, Accum, Let, Loop, Nest, Prefetch, Stmt
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.scalar import Aff, Load, walk
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import evaluate_dim

from .harness import Native, index_value
from .test_native import assert_close, evaluate, inputs, run_native

LINE = 16  # elements
AVX512, AVX2 = Target.named("avx512"), Target.named("avx2")
POINTWISE = """
kernel pointwise_gradient
  axes c:{rows}, o:{columns}, n:B, y:{size}, x:{size}
  read t: f32[B, {size}, {size}, {rows}], d: f32[B, {size}, {size}, {columns}], w: f32[{rows}, {columns}], m: f32[{rows}, {columns}]
  write w2: f32[{rows}, {columns}], m2: f32[{rows}, {columns}]
  reduce s[c, o] = add over n, y, x of t[n, y, x, c] * d[n, y, x, o]
  let mn[c, o] = m[c, o] * 0.9 - s * 0.5
  store m2[c, o] = mn
  store w2[c, o] = w[c, o] + mn * 0.1 / (sqrt(mn * mn) + 0.1)
  in_place w2 = w
  in_place m2 = m
"""


def pointwise(rows: int, columns: int, size: int) -> Kernel:
    return parse_kernel(POINTWISE.format(rows=rows, columns=columns, size=size).lstrip())


def requests(nest: Nest, batch: int) -> tuple[dict[tuple[int, str], set[int]], dict[tuple[int, str], set[int]]]:
    """For each block and array the lines that are asked for, and those that are read."""
    asked: dict[tuple[int, str], set[int]] = defaultdict(set)
    read: dict[tuple[int, str], set[int]] = defaultdict(set)
    blocks = next(s for s in nest.body if isinstance(s, Loop))

    def value(index: Aff, at: Mapping[str, int]) -> int:
        return evaluate_dim(index.const, {"B": batch}) + sum(evaluate_dim(n, {"B": batch}) * at[var] for var, n in index.terms)

    def visit(body: tuple[Stmt, ...], at: dict[str, int]) -> None:
        for s in body:
            if isinstance(s, Loop):
                for n in range(0, evaluate_dim(s.extent, {"B": batch}), LINE if s.mode == VECTOR else s.step):
                    if not s.clip or n + value(s.clip.base, at) < evaluate_dim(s.clip.extent, {"B": batch}):
                        back = {s.back: min(n, evaluate_dim(s.extent, {"B": batch}) - s.step)} if s.back else {}
                        visit(s.body, {**at, s.var: n, **back, **({s.middle: n} if s.middle else {})})
            elif isinstance(s, Let) and s.index:
                at[s.name] = index_value(s.expr, lambda index: value(index, at))
            elif isinstance(s, Prefetch):
                asked[at[blocks.var] // blocks.step + 1, s.array].add(value(s.index, at) // LINE)
            elif isinstance(s, Accum):
                for e in walk(s.expr):
                    if isinstance(e, Load) and e.array in nest.arrays:
                        read[at[blocks.var] // blocks.step, e.array].add(value(e.index[0], at) // LINE)

    visit((*(s for s in nest.body if isinstance(s, Let)), blocks), {})
    return asked, read


@pytest.mark.parametrize(("rows", "columns", "size"), [(64, 64, 8), (45, 96, 6), (40, 64, 7)])
def test_all_that_the_next_block_reads_is_asked_for_and_little_else(rows: int, columns: int, size: int) -> None:
    nest = plan(lower(pointwise(rows, columns, size)), replace(AVX512, l2=256 << 10, cores=2 if rows > 48 else 1))
    assert any(step.startswith("meanwhile(") for step in nest.steps)
    batch = 4
    asked, read = requests(nest, batch)
    last = max(block for block, _ in read)
    assert last >= 2
    for (block, array), lines in read.items():
        if block:
            assert not lines - asked[block, array], f"{array} in block {block}"
            assert len(asked[block, array]) <= (2 if block < last else 4) * len(lines)
    sizes = {"t": batch * size * size * rows, "d": batch * size * size * columns}
    assert all(max(lines) * LINE < sizes[array] for (_, array), lines in asked.items() if lines)  # nothing behind the end


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
@pytest.mark.parametrize(("rows", "columns", "size", "target"), [(71, 128, 8, AVX512), (64, 128, 7, AVX512), (103, 96, 5, AVX512),
                                                                 (67, 64, 16, AVX512), (71, 128, 8, AVX2), (64, 128, 12, AVX2)])
def test_updates_are_those_of_the_reference(rows: int, columns: int, size: int, target: Target, batch: int) -> None:
    kernel, symbols = pointwise(rows, columns, size), {"B": batch}
    nest = plan(lower(kernel), target)
    steps = {step.partition("(")[0] for step in nest.steps}
    assert "meanwhile" in steps and {"slide_sums", "short"} & steps
    arrays = inputs(kernel, symbols)
    want = evaluate(kernel, arrays, symbols)
    if target.vector_bytes <= Target.host().vector_bytes:
        native = Native(nest, target)
        first = run_native(native, arrays, symbols)
        assert_close(kernel, first, want, "native")
        for shares in (2, 5):
            again = run_native(native, arrays, symbols, shares=shares)
            for written in kernel.writes:
                np.testing.assert_array_equal(again[written], first[written], err_msg=f"{shares} shares")


def test_the_interpreter_agrees() -> None:
    kernel, symbols = pointwise(43, 64, 4), {"B": 5}
    nest = plan(lower(kernel), replace(AVX512, cores=1, l2=128 << 10))
    assert {"slide_sums", "meanwhile"} <= {step.partition("(")[0] for step in nest.steps}
    arrays = inputs(kernel, symbols)
    want = evaluate(kernel, arrays, symbols)
    for written, read in kernel.in_place.items():
        arrays[written] = arrays[read]
    interpret(nest, {name: array.reshape(-1) for name, array in arrays.items()}, symbols)  # views
    assert_close(kernel, arrays, want, "interpreted")


def test_not_where_that_would_be_too_many_lines() -> None:
    """Of many cores each would ask for all that the others do."""
    steps = plan(lower(pointwise(64, 128, 16)), replace(AVX512, cores=64)).steps
    assert any(step.startswith("block(") for step in steps) and not any(step.startswith("meanwhile(") for step in steps)


def test_a_tile_whose_epilogue_is_written_out_does_not_step_back() -> None:
    kernel = parse_kernel("""
kernel descent
  axes i:35, j:16, n:B
  read x: f32[B, 35], d: f32[B, 16], w: f32[35, 16]
  write w2: f32[35, 16]
  reduce s[i, j] = add over n of x[n, i] * d[n, j]
  store w2[i, j] = w[i, j] - s * 0.1
  in_place w2 = w
""".lstrip())
    nest = lower(kernel)
    for step in ("tile(i, 8)", "unroll(i.i)", "vectorize(j, 16)", "jam(j.v)", "jam(i.i)"):
        nest = apply(nest, step)
    with pytest.raises(ScheduleError, match="rows are stored where they are summed"):
        apply(nest, "slide_sums(i.o)")
