"""Calls that go through their trips several times and ask for their share of each pass."""

from __future__ import annotations

import ctypes
from itertools import pairwise

import numpy as np
import pytest

from kcompile.codegen.claimed import each_pass
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.runtime.layout import CLAIMS_BEFORE, PASS_SUMS, PASS_WORDS
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_claimed import PACKS, WAITS
from .test_native import inputs

ODD = parse_kernel("""
kernel gradient
  axes u:3, v:3, c:20, o:40, n:B, y:14, x:14
  read t: f32[B, 16, 16, 20], d: f32[B, 14, 14, 40]
  write dw: f32[3, 3, 20, 40]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""".lstrip())
DENSE = parse_kernel("""
kernel gradient
  axes i:784, o:512, n:B
  read t: f32[B, 784], d: f32[B, 512]
  write dw: f32[784, 512]
  reduce s[i, o] = add over n of t[n, i] * d[n, o]
  store dw[i, o] = s
""".lstrip())


def planned(kernel: Kernel, target: Target) -> Nest:
    return plan(lower(kernel), replace(target, cores=2))


@pytest.mark.parametrize("target", ["avx512", "avx2"])
def test_sums_that_wait_can_be_taken_over(target: str) -> None:
    """But not where something else is in a thread's memory, or nothing is gone through again."""
    assert each_pass(planned(WAITS, Target.named(target)))
    assert not any(each_pass(planned(kernel, Target.named(target))) for kernel in (PACKS, DENSE))


@pytest.mark.parametrize("kernel", [WAITS, ODD], ids=["images", "parts of an image"])
@pytest.mark.parametrize("batch", [1, 2, 9, 24])
def test_same_bits_whoever_makes_a_pass(kernel: Kernel, batch: int) -> None:
    """One thread after the other would not do, as all passes of a trip follow one another: each call here makes one pass of all trips, of
    which others have made those before, in memory that all share."""
    target = Target.host()
    if target.vector_bytes < 16:
        pytest.skip("no sum waits in code without vectors")
    nest = planned(kernel, target)
    assert each_pass(nest)
    native, trips = Native(nest), nest.trips.evaluate({"B": batch})
    arrays = inputs(kernel, {"B": batch})
    wanted, found = ({**arrays, "dw": np.full(kernel.arrays["dw"].shape, 7, "float32")} for _ in range(2))
    native.run(wanted, {"B": batch})
    args, dims = native.tables(found, {"B": batch})
    (dtype, size), = nest.scratch.values()
    sums = np.full(size + 64, np.nan, dtype.numpy)
    asked, upon, part = 0, 0, (0, 0)

    @ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
    def share(told: int) -> int:
        nonlocal asked
        asked += 1
        return part[1] << 32 | part[0] if asked - 1 == upon else 0

    words = (ctypes.c_void_p * PASS_WORDS)()
    words[0], words[PASS_SUMS] = ctypes.cast(share, ctypes.c_void_p).value, sums.ctypes.data
    ctypes.c_void_p.from_address(ctypes.addressof(args) - 8 * CLAIMS_BEFORE).value = ctypes.addressof(words)
    passes = 1
    while upon < passes:
        cuts = sorted({0, trips, trips * (upon % 4 + 1) // 6, trips * (upon % 3 + 1) // 4})
        for piece in list(pairwise(cuts))[::-1]:
            part, asked = piece, 0
            native.call(ctypes.addressof(args), ctypes.addressof(dims), 0, trips)
            passes = asked
        upon += 1
    assert passes > 1 or batch == 1
    np.testing.assert_array_equal(found["dw"], wanted["dw"])
