"""The epilogue of one tile inside the sum of the next: the same results for every batch, and where it applies."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native
from .test_panels import KERNELS, TEXTS, interpreted, read_back, stored

FIRST = ("tile(j, 32)", "vectorize(j.i, 16)")
TILED = ("unroll(i.i)", "reorder(j.panel, j.o, i.o, i.i, j.i.u, j.i.v)", "jam(j.i.v)", "jam(j.i.u)", "jam(i.i)", "stash(i.i)")


def scheduled(rows: int, *steps: str) -> Nest:
    nest = lower(KERNELS["adam"])
    for step in (*FIRST, f"tile(i, {rows})", *TILED, *steps):
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize(("rows", "parts"), [(2, 0), (5, 0), (5, 3), (25, 0), (50, 4)])
def test_every_number_of_trips_beside_vectors(rows: int, parts: int) -> None:
    """`rows` of a tile are twice as many vectors, against 1 to 12 trips of the sum (in parts or not)."""
    kernel = KERNELS["adam"]
    refill = (f"refill(k, j.o, {parts})",) if parts else ()
    nest = scheduled(rows, *refill, "parallel(j.panel)", "behind(i.o, k)")
    plain, compiled = Native(scheduled(rows, *refill, "parallel(j.panel)")), Native(nest)
    for batch in (1, 2, 3, 4, 9, 10, 11, 12):
        arrays = inputs(kernel, {"B": batch})
        got = run_native(compiled, stored(kernel, arrays), {"B": batch}, shares=2)
        want = run_native(plain, stored(kernel, arrays), {"B": batch})
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": batch}), f"{rows} rows, {batch}")
        for written in kernel.writes:
            np.testing.assert_array_equal(got[written], want[written], err_msg=f"{rows} rows, {batch}: not the bits of the plain order")


def test_the_interpreter_agrees() -> None:
    kernel = KERNELS["adam"]
    nest = scheduled(25, "behind(i.o, k)")
    for batch in (1, 3):
        interpreted(kernel, nest, batch)


def test_where_it_is_planned() -> None:
    def planned(name: str, target: str) -> bool:
        return any(step.startswith("behind(") for step in plan(lower(KERNELS[name]), Target.named(target)).steps)
    assert planned("adam", "avx512")
    assert not planned("adam", "avx2")  # no panels
    assert not planned("dense", "avx512")  # nothing is divided
    assert not planned("large_update", "avx512")


def test_rows_that_lie_apart_are_refused() -> None:
    """Over rows, a tile's epilogue meets pieces of 128 bytes, which no number of a vector tells."""
    text = TEXTS["adam"]
    kernel = parse_kernel(text[:text.index("  panels")].strip() + "\n")
    nest = lower(kernel)
    for step in (*FIRST, "tile(i, 5)", "unroll(i.i)", "reorder(j.o, i.o, i.i, j.i.u, j.i.v)", *TILED[2:]):
        nest = apply(nest, step)
    with pytest.raises(ScheduleError, match="one after the other"):
        apply(nest, "behind(i.o, k)")


def test_a_sum_that_reads_what_the_epilogue_writes_is_refused() -> None:
    """The tile before would have been updated already."""
    kernel = parse_kernel(TEXTS["adam"].strip().replace("x[k, i] * d[k, j]", "x[k, i] * d[k, j] * w[i, j]") + "\n")
    nest = lower(kernel)
    for step in (*FIRST, "tile(i, 5)", *TILED):
        nest = apply(nest, step)
    with pytest.raises(ScheduleError, match="one after the other"):
        apply(nest, "behind(i.o, k)")
