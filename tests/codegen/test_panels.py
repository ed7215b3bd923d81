"""Kernels over matrices in panels: the same results as over rows, for every target, batch and share of the trips."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.nest_text import print_nest
from kcompile.codegen.panel_order import in_panels, in_rows
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan, tile_choices
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.panels import through_panels
from kcompile.ir.text.kernels import parse_kernel

from .harness import Array, Native
from .test_native import assert_close, evaluate, inputs, run_native

TEXTS = {
    "dense": """
kernel dense
  axes i:B, j:96, k:83
  read x: f32[B, 83], w: f32[83, 96], b: f32[96]
  write y: f32[B, 96]
  reduce acc[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(acc + b[j], 0.0) + f32(index(96*i + j, u32)) * 0.001
  panels w: 32
""", "input_gradient": """
kernel input_gradient
  axes i:B, k:83, j:96
  read d: f32[B, 96], w: f32[83, 96]
  write dx: f32[B, 83]
  reduce acc[i, k] = add over j of d[i, j] * w[k, j]
  store dx[i, k] = acc * 0.5
  panels w: 32
""", "adam": """
kernel adam
  axes i:50, j:320, k:B
  read x: f32[B, 50], d: f32[B, 320], w: f32[50, 320], m: f32[50, 320], v: f32[50, 320], rate: f32[]
  write w2: f32[50, 320], m2: f32[50, 320], v2: f32[50, 320]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  let mn[i, j] = m[i, j] * 0.9 + g * 0.1
  let vn[i, j] = v[i, j] * 0.999 + g * g * 0.001
  store m2[i, j] = mn
  store v2[i, j] = vn
  store w2[i, j] = w[i, j] - rate[] * mn / (sqrt(vn) + 0.001)
  in_place w2 = w
  in_place m2 = m
  in_place v2 = v
  panels w: 32, m: 32, v: 32, w2: 32, m2: 32, v2: 32
""", "large_update": """
kernel large_update
  axes i:2100, j:256, k:B
  read x: f32[B, 2100], d: f32[B, 256], w: f32[2100, 256]
  write w2: f32[2100, 256]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  store w2[i, j] = w[i, j] - tanh(g) * 0.1
  in_place w2 = w
  panels w: 32, w2: 32
""", "one_of_two": """
kernel one_of_two
  axes i:40, j:96
  read w: f32[40, 96], g: f32[40, 96], norm: f32[]
  write w2: f32[40, 96], sums: f32[96]
  let u[i, j] = g[i, j] * norm[]
  reduce total[j] = add over i of u * w[i, j]
  store sums[j] = total
  store w2[i, j] = w[i, j] - u
  panels w: 32, w2: 32
""", "penalty": """
kernel penalty
  axes i:40, j:96
  read w: f32[40, 96]
  write p: f32[]
  reduce total[] = add over i, j of w[i, j] * w[i, j]
  store p[] = total * 0.01
  panels w: 32
""",
}
KERNELS = {name: parse_kernel(text.strip() + "\n") for name, text in TEXTS.items()}
BATCHES = [1, 2, 7, 8, 31, 128, 129, 300]
LARGE = [2, 129]  # of what takes the reference seconds and gigabytes


def stored(kernel: Kernel, arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: in_panels(array, kernel.panels[name]) if name in kernel.panels else array for name, array in arrays.items()}


def read_back(kernel: Kernel, arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: in_rows(array) if name in kernel.panels else array for name, array in arrays.items()}


def sizes(kernel: Kernel) -> list[int]:
    return (LARGE if kernel.name.startswith("large") else BATCHES) if lower(kernel).symbols else [1]


@pytest.mark.parametrize("name", KERNELS)
def test_the_description_is_the_same_over_panels(name: str) -> None:
    kernel = KERNELS[name]
    arrays = inputs(kernel, {"B": 3})
    over = through_panels(kernel)
    assert not over.panels and over.axes != kernel.axes
    got = evaluate(over, stored(kernel, arrays), {"B": 3})
    assert_close(kernel, read_back(kernel, got), evaluate(replace(kernel, panels={}), arrays, {"B": 3}), name)


@pytest.mark.parametrize("target", ["host", "avx512", "avx2", "scalar"])
@pytest.mark.parametrize("name", KERNELS)
def test_native_code_over_panels(name: str, target: str) -> None:
    kernel = KERNELS[name]
    compiled = Native(plan(lower(kernel), Target.named(target)))
    for batch in sizes(kernel):
        symbols = {"B": batch}
        arrays = inputs(kernel, symbols)
        first = run_native(compiled, stored(kernel, arrays), symbols)
        assert_close(kernel, read_back(kernel, first), evaluate(kernel, arrays, symbols), f"{name}, {batch} rows")
        for before in (False, True):
            again = run_native(compiled, stored(kernel, arrays), symbols, shares=3, before=before)
            for written in kernel.writes:
                np.testing.assert_array_equal(again[written], first[written], err_msg=f"{name}, {batch} rows in shares")


def interpreted(kernel: Kernel, nest: Nest, batch: int) -> None:
    """Checks that the nest, run by the interpreter, computes what the kernel says."""
    symbols = {"B": batch}
    arrays = inputs(kernel, symbols)
    memory = stored(kernel, arrays)
    flat = {n: array.reshape(-1) for n, array in memory.items()}
    flat.update({written: flat[read] for written, read in kernel.in_place.items()})
    interpret(nest, flat, symbols)
    got = read_back(kernel, {n: flat[n].reshape(memory[n].shape) for n in kernel.writes})
    assert_close(kernel, got, evaluate(kernel, arrays, symbols), f"interpreted, {batch} rows")


@pytest.mark.parametrize(("name", "target"), [("dense", "neon"), ("input_gradient", "neon"), ("adam", "avx512"), ("one_of_two", "neon"),
                                              ("penalty", "neon")])
def test_the_interpreter_agrees_over_panels(name: str, target: str) -> None:
    kernel = KERNELS[name]
    interpreted(kernel, plan(lower(kernel), Target.named(target)), 2)


@pytest.mark.parametrize("size", [1, 2, 3, 128])
def test_parts_of_a_sum(size: int) -> None:
    kernel = KERNELS["adam"]
    nest = lower(kernel)
    for step in ("tile(j, 32)", "vectorize(j.i, 16)", "tile(i, 4)", "unroll(i.i)", "reorder(j.panel, j.o, i.o, i.i, j.i.u, j.i.v)",
                 "jam(j.i.v)", "jam(j.i.u)", "jam(i.i)", "stash(i.i)", f"refill(k, j.o, {size})", "parallel(j.panel)"):
        nest = apply(nest, step)
    compiled = Native(nest)
    for batch in (1, 2, 3, 5, 6):
        arrays = inputs(kernel, {"B": batch})
        got = run_native(compiled, stored(kernel, arrays), {"B": batch}, shares=2)
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": batch}), f"{batch} rows, {size} at a time")


def test_updates_go_along_panels() -> None:
    steps = plan(lower(KERNELS["large_update"]), Target.named("avx512")).steps
    assert any(step.startswith("repack(") for step in steps) and not any(step.startswith(("strip(", "chunk(", "pack(")) for step in steps)


def momentum(rows: int, columns: int) -> Kernel:
    shape = f"f32[{rows}, {columns}]"
    return parse_kernel(f"""kernel momentum
  axes i:{rows}, j:{columns}, k:B
  read x: f32[B, {rows}], d: f32[B, {columns}], w: {shape}, m: {shape}
  write w2: {shape}, m2: {shape}
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  let mn[i, j] = m[i, j] * 0.9 - g * 0.5
  store m2[i, j] = mn
  store w2[i, j] = w[i, j] + tanh(mn)
  in_place w2 = w
  in_place m2 = m
  panels w: 32, m: 32, w2: 32, m2: 32
""")


@pytest.mark.parametrize(("kilobytes", "cores"), [(256, 2), (512, 2), (512, 3), (512, 8), (1024, 64), (2048, 256)])
@pytest.mark.parametrize(("rows", "columns"), [(449, 160), (607, 128), (607, 192), (664, 224), (2100, 256), (5, 13120)])
def test_pieces_of_every_size(rows: int, columns: int, kilobytes: int, cores: int) -> None:
    kernel = momentum(rows, columns)
    target = replace(Target.named("avx512"), l2=kilobytes << 10, cores=cores)
    nest = plan(lower(kernel), target)
    halves = 2 if any(step.startswith("block(") for step in nest.steps) else 1  # which have sums of their own
    assert all(elements <= halves << 17 for _, elements in nest.scratch.values()), "more than half a megabyte of private memory"
    if (rows, columns) in ((449, 160), (607, 128)):
        arrays = inputs(kernel, {"B": 130})
        got = run_native(Native(nest), stored(kernel, arrays), {"B": 130}, shares=3)
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": 130}), f"{rows} x {columns}")


@pytest.mark.parametrize("size", ["1 x 1", "2 x 1"])
def test_tiles_of_one_row(size: str) -> None:
    kernel = momentum(1111, 160)
    target = Target.named("avx512")
    tile = next(tile for tile in tile_choices(lower(kernel), target) if str(tile) == size)
    compiled = Native(plan(lower(kernel), target, tile))
    arrays = inputs(kernel, {"B": 5})
    got = run_native(compiled, stored(kernel, arrays), {"B": 5})
    assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": 5}), f"tiles of {size}")


DENSE_IN_BLOCKS = parse_kernel("""kernel dense_in_blocks
  axes i:B, j:128, k:250
  read x: f32[B, 250], w: f32[250, 128], b: f32[128]
  write y: f32[B, 128]
  reduce acc[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(acc + b[j], 0.0)
  panels w: 32
""")


@pytest.mark.parametrize(("kernel", "panels"), [(DENSE_IN_BLOCKS, 2), (momentum(250, 128), 2), (momentum(250, 256), 4)],
                         ids=["dense", "momentum in blocks", "momentum"])
def test_a_core_takes_rows_in_pieces(kernel: Kernel, panels: int) -> None:
    target = replace(Target.named("avx512"), l2=256 << 10, cores=2)
    nest = plan(lower(kernel), target)
    assert f"tile(j.panel, {panels})" in nest.steps and any(step.startswith("reorder(j.panel.o, i.o, j.panel.i, ") for step in nest.steps)
    compiled = Native(nest)
    for batch in (*range(1, 13), 59, 60, 61, 72, 130, 200):
        arrays = inputs(kernel, {"B": batch})
        got = run_native(compiled, stored(kernel, arrays), {"B": batch}, shares=3)
        assert_close(kernel, read_back(kernel, got), evaluate(kernel, arrays, {"B": batch}), f"{batch} rows")


def test_pieces_need_several_panels_for_each_core() -> None:
    steps = {cores: plan(lower(DENSE_IN_BLOCKS), replace(Target.named("avx512"), l2=256 << 10, cores=cores)).steps for cores in (1, 3, 4)}
    assert "tile(j.panel, 4)" in steps[1]
    assert not any(step.startswith("tile(j.panel") for cores in (3, 4) for step in steps[cores])


def test_rows_that_end_anywhere_in_a_line_are_asked_for_at_both_ends() -> None:
    nest = plan(lower(momentum(784, 512)), replace(Target.named("avx512"), l2=1 << 20, cores=8))
    text = print_nest(nest)
    assert "tile(i.i, 14)" in nest.steps and "lead(x, k, 12, ends)" in nest.steps
    assert "prefetch x[k.n]" in text and "prefetch x[k.n + 13]" in text
