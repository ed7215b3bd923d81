"""Kernels that find rows through a table: the bits of rows that lie one after the other, and nothing is read beside a row."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kcompile.codegen import tuning
from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.codegen.tuning import argument_table
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native, fenced

FORWARD = """kernel forward
  axes i:B, j:{out}, k:{n}
  read x: f32[B, {n}], w: f32[{n}, {out}], b: f32[{out}]
  write y: f32[B, {out}]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(c + b[j], 0.0)
  by_row x
"""
TURNED = """kernel turned
  axes i:B, j:{out}, k:{n}
  read x: f32[B, {n}], w: f32[{out}, {n}]
  write y: f32[B, {out}]
  reduce c[i, j] = add over k of x[i, k] * w[j, k]
  store y[i, j] = c
  by_row x
"""
GRADIENT = """kernel gradient
  axes i:{n}, j:{out}, k:B
  read x: f32[B, {n}], d: f32[B, {out}], w: f32[{n}, {out}]
  write v: f32[{n}, {out}]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  store v[i, j] = w[i, j] - g * 0.1 / (sqrt(abs(g)) + 1.0)
  in_place v = w
{panels}  by_row x, d
"""
WEIGHTED = """kernel weighted
  axes j:{n}, k:B
  read x: f32[B, {n}], d: f32[B]
  write y: f32[{n}]
  reduce c[j] = add over k of x[k, j] * d[k]
  store y[j] = c
  by_row x
"""


class Scattered(Native):
    """Each row of what is read row by row lies by itself, in front of memory, or behind memory, that may not be touched."""

    before = False

    def tables(self, arrays, symbols):
        dims = super().tables(arrays, symbols)[1]
        rows = {name: [fenced(row, self.before) for row in arrays[name]] for name in self.nest.by_row}
        self.kept = rows, {name: (ctypes.c_void_p * len(found))(*[row.ctypes.data for row in found]) for name, found in rows.items()}
        return argument_table([ctypes.addressof(self.kept[1][a]) if a in rows else arrays[a].ctypes.data for a in self.nest.arrays]), dims


def results(kernel: Kernel, nest_of: Native, rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    arrays = {}
    for name, kind in kernel.arrays.items():
        arrays[name] = fenced(rng.normal(size=tuple(rows if str(d) == "B" else int(str(d)) for d in kind.shape)).astype(np.float32))
    for written, read in kernel.in_place.items():
        arrays[written] = arrays[read]
    nest_of.run(arrays, {"B": rows}, shares=3)
    return [arrays[name] for name in kernel.writes]


@pytest.mark.parametrize("text", [FORWARD, TURNED, GRADIENT, WEIGHTED], ids=["forward", "turned", "gradient", "weighted"])
@pytest.mark.parametrize(("n", "out"), [(300, 10), (257, 1), (70, 37), (512, 33), (33, 512), (784, 128)])
@pytest.mark.parametrize("target", ["avx512", "avx2", "scalar"])
def test_rows_may_lie_anywhere(text: str, n: int, out: int, target: str) -> None:
    chosen = Target.named(target)
    if chosen.vector_bytes > Target.host().vector_bytes:
        pytest.skip("not a processor for such vectors")
    kernel = parse_kernel(text.format(n=n, out=out, panels="  panels w: 32, v: 32\n" if out % 32 == 0 and "avx512" in target else ""))
    whole, nest = (plan(lower(k), chosen) for k in (replace(kernel, by_row=()), kernel))
    assert nest.by_row and parse_nest(print_nest(nest)).by_row == nest.by_row
    plain, scattered = Native(whole, chosen), Scattered(nest, chosen)
    for rows in (1, 7, 19, 130):
        wanted = results(kernel, plain, rows)
        for scattered.before in (False, True):
            assert all(np.array_equal(a, b) for a, b in zip(wanted, results(kernel, scattered, rows), strict=True))


@pytest.mark.parametrize("text", [FORWARD, GRADIENT], ids=["forward", "gradient"])
def test_notes_do_not_say_of_rows_that_they_are_asked_for(text: str) -> None:
    """Of the weight's rows, and of those that one table tells, what is said is what is done."""
    nest = plan(lower(parse_kernel(text.format(n=784, out=512, panels=""))), Target.named("avx512"))
    said = [note for note in nest.notes if "asked for" in note]
    for array in nest.by_row:
        assert [note for note in said if array in note.replace(":", "").split()] \
            == [f"nothing is asked for of {array}: where its rows lie is told by a table"] * (f"unasked({array})" in nest.steps)
    assert any("nothing" in note for note in said)


def test_tiles_are_measured_on_a_table() -> None:
    kernel = parse_kernel(FORWARD.format(n=70, out=53))
    assert tuning.measured_tiles(lower(kernel), Target.host(), CodegenOptions(cache_dir=None)) is not None
