"""Panels of weights that hold still: copies that are right for every size, thread and call, and follow every change of the weights."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.changes import changed
from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step_cache import decode, encode
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.compiler import to_program
from kcompile.ir.text.graphs import parse_graph
from kcompile.ir.text.kernels import parse_kernel

DEPTH = 40


def dense(columns: int) -> Executable:
    """x @ w, twice by the same weights."""
    graph = parse_graph(f"""
graph g {{
  param %x: f32[B, {DEPTH}]
  param %z: f32[B, {DEPTH}]
  state %w: f32[{DEPTH}, {columns}]  role=weight
  %0 = dot(%x, %w, batch=((), ()), contract=((1,), (0,))): f32[B, {columns}]
  %1 = dot(%z, %w, batch=((), ()), contract=((1,), (0,))): f32[B, {columns}]
  out y = %0
  out v = %1
}}
""".lstrip())
    return compile_program(to_program(graph), options=CodegenOptions(cache_dir=None, single_thread_below=0))


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)  # exact sums


def run(executable: Executable, w: np.ndarray, rows: int, threads: int = 1) -> None:
    """Raises AssertionError where the product is not that of `w` as it is now."""
    x, z = numbers(rows, DEPTH, seed=1), numbers(rows, DEPTH, seed=2)
    outputs = executable.program.outputs
    y, v = np.full((rows, w.shape[1]), np.nan, np.float32), np.full((rows, w.shape[1]), np.nan, np.float32)
    executable.run({"x": x, "z": z, "w": w, outputs["y"]: y, outputs["v"]: v}, {"B": rows}, threads)
    np.testing.assert_array_equal(y, x @ w)
    np.testing.assert_array_equal(v, z @ w)


@pytest.mark.parametrize("columns", [512, 513, 515, 519, 520, 521, 527, 1000])
def test_every_residue_of_a_panel(columns: int) -> None:
    executable = dense(columns)
    assert len(executable.code.panels) == 1  # two products share the panels of one weight
    w = numbers(DEPTH, columns)
    for rows in (1, 3, 4, 9):
        for threads in (1, 2):
            run(executable, w, rows, threads)


def test_changes_are_seen() -> None:
    executable = dense(512)
    w, other = numbers(DEPTH, 512), numbers(DEPTH, 512, seed=5)
    run(executable, w, 3)
    run(executable, other, 3)  # another array
    run(executable, w, 2)  # another frame
    w += 1
    changed()
    run(executable, w, 3)
    run(executable, w, 2)


def test_an_array_at_the_address_of_one_that_is_gone() -> None:
    executable = dense(512)
    for seed in range(6):
        w = numbers(DEPTH, 512, seed=seed)
        run(executable, w, 1 + seed % 2)
        del w


def test_a_new_batch_size_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    executable = dense(512)
    w = numbers(DEPTH, 512)
    run(executable, w, 1)
    assert executable.panels is not None
    monkeypatch.setattr(executable.panels, "_fill", lambda sources: pytest.fail("the panels were filled already"))
    for rows in (2, 1, 3):
        run(executable, w, rows)


def test_a_prepared_step_sees_them_too() -> None:
    executable = dense(512)
    outputs = executable.program.outputs
    w, x = numbers(DEPTH, 512), numbers(2, DEPTH, seed=1)
    y, v = np.zeros((2, 512), np.float32), np.zeros((2, 512), np.float32)
    step = executable.prepare({"x": x, "z": x, "w": w, outputs["y"]: y, outputs["v"]: v}, (), {"B": 2})
    step.run()
    np.testing.assert_array_equal(y, x @ w)
    run(executable, w + 1, 2)  # in between the panels are those of another array
    step.run()
    np.testing.assert_array_equal(y, x @ w)
    w -= 2
    changed()
    step.run()
    np.testing.assert_array_equal(v, x @ w)


def test_a_loop_sees_them_too() -> None:
    executable = dense(512)
    outputs = executable.program.outputs
    w, x = numbers(DEPTH, 512), numbers(7, DEPTH, seed=1)
    y, v = np.zeros((7, 512), np.float32), np.zeros((7, 512), np.float32)
    loop = executable.loop({"x": x, "z": x}, {outputs["y"]: y, outputs["v"]: v}, {"w": w}, None, 3)
    for _ in range(2):
        assert loop.run(0, loop.steps, 10.0) == loop.steps
        np.testing.assert_array_equal(y, x @ w)
        w += 1
        changed()


def test_the_weights_of_a_step_that_learns_do_not_hold_still() -> None:
    graph = parse_graph(f"""
graph g {{
  param %x: f32[B, {DEPTH}]
  state %w: f32[{DEPTH}, 512]  role=weight
  %0 = dot(%x, %w, batch=((), ()), contract=((1,), (0,))): f32[B, 512]
  %1 = mul(%w, %w): f32[{DEPTH}, 512]
  out y = %0
  update w = %1
}}
""".lstrip())
    executable = compile_program(to_program(graph), options=CodegenOptions(cache_dir=None))
    assert not executable.code.panels
    predicting = dense(512)
    w = numbers(DEPTH, 512)
    run(predicting, w, 2)
    executable.run({"x": numbers(1, DEPTH), "w": w, executable.program.outputs["y"]: np.zeros((1, 512), np.float32)}, {"B": 1})
    run(predicting, w, 2)  # nobody has said anything: the step that learns did


def test_a_step_with_panels_on_disk() -> None:
    code = dense(513).code
    assert decode(encode(code)) == code


@pytest.mark.parametrize("target", ["avx512", "avx2", "neon"])
def test_text_and_meaning_of_a_nest_with_panels(target: str) -> None:
    kernel = parse_kernel("""
kernel conv
  axes n:B, y:1, x:2, o:257, ky:2, kx:1, c:2
  read t: f32[B, 2, 2, 2], w: f32[2, 1, 2, 257]
  write r: f32[B, 1, 2, 257]
  reduce s[n, y, x, o] = add over ky, kx, c of t[n, y + ky, x + kx, c] * w[ky, kx, c, o]
  store r[n, y, x, o] = s
  still w
""".lstrip())
    nest = plan(lower(kernel), Target.named(target))
    assert nest.panels
    text = print_nest(nest)
    again = parse_nest(text)
    assert print_nest(again) == text
    t, w = numbers(1, 2, 2, 2), numbers(2, 1, 2, 257, seed=3)
    results = []
    for one in (lower(kernel), again):
        r = np.zeros((1, 1, 2, 257), np.float32)
        interpret(one, {"t": t, "w": w, "r": r}, {"B": 1})
        results.append(r)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("contract", [0, 1])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_is_kept_is_itself_a_product(contract: int, threads: int) -> None:
    """It has no panels of its own, and packs its operand where it stands: a call that finds nothing to claim by."""
    size = 260
    graph = parse_graph(f"""
graph g {{
  param %x: f32[B, {size}]
  state %w: f32[{size}, {size}]  role=weight
  %0 = dot(%w, %w, batch=((), ()), contract=((1,), ({contract},))): f32[{size}, {size}]
  %1 = dot(%x, %0, batch=((), ()), contract=((1,), (0,))): f32[B, {size}]
  out y = %1
}}
""".lstrip())
    executable = compile_program(to_program(graph), options=CodegenOptions(cache_dir=None, single_thread_below=0, threads=threads))
    assert any(buffer.kind == "kept" for buffer in executable.program.buffers.values())
    x, y = numbers(3, size, seed=1), np.full((3, size), np.nan, np.float32)
    for seed in range(2):
        w = numbers(size, size, seed=seed)
        w[:, ::2] = 0  # exact sums
        executable.run({"x": x, "w": w, executable.program.outputs["y"]: y}, {"B": 3}, threads)
        np.testing.assert_array_equal(y, x @ (w @ (w if contract == 0 else w.T)))
