"""Calls that pack an operand and then claim pieces of their trips."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from kcompile.codegen.claimed import claimed_inside
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.runs import trips_worth_a_call
from kcompile.codegen.runtime.layout import CLAIMS_BEFORE
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Array, Native
from .test_native import inputs

PACKS = parse_kernel("""
kernel convolution
  axes n:B, y:10, x:10, o:36, u:3, v:3, c:36
  read t: f32[B, 12, 12, 36], w: f32[3, 3, 36, 36]
  write z: f32[B, 10, 10, 36]
  reduce s[n, y, x, o] = add over u, v, c of t[n, y + u, x + v, c] * w[u, v, c, o]
  store z[n, y, x, o] = s
""".lstrip())
WAITS = parse_kernel("""
kernel gradient
  axes u:3, v:3, c:32, o:64, n:B, y:11, x:11
  read t: f32[B, 13, 13, 32], d: f32[B, 11, 11, 64]
  write dw: f32[3, 3, 32, 64]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""".lstrip())


@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_sums_that_wait_are_not_claimed(target: str) -> None:
    """They are in the memory of the thread that has begun them."""
    nest = plan(lower(WAITS), Target.named(target))
    assert "sums.s" in nest.scratch
    assert not claimed_inside(nest) and not trips_worth_a_call(nest)


def planned_here(kernel: Kernel) -> Nest:
    """Its nest for this processor, which claims inside of a call."""
    target = Target.host()
    if target.vector_bytes < 32:
        pytest.skip("for vectors of less than 32 bytes these kernels are not known to pack anything")
    nest = plan(lower(kernel), target)
    assert claimed_inside(nest)
    return nest


def call_claiming(native: Native, arrays: Mapping[str, Array], symbols: Mapping[str, int], more: Any) -> None:
    """Call it as the runtime does where trips are claimed: `more`, of which ctypes has made a C function, gives the next piece."""
    args, dims = native.tables(arrays, symbols)
    words = (ctypes.c_void_p * 1)(ctypes.cast(more, ctypes.c_void_p).value)
    ctypes.c_void_p.from_address(ctypes.addressof(args) - 8 * CLAIMS_BEFORE).value = ctypes.addressof(words)
    native.call(ctypes.addressof(args), ctypes.addressof(dims), 0, 1)


@pytest.mark.parametrize("parts", [[(0, 40)], [(37, 40), (0, 2), (2, 37)], [(5, 6), (6, 9)], []])
def test_a_call_takes_pieces_until_there_is_none(parts: list[tuple[int, int]]) -> None:
    """And makes these, nothing else, whatever its own share is."""
    nest = planned_here(PACKS)
    trips, native = nest.trips.evaluate({"B": 8}), Native(nest)
    pieces = [(trips * lo // 40, trips * hi // 40) for lo, hi in parts]
    arrays = inputs(PACKS, {"B": 8}) | {"z": np.full((8, 10, 10, 36), 7, "float32")}
    wanted = {**arrays, "z": arrays["z"].copy()}
    args, dims = native.tables(wanted, {"B": 8})
    for lo, hi in pieces:
        native.call(ctypes.addressof(args), ctypes.addressof(dims), lo, hi)
    left = list(pieces)

    @ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
    def more(told: int) -> int:
        lo, hi = left.pop(0) if left else (0, 0)
        return hi << 32 | lo

    call_claiming(native, arrays, {"B": 8}, more)
    np.testing.assert_array_equal(arrays["z"], wanted["z"])
    assert not left and (wanted["z"] != 7).any() == bool(pieces)


def test_a_thread_makes_other_trips_each_time() -> None:
    """A call that comes to its trips several times, each time after it has packed something else: whose they are differs each time."""
    kernel = parse_kernel("""
kernel dense
  axes n:300, o:300, c:512
  read t: f32[300, 512], w: f32[300, 512]
  write z: f32[300, 300]
  reduce s[n, o] = add over c of t[n, c] * w[o, c]
  store z[n, o] = s
""".lstrip())
    nest = planned_here(kernel)
    native, trips, threads = Native(nest), nest.trips.evaluate({}), 3
    arrays = inputs(kernel, {})
    wanted, found = ({**arrays, "z": np.full((300, 300), 7, "float32")} for _ in range(2))
    native.run(wanted, {})

    def pieces(thread: int, time: int) -> list[tuple[int, int]]:
        """Of all pieces of that time those of one thread; the last thread comes first, and none has two that follow one another."""
        cuts = sorted({0, trips, *((trips * n + time) // 7 for n in range(1, 7))})
        return [piece for n, piece in enumerate(pairwise(cuts)) if (n + time) % threads == thread][::-1]

    times = set()
    for thread in reversed(range(threads)):
        time, left = 0, pieces(thread, 0)

        @ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
        def more(told: int, thread: int = thread) -> int:
            nonlocal time, left
            if left:
                lo, hi = left.pop(0)
                return hi << 32 | lo
            time += 1
            left = pieces(thread, time)
            return 0

        call_claiming(native, found, {}, more)
        times.add(time)
    assert len(times) == 1 and times.pop() > 1
    np.testing.assert_array_equal(found["z"], wanted["z"])
