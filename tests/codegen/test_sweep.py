"""Sums that go through an image row by row, all tiles together: the same bits as tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

TEXT = """
kernel parts_of_a_gradient
  axes n:B, ky:3, kx:3, c:{c}, y:{y}, x:{x}
  read image: f32[B, {h}, {w}, {c}], d: f32[B, {y}, {x}, {c}]
  write p: f32[B, 3, 3, {c}]
  reduce s[n, ky, kx, c] = add over y, x of image[n, {stride}y + ky, {stride}x + kx, c] * d[n, y, x, c]
  store p[n, ky, kx, c] = s * 0.5
""".lstrip()


def kernel(c: int, y: int, x: int, stride: int = 1) -> Kernel:
    factor = f"{stride}*" if stride > 1 else ""
    return parse_kernel(TEXT.format(c=c, y=y, x=x, h=stride * (y - 1) + 3, w=stride * (x - 1) + 3, stride=factor))


def without(nest: Nest, target: Target) -> Nest:
    """The schedule without the step, and what follows it."""
    steps = [s for s in plan(nest, target).steps if not s.startswith(("foresee", "slide"))]
    assert [s for s in steps if s.startswith("sweep")] == ["sweep(y)"]
    for step in steps:
        nest = nest if step.startswith("sweep") else apply(nest, step)
    return nest


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("c", "y", "x", "stride"), [(32, 16, 16, 1), (40, 5, 9, 1), (133, 7, 7, 1), (96, 6, 8, 2), (64, 2, 5, 1)])
@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_same_bits(target: str, c: int, y: int, x: int, stride: int, batch: int) -> None:
    one = kernel(c, y, x, stride)
    arrays, symbols = inputs(one, {"B": batch}), {"B": batch}
    swept = run_native(Native(plan(lower(one), Target.named(target))), arrays, symbols, shares=2)
    assert_close(one, swept, evaluate(one, arrays, symbols), f"{one.name} in rows")
    alone = run_native(Native(without(lower(one), Target.named(target))), arrays, symbols)
    np.testing.assert_array_equal(swept["p"], alone["p"])


@pytest.mark.parametrize("op", ["min", "max", "mul"])
def test_sums_of_another_kind_begin_with_what_changes_nothing(op: str) -> None:
    one = parse_kernel(TEXT.format(c=40, y=5, x=9, h=7, w=11, stride="").replace("= add over", f"= {op} over"))
    nest = plan(lower(one), Target.named("avx512"))
    assert "sweep(y)" in nest.steps
    arrays = {name: np.abs(array) + 1 for name, array in inputs(one, {"B": 2}).items()}
    assert_close(one, run_native(Native(nest), arrays, {"B": 2}), evaluate(one, arrays, {"B": 2}), op)


def test_the_interpreter_agrees() -> None:
    one = kernel(40, 5, 9)
    arrays, symbols = inputs(one, {"B": 2}), {"B": 2}
    want = evaluate(one, arrays, symbols)
    interpret(plan(lower(one), Target.named("avx2")), {name: array.reshape(-1) for name, array in arrays.items()}, symbols)
    assert_close(one, arrays, want, "interpreted")


def test_one_tile_is_left_as_it_is() -> None:
    assert not any(s.startswith("sweep") for s in plan(lower(kernel(16, 16, 16)), Target.named("avx512")).steps)


@pytest.mark.parametrize("over", ["x", "l", "c.o"])
def test_another_loop_is_refused(over: str) -> None:
    nest = lower(kernel(64, 6, 8))
    for step in plan(nest, Target.named("avx512")).steps:
        if step.startswith("sweep"):
            break
        nest = apply(nest, step)
    with pytest.raises(ScheduleError, match="sweep"):
        apply(nest, f"sweep({over})")
