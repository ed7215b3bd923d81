"""Both operands of a long sum packed for many panels: the bits of one operand packed, for every batch, and where it is planned."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native
from .test_panels import KERNELS, interpreted, momentum, read_back, stored

SHARED = ("tile(j, 32)", "vectorize(j.i, 16)", "tile(j.panel, 5)")
JAMMED = ("jam(j.i.v)", "jam(j.i.u)")


def scheduled(rows: int, packing: str, piece: int = 0) -> Nest:
    """Adam on a matrix of 50 rows and ten panels, five of which take what is packed."""
    nest = lower(KERNELS["adam"])
    cut = (f"tile(i, {piece})", f"tile(i.i, {rows})") if piece else (f"tile(i, {rows})",)
    tile = "i.i" if piece else "i"
    around = ("j.panel.o", "i.o", "j.panel.i", "j.o", "i.i.o") if piece else ("j.panel.o", "j.panel.i", "j.o", "i.o")
    order = f"reorder({', '.join((*around, f'{tile}.i'))}, j.i.u, j.i.v)"
    for step in (*SHARED, *cut, f"unroll({tile}.i)", order, *JAMMED, f"jam({tile}.i)", f"stash({tile}.i)", packing, "parallel(j.panel.o)"):
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize(("rows", "piece"), [(5, 0), (14, 0), (16, 0), (5, 25), (14, 28), (3, 45)])
@pytest.mark.parametrize("size", [1, 3, 16, 20])
def test_the_bits_are_those_of_one_operand_packed(rows: int, piece: int, size: int) -> None:
    """Rows that fill all tiles or not, pieces or not, against sums of less than a part to several."""
    kernel = KERNELS["adam"]
    compiled = Native(scheduled(rows, f"repack(k, j.panel.i, {size})", piece))
    plain = Native(scheduled(rows, f"refill(k, j.o, {size})", piece))
    few = Native(scheduled(rows, f"repack(k, j.panel.i, {size}, {size})", piece))
    for batch in (1, 2, 3, 4, 16, 17, 39, 41):
        arrays = inputs(kernel, {"B": batch})
        got = run_native(compiled, stored(kernel, arrays), {"B": batch}, shares=2)
        want = run_native(plain, stored(kernel, arrays), {"B": batch})
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": batch}), f"{rows} rows, {batch}")
        for written in kernel.writes:
            np.testing.assert_array_equal(got[written], want[written], err_msg=f"{rows} rows, {batch}")
        got = run_native(few, stored(kernel, arrays), {"B": batch}, shares=2)
        for written in kernel.writes:
            np.testing.assert_array_equal(got[written], want[written], err_msg=f"{rows} rows, {batch}: not packed where it is short")


def test_sums_that_wait_are_taken_up_behind_one_branch() -> None:
    """No address is chosen for every vector of a tile."""
    text = emit(scheduled(14, "repack(k, j.panel.i, 16)"), Target.named("avx512"), "update")
    assert "kc_zero_cell" not in text and "%taken" in text


@pytest.mark.parametrize("step", ["repack(k, j.panel.i, 2)", "repack(k, j.panel.i, 2, 1)"])
def test_the_interpreter_agrees(step: str) -> None:
    kernel = KERNELS["adam"]
    nest = scheduled(14, step)
    for batch in (1, 3):
        interpreted(kernel, nest, batch)


@pytest.mark.parametrize(("rows", "step", "reason"), [
    (5, "repack(k, j.panel.q, 8)", "no loop j.panel.q"),
    (5, "repack(i, j.panel.i, 8)", "sum over i alone"),
    (5, "repack(k, j.panel.i, 8, 9)", "in another order"),
    (17, "repack(k, j.panel.i, 8)", "more than a vector's 16 lanes"),
])
def test_where_it_does_not_apply(rows: int, step: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        scheduled(rows, step)


def packing_steps(rows: int, columns: int, **fields: int) -> list[str]:
    nest = plan(lower(momentum(rows, columns)), replace(Target.named("avx512"), **fields))
    return [step for step in nest.steps if step.startswith(("repack(", "refill("))]


def test_where_it_is_planned() -> None:
    assert packing_steps(784, 512) == ["repack(k, j.panel.i, 128)"]
    assert packing_steps(784, 384, cores=4) == ["refill(k, j.o, 128)"], "three panels of a core"
    assert packing_steps(784, 512, cores=8) == ["refill(k, j.o, 128)"], "two panels of a core"
    assert packing_steps(200, 512) == ["refill(k, j.o, 128)"], "rows of 800 bytes lie near each other"


@pytest.mark.parametrize(("rows", "columns", "cores"), [(449, 288, 1), (607, 256, 2), (300, 2 * 32 * 17, 2)])
def test_rows_that_fill_no_tile(rows: int, columns: int, cores: int) -> None:
    kernel = momentum(rows, columns)
    nest = plan(lower(kernel), replace(Target.named("avx512"), cores=cores, l2=256 << 10))
    assert any(step.startswith("repack(") for step in nest.steps)
    arrays = inputs(kernel, {"B": 130})
    first = run_native(Native(nest), stored(kernel, arrays), {"B": 130})
    assert_close(kernel, read_back(kernel, first), evaluate(kernel, arrays, {"B": 130}), f"{rows} x {columns}")
    again = run_native(Native(nest), stored(kernel, arrays), {"B": 130}, shares=3)
    for written in kernel.writes:
        np.testing.assert_array_equal(again[written], first[written], err_msg="in shares")
