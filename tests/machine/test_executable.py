"""Whole programs, natively: against the numpy interpreter, on any number of threads, one step at a time and in a loop."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kcompile.codegen import executable as executable_module
from kcompile.codegen import loop as loop_module
from kcompile.codegen.executable import FRAMES_KEPT, Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step_cache import decode, encode
from kcompile.codegen.step_text import canonical, step_code
from kcompile.codegen.target import Target
from kcompile.ir.execute import run_program
from kcompile.ir.program import Program

from .programs import SIZES, initial_states, training_program

ROWS = 103


@pytest.fixture(scope="module")
def program() -> Program:
    return training_program()


@pytest.fixture(scope="module")
def executable(program: Program) -> Executable:
    return compile_program(program, options=CodegenOptions(cache_dir=None, single_thread_below=0))


def data(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.normal(size=(rows, SIZES[0])).astype(np.float32), rng.normal(size=(rows, SIZES[-1])).astype(np.float32)


def buffers(program: Program, rows: int) -> dict[str, np.ndarray]:
    return {program.outputs["y"]: np.zeros((rows, SIZES[-1]), np.float32), program.outputs["loss"]: np.zeros((), np.float32)}


def by_single_steps(executable: Executable, order: np.ndarray, batch: int, threads: int) -> list[np.ndarray]:
    program = executable.program
    x, target = data()
    states, ys, loss = initial_states(program), [], np.zeros(0)
    for start in range(0, len(order), batch):
        rows = order[start:start + batch]
        out = buffers(program, len(rows))
        executable.run({"x": x[rows], "target": target[rows], **out, **states}, {"B": len(rows)}, threads)
        ys.append(out[program.outputs["y"]])
        loss = out[program.outputs["loss"]]
    return [np.concatenate(ys), loss, *states.values()]


def by_loop(executable: Executable, order: np.ndarray | None, batch: int, threads: int | None, pieces: int = 1 << 30,
            x: np.ndarray | None = None) -> list[np.ndarray]:
    program = executable.program
    given, target = data()
    x = given if x is None else x
    rows = ROWS if order is None else len(order)
    states, out = initial_states(program), buffers(program, rows)
    y = out.pop(program.outputs["y"])
    loop = executable.loop({"x": x, "target": target}, {program.outputs["y"]: y}, {**out, **states}, order, batch, threads)
    done = 0
    while done < loop.steps:
        done += loop.run(done, min(pieces, loop.steps - done))
    return [y, out[program.outputs["loss"]], *states.values()]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(p.tobytes() == q.tobytes() for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("rows", [1, 7, 16, 33])
def test_one_step_against_the_interpreter(executable: Executable, program: Program, rows: int) -> None:
    x, target = data(rows)
    states = initial_states(program)
    outputs, after = run_program(program, {"x": x, "target": target}, states, {"B": rows})
    out = buffers(program, rows)
    executable.run({"x": x, "target": target, **out, **states}, {"B": rows}, threads=2)
    np.testing.assert_allclose(out[program.outputs["y"]], outputs["y"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(out[program.outputs["loss"]], outputs["loss"], rtol=1e-5)
    for name, value in states.items():
        np.testing.assert_allclose(value, after[name], rtol=1e-5, atol=1e-6)


def test_same_bits_on_any_number_of_threads_and_in_a_loop(executable: Executable) -> None:
    order = np.random.default_rng(1).permutation(ROWS)
    wanted = by_single_steps(executable, order, 16, 1)
    assert not np.isnan(wanted[0]).any() and np.ptp(wanted[0]) > 0
    for threads in (1, 2, 3, 4, 8):
        assert same(by_single_steps(executable, order, 16, threads), wanted), threads
        assert same(by_loop(executable, order, 16, threads), wanted), threads
    assert same(by_loop(executable, order, 16, 2, pieces=3), wanted), "resumed loops"


def test_rows_that_are_only_copied_compile_nothing(executable: Executable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are they looked for in the cache: the runtime copies them."""
    monkeypatch.setattr(loop_module, "gather_function", lambda *given: pytest.fail("a function for each dtype"))
    order = np.random.default_rng(3).permutation(ROWS)
    for threads in (1, 2):
        assert same(by_loop(executable, order, 16, threads), by_single_steps(executable, order, 16, 1))


def test_rows_in_place_without_a_copy(executable: Executable) -> None:
    wanted = by_single_steps(executable, np.arange(ROWS), 16, 1)
    for threads in (1, 2):
        assert same(by_loop(executable, None, 16, threads), wanted)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32, np.int64, np.bool_])
def test_sources_are_cast_row_by_row(executable: Executable, dtype: type) -> None:
    x = np.random.default_rng(3).integers(0, 2 if dtype == np.bool_ else 5, (ROWS, SIZES[0])).astype(dtype)
    order = np.random.default_rng(4).permutation(ROWS)
    wanted = by_loop(executable, order, 16, 1, x=x.astype(np.float32))
    for threads in (1, 2):
        assert same(by_loop(executable, order, 16, threads, x=x), wanted)
    assert same(by_loop(executable, None, 16, 2, x=x), by_loop(executable, None, 16, 1, x=x.astype(np.float32)))


@pytest.mark.parametrize(("rows", "batch"), [(5, 16), (16, 16), (17, 16), (1, 1), (3, 1)])
def test_few_rows(executable: Executable, rows: int, batch: int) -> None:
    order = np.arange(rows)[::-1].copy()
    assert same(by_loop(executable, order, batch, 2), by_single_steps(executable, order, batch, 1))


def test_order_may_repeat_and_leave_out_rows(executable: Executable) -> None:
    order = np.array([5, 5, 0, 99, 5, 1, 1])
    assert same(by_loop(executable, order, 3, 2), by_single_steps(executable, order, 3, 1))


def test_a_call_keeps_nothing_of_the_caller_alive(executable: Executable, program: Program) -> None:
    x, target = data(12)
    executable.run({"x": x, "target": target, **buffers(program, 12), **initial_states(program)}, {"B": 12})
    alive = weakref.ref(x)
    del x
    gc.collect()
    assert alive() is None


def test_many_batch_sizes(program: Program) -> None:
    executable = compile_program(program)
    wanted = by_single_steps(executable, np.arange(5), 5, 1)
    for rows in range(1, 80):
        by_single_steps(executable, np.arange(rows), rows, 1)
    assert len(executable._bound) <= FRAMES_KEPT
    assert same(by_single_steps(executable, np.arange(5), 5, 1), wanted)


def test_memory_that_was_given_back_is_taken_anew(program: Program, executable: Executable) -> None:
    x, target = data(16)
    found = []
    for _ in range(2):
        out, states = buffers(program, 16), initial_states(program)
        executable.run({"x": x, "target": target, **out, **states}, {"B": 16}, 2)
        assert executable.arena.nbytes > 0
        found.append([*out.values(), *states.values()])
        executable.release()
        assert executable.arena.nbytes == 0
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_larger_batch_moves_the_arena(program: Program) -> None:
    executable = compile_program(program, options=CodegenOptions(cache_dir=None))
    small = by_single_steps(executable, np.arange(8), 8, 1)
    by_single_steps(executable, np.arange(64), 64, 2)
    assert same(by_single_steps(executable, np.arange(8), 8, 1), small)


def test_a_batch_that_memory_does_not_suffice_for_changes_nothing(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    executable = compile_program(program, options=CodegenOptions(cache_dir=None))
    small, wanted = (by_single_steps(executable, np.arange(rows), rows, 1) for rows in (8, 9))
    executable = compile_program(program, options=CodegenOptions(cache_dir=None))
    assert same(by_single_steps(executable, np.arange(8), 8, 1), small)
    arena = executable.arena

    def no_memory(size: int) -> np.ndarray:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(executable_module, "aligned", no_memory)
        with pytest.raises(MemoryError):
            by_single_steps(executable, np.arange(64), 64, 1)
    assert executable.arena is arena
    assert same(by_single_steps(executable, np.arange(9), 9, 1), wanted)
    assert executable.arena is not arena, "nine rows need more than eight, whatever was tried in between"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loop_moves_to_other_sources(executable: Executable, program: Program, dtype: type) -> None:
    """In place (float32) and gathered (float64), also to a source with fewer rows."""
    rng = np.random.default_rng(9)
    parts = [rng.random((rows, SIZES[0])).astype(dtype) for rows in (64, 64, 32)]
    _, target = data(160)
    room = {"x": np.empty((64, SIZES[0]), dtype), "target": np.empty((64, SIZES[-1]), np.float32)}

    def fixed() -> dict[str, np.ndarray]:
        return {program.outputs["loss"]: np.zeros((), np.float32), **initial_states(program)}

    whole, moved = fixed(), fixed()
    y = np.zeros((160, SIZES[-1]), np.float32)
    loop = executable.loop({"x": np.concatenate(parts), "target": target}, {program.outputs["y"]: y}, whole, None, 16)
    assert _run_all(loop, loop.steps) == 10
    y_part, collected = np.zeros((64, SIZES[-1]), np.float32), []
    loop, start = executable.loop(room, {program.outputs["y"]: y_part}, moved, None, 16), 0
    for part in parts:
        loop.move_to({"x": part, "target": target[start:start + len(part)]})
        _run_all(loop, len(part) // 16)
        collected.append(y_part[:len(part)].copy())
        start += len(part)
    assert np.array_equal(np.concatenate(collected), y)
    assert all(np.array_equal(whole[name], moved[name]) for name in whole)
    with pytest.raises(TypeError, match="the loop reads rows of"):
        loop.move_to({"x": parts[0].astype(np.float16)})
    with pytest.raises(ValueError, match="expected rows of shape"):
        loop.move_to({"x": parts[0][:, :-1]})


def _run_all(loop: Any, steps: int) -> int:
    done = 0
    while done < steps:
        done += loop.run(done, steps - done)
    return done


def test_loops_of_one_batch_size_take_turns(executable: Executable, program: Program) -> None:
    """They share frames, which point to the states, rows and results of one of them at a time."""
    x, target = data()
    order = np.random.default_rng(1).permutation(ROWS)
    loops, found = [], []
    for rows in (None, order, order[::-1].copy()):
        states, out = initial_states(program, len(loops)), buffers(program, ROWS)
        y = out.pop(program.outputs["y"])
        loops.append(executable.loop({"x": x, "target": target}, {program.outputs["y"]: y}, {**out, **states}, rows, 16))
        found.append([y, *out.values(), *states.values()])
    for step in range(loops[0].steps):
        for loop in loops:
            assert loop.run(step, 1) == 1
    for number, (rows, mixed) in enumerate(zip((None, order, order[::-1].copy()), found, strict=True)):
        states, out = initial_states(program, number), buffers(program, ROWS)
        y = out.pop(program.outputs["y"])
        _run_all(executable.loop({"x": x, "target": target}, {program.outputs["y"]: y}, {**out, **states}, rows, 16), loops[0].steps)
        assert same(mixed, [y, *out.values(), *states.values()])


def test_a_loop_that_is_dropped_keeps_nothing_alive(executable: Executable, program: Program) -> None:
    x, target = data()
    states, y = initial_states(program), np.zeros((ROWS, SIZES[-1]), np.float32)
    fixed = {program.outputs["loss"]: np.zeros((), np.float32), **states}
    loop = executable.loop({"x": x, "target": target}, {program.outputs["y"]: y}, fixed, np.arange(ROWS), 16)
    _run_all(loop, loop.steps)
    alive = [weakref.ref(array) for array in (x, target, y, *states.values())]
    del loop, x, target, states, y, fixed
    gc.collect()
    assert not any(ref() is not None for ref in alive)


def test_loop_returns_in_time(executable: Executable, program: Program) -> None:
    x, target = np.zeros((400_000, SIZES[0]), np.float32), np.zeros((400_000, SIZES[-1]), np.float32)
    out = {program.outputs["loss"]: np.zeros((), np.float32)}
    sink = {program.outputs["y"]: np.zeros((400_000, SIZES[-1]), np.float32)}
    loop = executable.loop({"x": x, "target": target}, sink, {**out, **initial_states(program)}, None, 1, threads=1)
    start = time.perf_counter()
    done = loop.run(0, loop.steps, budget_seconds=0.02)
    assert 1 <= done < loop.steps and 0.015 < time.perf_counter() - start < 5
    assert loop.run(0, loop.steps, budget_seconds=0.0) == 1
    timer = threading.Timer(0.05, loop.stop)
    timer.start()
    start = time.perf_counter()
    assert loop.run(0, loop.steps, budget_seconds=60.0) < loop.steps
    assert time.perf_counter() - start < 5


def test_equal_kernels_compile_once_and_text_has_no_layer_paths() -> None:
    sizes = (32, 32, 32, 32, 32)
    code = step_code(training_program(sizes, prefix="model/block7/"), Target.named("avx2"))
    assert len({c.kernel.name for c in code.calls}) < len(code.calls)
    assert "block7" not in "".join(code.modules)
    assert code.modules == step_code(training_program(sizes, prefix="other/"), Target.named("avx2")).modules


def test_canonical_kernels_keep_their_arrays_in_order(program: Program) -> None:
    for step in program.steps:
        neutral = canonical(step.kernel)
        assert list(neutral.arrays.values()) == list(step.kernel.arrays.values())
        assert list(neutral.arrays) == [f"p{n}" for n in range(len(step.kernel.arrays))]


def test_errors_say_what_where_expected_and_given(executable: Executable, program: Program) -> None:
    x, target = data(4)
    good = {"x": x, "target": target, **buffers(program, 4), **initial_states(program)}
    with pytest.raises(TypeError, match=r"train: param 'x' \(f32\[B, 20\]\): expected float32, given float64"):
        executable.run({**good, "x": x.astype(np.float64)}, {"B": 4})
    with pytest.raises(ValueError, match=r"'x'.*expected shape \(4, 20\), given \(3, 20\)"):
        executable.run({**good, "x": x[:3]}, {"B": 4})
    with pytest.raises(ValueError, match=r"'x'.*not C-contiguous"):
        executable.run({**good, "x": np.asfortranarray(x)}, {"B": 4})
    with pytest.raises(KeyError, match=r"'target'.*no array is given"):
        executable.run({k: v for k, v in good.items() if k != "target"}, {"B": 4})
    with pytest.raises(KeyError, match="needs the size of 'B'"):
        executable.run(good)
    with pytest.raises(ValueError, match="B must be at least 1"):
        executable.run(good, {"B": 0})
    frozen = initial_states(program)
    frozen["d0/kernel"].flags.writeable = False
    with pytest.raises(ValueError, match=r"'d0/kernel'.*read-only"):
        executable.run({**good, **frozen}, {"B": 4})


def test_errors_of_loops(executable: Executable, program: Program) -> None:
    x, target = data(10)
    fixed = {program.outputs["loss"]: np.zeros((), np.float32), **initial_states(program)}
    sinks = {program.outputs["y"]: np.zeros((10, SIZES[-1]), np.float32)}
    feeds = {"x": x, "target": target}

    def loop(feeds: dict = feeds, sinks: dict = sinks, fixed: dict = fixed, order: np.ndarray | None = None, batch: int = 4):  # type: ignore
        return executable.loop(feeds, sinks, fixed, order, batch)

    with pytest.raises(IndexError, match=r"row numbers must lie between 0 and 9, given 0\.\.10"):
        loop(order=np.arange(11), sinks={program.outputs["y"]: np.zeros((11, SIZES[-1]), np.float32)})
    with pytest.raises(ValueError, match="different numbers of rows"):
        loop(feeds={"x": x, "target": target[:9]})
    with pytest.raises(ValueError, match=r"expected rows of shape \(20,\), given \(19,\)"):
        loop(feeds={"x": x[:, :19].copy(), "target": target})
    with pytest.raises(ValueError, match="has 9 rows for 10"):
        loop(sinks={program.outputs["y"]: np.zeros((9, SIZES[-1]), np.float32)})
    with pytest.raises(ValueError, match="it must be a feed"):
        loop(feeds={"x": x}, fixed={**fixed, "target": target})
    with pytest.raises(KeyError, match="no array is given"):
        loop(fixed=initial_states(program))
    with pytest.raises(TypeError, match="complex128 cannot be cast"):
        loop(feeds={"x": x.astype(complex), "target": target})
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        loop(batch=0)
    with pytest.raises(IndexError, match=r"steps 2\.\.4 of 3"):
        loop().run(2, 3)


def test_foreign_targets_are_refused(program: Program) -> None:
    with pytest.raises(ValueError, match=r"'neon' \(aarch64, 128-bit vectors\) cannot run on this machine"):
        compile_program(program, Target.named("neon"))


def test_unplanned_programs_are_refused(program: Program) -> None:
    from kcompile.common.struct import replace
    with pytest.raises(ValueError, match="has not been planned"):
        compile_program(replace(program, updates={"d0/kernel": "t1"}))


CHILD = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from kcompile.codegen.cache import COUNTERS
from kcompile.codegen.executable import compile_program
from kcompile.codegen.options import CodegenOptions
from tests.machine.programs import training_program
compile_program(training_program(), options=CodegenOptions(cache_dir=Path({cache!r})))
print(COUNTERS.compiled, COUNTERS.loaded, COUNTERS.lowered, COUNTERS.recalled)
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    program = CHILD.format(root=root, cache=str(tmp_path / "cache"))

    def child() -> list[int]:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return [int(n) for n in done.stdout.split()]

    first, second = child(), child()
    assert first[0] > 0 and first[1:] == [0, 1, 0]
    assert second == [0, first[0], 0, 1]


def test_a_step_survives_the_disk(program: Program) -> None:
    code = step_code(program, Target.named("avx512"))
    assert decode(encode(code)) == code


def test_a_dropped_executable_gives_everything_back(program: Program) -> None:
    def make() -> weakref.ref[Executable]:
        executable = compile_program(program, options=CodegenOptions(cache_dir=None))
        by_loop(executable, None, 16, 2)
        return weakref.ref(executable)

    make()
    before = _resident()
    alive = [make() for _ in range(8)]
    gc.collect()
    assert all(a() is None for a in alive)
    assert _resident() - before < 8 << 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
