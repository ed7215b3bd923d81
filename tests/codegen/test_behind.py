"""The epilogue of one tile inside the sum of the next: the same results for every batch, and where it applies."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native
from .test_panels import KERNELS, TEXTS, interpreted, read_back, stored

FIRST = ("tile(j, 32)", "vectorize(j.i, 16)")
TILED = ("unroll(i.i)", "reorder(j.panel, j.o, i.o, i.i, j.i.u, j.i.v)", "jam(j.i.v)", "jam(j.i.u)", "jam(i.i)", "stash(i.i)")


# What comes after the root reads a momentum that nothing else needs any more; and a root in a reciprocal, of which a root is taken
MOVED = parse_kernel(TEXTS["adam"].strip().replace("  store m2[i, j] = mn\n", "").replace("rate[] * mn", "m[i, j]").replace("adam", "moved")
                     .replace("  in_place w2", "  store m2[i, j] = mn\n  in_place w2") + "\n")
TWICE = parse_kernel(TEXTS["adam"].strip().replace("/ (sqrt(vn) + 0.001)", "* sqrt(rsqrt(abs(vn) + 0.1))").replace("adam", "twice") + "\n")


def scheduled(rows: int, *steps: str, kernel: Kernel = KERNELS["adam"]) -> Nest:
    nest = lower(kernel)
    for step in (*FIRST, f"tile(i, {rows})", *TILED, *steps):
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize("step", ["behind(i.o, k)", "behind(i.o, k, 1)", "behind(i.o, k, 3)"])
@pytest.mark.parametrize(("rows", "parts"), [(2, 0), (5, 0), (5, 3), (25, 0), (50, 4)])
def test_every_number_of_trips_beside_vectors(rows: int, parts: int, step: str) -> None:
    """`rows` of a tile are twice as many vectors, against 1 to 12 trips of the sum (in parts or not)."""
    compare(KERNELS["adam"], rows, parts, step)


@pytest.mark.parametrize("kernel", [MOVED, TWICE], ids=["moved", "twice"])
def test_what_comes_after_a_root(kernel: Kernel) -> None:
    compare(kernel, 5, 3, "behind(i.o, k, 2)")


def compare(kernel: Kernel, rows: int, parts: int, step: str) -> None:
    refill = (f"refill(k, j.o, {parts})",) if parts else ()
    nest = scheduled(rows, *refill, "parallel(j.panel)", step, kernel=kernel)
    plain, compiled = Native(scheduled(rows, *refill, "parallel(j.panel)", kernel=kernel)), Native(nest)
    for batch in (1, 2, 3, 4, 9, 10, 11, 12):
        arrays = inputs(kernel, {"B": batch})
        got = run_native(compiled, stored(kernel, arrays), {"B": batch}, shares=2)
        want = run_native(plain, stored(kernel, arrays), {"B": batch})
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": batch}), f"{rows} rows, {batch}")
        for written in kernel.writes:
            np.testing.assert_array_equal(got[written], want[written], err_msg=f"{rows} rows, {batch}: not the bits of the plain order")


@pytest.mark.parametrize("step", ["behind(i.o, k)", "behind(i.o, k, 2)"])
def test_the_interpreter_agrees(step: str) -> None:
    kernel = KERNELS["adam"]
    nest = scheduled(25, step)
    for batch in (1, 3, 60):
        interpreted(kernel, nest, batch)


def test_a_lag_needs_a_root_and_a_division_that_waits_for_it() -> None:
    root_alone = parse_kernel(TEXTS["adam"].strip().replace("mn / (sqrt(vn) + 0.001)", "mn * sqrt(vn)") + "\n")
    scheduled(5, "behind(i.o, k)", kernel=root_alone)
    with pytest.raises(ScheduleError, match="waits for a root"):
        scheduled(5, "behind(i.o, k, 2)", kernel=root_alone)
    with pytest.raises(ScheduleError, match="waits for a root"):
        scheduled(5, "behind(i.o, k, 10)")  # a tile has ten vectors


def test_where_it_is_planned() -> None:
    def planned(name: str, target: str) -> bool:
        return any(step.startswith("behind(") for step in plan(lower(KERNELS[name]), Target.named(target)).steps)
    assert "behind(i.o, k, 2)" in plan(lower(KERNELS["adam"]), Target.named("avx512")).steps
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
