"""Calls that pack an operand and then claim pieces of their trips."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kcompile.codegen.claimed import claimed_inside
from kcompile.codegen.lower import lower
from kcompile.codegen.runs import trips_worth_a_call
from kcompile.codegen.runtime.layout import CLAIMS_BEFORE
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
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


@pytest.mark.parametrize("parts", [[(0, 40)], [(37, 40), (0, 2), (2, 37)], [(5, 6), (6, 9)], []])
def test_a_call_takes_pieces_until_there_is_none(parts: list[tuple[int, int]]) -> None:
    """And makes these, nothing else, whatever its own share is."""
    nest = plan(lower(PACKS), Target.host())
    if not claimed_inside(nest):
        pytest.skip("nothing is packed for the vectors of this processor")
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

    args, dims = native.tables(arrays, {"B": 8})
    words = (ctypes.c_void_p * 1)(ctypes.cast(more, ctypes.c_void_p).value)
    ctypes.c_void_p.from_address(ctypes.addressof(args) - 8 * CLAIMS_BEFORE).value = ctypes.addressof(words)
    native.call(ctypes.addressof(args), ctypes.addressof(dims), 0, 1)
    np.testing.assert_array_equal(arrays["z"], wanted["z"])
    assert not left and (wanted["z"] != 7).any() == bool(pieces)
