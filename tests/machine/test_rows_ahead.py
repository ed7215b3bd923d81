"""Shuffled rows are asked for a step before they are gathered: only of steps that there are, and only where they stay in the cache."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np
import pytest

from kcompile.codegen import loop as loop_module
from kcompile.codegen.runtime import layout

from .test_executable import ROWS, Executable, buffers, by_loop, by_single_steps, data, executable, initial_states, program, same

__all__ = ["executable", "program"]  # fixtures


def at_the_end_of_memory(order: np.ndarray) -> np.ndarray:
    """The same numbers where reading on is a fault."""
    page = mmap.PAGESIZE
    block = mmap.mmap(-1, 2 * page)
    behind = ctypes.addressof(ctypes.c_char.from_buffer(block)) + page
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(behind), ctypes.c_size_t(page), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    array = np.frombuffer(block, np.int64, len(order), page - order.nbytes)
    array[:] = order
    return array


@pytest.mark.parametrize("rows", [96, 90, 16, 5])
def test_no_row_number_is_read_behind_the_last(executable: Executable, rows: int) -> None:
    order = np.random.default_rng(5).permutation(ROWS)[:rows]
    for threads in (1, 2):
        assert same(by_loop(executable, at_the_end_of_memory(order), 16, threads), by_single_steps(executable, order, 16, 1))


def asked(executable: Executable, order: np.ndarray | None, x: np.ndarray) -> list[int]:
    """Bytes a row, feed by feed; 0 where rows are not asked for."""
    out, (_, target) = buffers(executable.program, ROWS), data()
    y = executable.program.outputs["y"]
    loop = executable.loop({"x": x, "target": target}, {y: out.pop(y)}, {**out, **initial_states(executable.program)}, order, 16)
    return loop._feed_table[:, layout.FEED_AHEAD].tolist()


def test_rows_that_nobody_foresees_are_asked_for(executable: Executable, monkeypatch: pytest.MonkeyPatch) -> None:
    x, target = data()
    order = np.random.default_rng(6).permutation(ROWS)
    wanted = [x.nbytes // ROWS, target.nbytes // ROWS]
    assert asked(executable, order, x) == wanted
    assert asked(executable, order, x.astype(np.float64)) == [2 * wanted[0], wanted[1]]
    assert asked(executable, None, x.astype(np.float64)) == [0]  # in their own order, as processors foresee
    monkeypatch.setattr(loop_module, "AHEAD_PART", executable.target.l2 // (16 * wanted[0]) + 1)
    assert asked(executable, order, x)[0] == 0  # a batch that would drive others out of the cache
