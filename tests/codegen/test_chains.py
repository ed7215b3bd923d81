"""Tiles of one column with short vectors: so many rows that no sum waits for the one before, and of few that are left a sum for each tap,
where registers hold them and there is much to sum."""

from __future__ import annotations

import re

import pytest

from kcompile.codegen.assembly import assembly
from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Acc, statements
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

AVX2 = Target.named("avx2")


def one_column(positions: int, channels: int, taps: int = 3) -> Kernel:
    read = positions + taps - 1
    return parse_kernel(f"""kernel one_column
  axes n:B, y:{positions}, x:{positions}, u:{taps}, v:{taps}, o:{channels}
  read t: f32[B, {read}, {read}, {channels}], w: f32[{taps}, {taps}, {channels}]
  write r: f32[B, {positions}, {positions}]
  reduce s[n, y, x] = add over u, v, o of t[n, y + u, x + v, o] * w[u, v, o]
  store r[n, y, x] = max(s, 0.0)
""")


def steps_of(kernel: Kernel, target: Target = AVX2) -> list[str]:
    return [step for step in plan(lower(kernel), target).steps if step.startswith("chains")]


@pytest.mark.parametrize(("positions", "rows", "left"), [(61, 12, 1), (38, 12, 2), (14, 11, 3), (16, 12, 4)])
def test_few_rows_are_many_sums(positions: int, rows: int, left: int) -> None:
    kernel = one_column(positions, 32)
    nest = plan(lower(kernel), AVX2)
    blocks = [{d.var: d.extent for d in s.dims} for s in statements(nest.body) if isinstance(s, Acc)]
    assert {"x.i": left, "v": 3, "o.i.v": 8} in blocks and {"x.i": rows, "o.i.v": 8} in blocks
    arrays = inputs(kernel, {"B": 2})
    assert_close(kernel, run_native(Native(nest, AVX2), arrays, {"B": 2}), evaluate(kernel, arrays, {"B": 2}), "chains")
    loops = re.findall(r"^\.L\w+:\n((?:[^.\n].*\n)+?)\s+j\w+\s", assembly(emit(nest, AVX2, "one_column"), AVX2), re.MULTILINE)
    for count in (rows, left):
        sums = [body for body in loops if body.count("vfmadd") == 3 * count]
        assert sums and not any("%rsp" in body for body in sums)


@pytest.mark.parametrize(("positions", "taps", "rows"), [(12, 3, 12), (20, 3, 12), (22, 3, 12), (26, 3, 11), (17, 3, 9), (20, 5, 10)])
def test_so_many_rows_that_sums_do_not_wait(positions: int, taps: int, rows: int) -> None:
    nest = plan(lower(one_column(positions, 64, taps)), AVX2)
    assert max(d.extent for s in statements(nest.body) if isinstance(s, Acc) for d in s.dims if d.var in ("x", "x.i")) == rows


def test_where_it_happens() -> None:
    assert steps_of(one_column(16, 32)) == ["chains(x.i, v, 4)"]
    assert steps_of(one_column(20, 32)) == []  # no tile has few rows
    assert steps_of(one_column(16, 16)) == []  # folding is more of the work
    assert steps_of(one_column(16, 32), Target.named("avx512")) == []  # not measured
