"""Rows that are read where the caller has them, through a table of addresses: the same bits as of rows that lie one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.codegen.emit import HiddenRow
from kcompile.codegen.emit.indices import Indices
from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime import layout
from kcompile.codegen.step_cache import decode, encode
from kcompile.codegen.step_text import step_code
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.passes import row_tables
from kcompile.ir.program import Program
from kcompile.ir.scalar import Aff

from .programs import initial_states, training_program

ROWS, SIZES = 103, (300, 48, 10)
OPTIONS = CodegenOptions(cache_dir=None, single_thread_below=0)


@pytest.fixture(scope="module")
def program() -> Program:
    return training_program(SIZES)


@pytest.fixture(scope="module")
def executable(program: Program) -> Executable:
    return compile_program(program, options=OPTIONS)


@pytest.fixture(scope="module")
def gathering() -> Executable:
    """The same step, whose rows are gathered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_tables, "LEAST_ROW", 1 << 20)
        return compile_program(training_program(SIZES), options=OPTIONS)


def data(dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.random((ROWS, SIZES[0])) < 0.05 if dtype is np.uint8 else rng.normal(size=(ROWS, SIZES[0])) * 0.1
    return x.astype(dtype), rng.normal(size=(ROWS, SIZES[-1])).astype(np.float32)


def trained(executable: Executable, order: np.ndarray | None, dtype: Any, batch: int, threads: int) -> list[np.ndarray]:
    """What a loop over the rows leaves: results and weights."""
    x, target = data(dtype)
    program, rows = executable.program, ROWS if order is None else len(order)
    y, loss, states = np.zeros((rows, SIZES[-1]), np.float32), np.zeros((), np.float32), initial_states(executable.program)
    fixed = {program.outputs["loss"]: loss, **states}
    loop = executable.loop({"x": x, "target": target}, {program.outputs["y"]: y}, fixed, order, batch, threads)
    done = 0
    while done < loop.steps:
        done += loop.run(done, loop.steps - done)
    return [y, loss, *states.values()]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    assert all(np.isfinite(x).all() for x in a)
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_table_is_for_what_is_multiplied(executable: Executable, gathering: Executable) -> None:
    assert executable.code.rows == {"x": 4 * SIZES[0]}
    assert gathering.code.rows == {}
    assert not compile_program(training_program((20, 48, 10)), options=OPTIONS).code.rows, "short rows"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 5, 16, 103, 200])
def test_a_loop_has_the_bits_of_one_that_gathers(executable: Executable, gathering: Executable, dtype: Any, threads: int,
                                                  batch: int) -> None:
    """Shuffled rows and rows in their order, whole batches and a last one; rows that are cast are gathered and read through a table."""
    for order in (None, np.random.default_rng(3).permutation(ROWS), np.random.default_rng(4).integers(0, ROWS, 70)):
        assert same(trained(executable, order, dtype, batch, threads), trained(gathering, order, dtype, batch, threads))


@pytest.mark.parametrize("columns, units, target", [(1000, 10, "host"), (777, 5, "host"), (520, 3, "avx512"),
                                                      (300, 3, "avx2,multiply_adds=1")])
def test_the_last_panel_of_a_filters_gradient_may_step_back_in_a_row(columns: int, units: int, target: str,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of a layer that is used twice: its places in a row begin before the last panel."""
    if target != "host" and Target.named(target).vector_bytes > Target.host().vector_bytes:
        pytest.skip("no such vectors here")
    monkeypatch.setenv("KCOMPILE_TARGET", target)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(50, columns)).astype("float32") for _ in range(2)]
    y, found = rng.normal(size=(50, units)).astype("float32"), []
    for least in (row_tables.LEAST_ROW, 1 << 20):
        monkeypatch.setattr(row_tables, "LEAST_ROW", least)
        keras.utils.set_random_seed(0)
        inputs, dense = [keras.Input((columns,)) for _ in x], keras.layers.Dense(units)
        model = keras.Model(inputs, keras.layers.Add()([dense(one) for one in inputs]))
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        found.append([np.asarray(weight) for weight in model.get_weights()])
    assert same(*found)


def test_rows_of_the_right_dtype_are_not_copied(executable: Executable) -> None:
    x, target = data()
    y = np.zeros((ROWS, SIZES[-1]), np.float32)
    fixed = {executable.program.outputs["loss"]: np.zeros((), np.float32), **initial_states(executable.program)}
    order = np.random.default_rng(5).permutation(ROWS)
    loop = executable.loop({"x": x, "target": target}, {executable.program.outputs["y"]: y}, fixed, order, 16)
    assert loop._feed_table[0, layout.FEED_FUNCTION] == executable.pool.rows_entry
    assert loop._feed_table[1, layout.FEED_FUNCTION] == executable.pool.copy_entry
    loop.run(0, 1)
    tables = loop._staging[0].view(np.int64)
    assert list(tables[:16]) == [x[row].ctypes.data for row in order[:16]]


def test_a_loop_moves_to_other_sources(executable: Executable) -> None:
    x, target = data()
    loss = executable.program.outputs["loss"]
    found = []
    for parts in ([slice(0, 96)], [slice(0, 48), slice(48, 96)]):
        states, y = initial_states(executable.program), np.zeros((parts[0].stop, SIZES[-1]), np.float32)
        room = {"x": np.empty((len(y), SIZES[0]), np.float32), "target": np.empty((len(y), SIZES[-1]), np.float32)}
        loop = executable.loop(room, {executable.program.outputs["y"]: y}, {loss: np.zeros((), np.float32), **states}, None, 16)
        for part in parts:
            loop.move_to({"x": x[part].copy(), "target": target[part].copy()})
            done = 0
            while done < loop.steps:
                done += loop.run(done, loop.steps - done)
        found.append(list(states.values()))
    assert same(*found)


def test_single_steps_make_their_tables(executable: Executable, gathering: Executable) -> None:
    """`run` on other arrays and other numbers of rows, and a prepared step to which each call gives its rows."""
    x, target = data()
    results = []
    for one in (executable, gathering):
        states, loss = initial_states(one.program), np.zeros((), np.float32)
        y = one.program.outputs["y"]
        for rows in (range(16), range(16, 32), range(40, 47)):
            out = np.zeros((len(rows), SIZES[-1]), np.float32)
            one.run({"x": x[rows], "target": target[rows], y: out, one.program.outputs["loss"]: loss, **states}, {"B": len(rows)})
        out = np.zeros((8, SIZES[-1]), np.float32)
        arrays = {"x": x[:8], "target": target[:8], y: out, one.program.outputs["loss"]: loss, **states}
        prepared = one.prepare(arrays, ("x", "target"), {"B": 8})
        for first in (50, 60, 70):
            prepared.run(x[first:first + 8], target[first:first + 8])
        one.prepare(arrays, (), {"B": 8}).run()
        results.append([out, loss, *states.values()])
    assert same(*results)


@pytest.mark.parametrize("target", ["avx512", "avx2", "neon", "scalar"])
def test_every_target_has_code(program: Program, target: str) -> None:
    code = step_code(program, Target.named(target))
    assert code.rows == {"x": 4 * SIZES[0]}
    assert decode(encode(code)) == code


@pytest.mark.parametrize("loops", ["of every kernel", "of the last one"])
def test_rows_that_a_schedule_hides_are_gathered(loops: str, gathering: Executable, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if an index of one of the kernels told no row; of the param all kernels are told, of others none."""
    told = Indices.row_and_place

    def hides(self: Indices, array: str, aff: Aff) -> tuple[Aff, Aff]:
        if loops == "of every kernel" or self.nest.in_place:  # the weight's update
            raise HiddenRow(self.nest.name, array, aff)
        return told(self, array, aff)

    monkeypatch.setattr(Indices, "row_and_place", hides)
    hidden = compile_program(training_program(SIZES), options=OPTIONS)
    assert hidden.code.rows == {} and hidden.program.buffers["x"].why.endswith("no index tells them from columns")
    order = np.random.default_rng(3).permutation(ROWS)
    assert same(trained(hidden, order, np.float32, 16, 2), trained(gathering, order, np.float32, 16, 2))


def test_a_param_is_read_row_by_row_by_all_kernels_or_none(program: Program) -> None:
    first = next(n for n, step in enumerate(program.steps) if step.kernel.by_row)
    steps = list(program.steps)
    steps[first] = replace(steps[first], kernel=replace(steps[first].kernel, by_row=()))
    with pytest.raises(ValueError, match="reads x as a whole, others row by row"):
        step_code(replace(program, steps=tuple(steps)), Target.named("avx512"))
    buffers = {**program.buffers, "x": replace(program.buffers["x"], kind="temp")}
    with pytest.raises(ValueError, match="temp x is no param"):
        step_code(replace(program, buffers=buffers), Target.named("avx512"))
