"""Kernels that ask for what their thread will do next compute the same bits, whether they are told what that is or not."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Errand, statements
from kcompile.codegen.runtime.layout import ERRAND_END, ERRAND_LIST, ERRAND_NEXT, ERRAND_PLACE, ERRAND_WORDS
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace

from .harness import Native, run_native
from .test_native import KERNELS, inputs

TARGET = Target.named("avx512")
ASKING = [name for name, kernel in KERNELS.items()
          if any(isinstance(s, Errand) for s in statements(plan(replace(lower(kernel), along=True), TARGET).body))]


def test_kernels_that_sum_ask() -> None:
    assert "conv" in ASKING and "chain" not in ASKING
    assert "dense" not in ASKING, "whose tiles hold rows of several samples: it never goes through them with others"
    assert not any(isinstance(s, Errand) for s in statements(plan(replace(lower(KERNELS["conv"]), along=True), Target.named("avx2")).body))


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("told", [False, True])
def test_the_same_bits(name: str, told: bool) -> None:
    kernel = KERNELS[name]
    asking, silent = (Native(plan(replace(lower(kernel), along=along), TARGET), TARGET) for along in (True, False))
    given = inputs(kernel, {"B": 9})
    place = Told() if told else None
    if place:
        asking.tables = place.tables(asking)  # type: ignore[method-assign]
    got, want = (run_native(compiled, given, {"B": 9}) for compiled in (asking, silent))
    for array in kernel.writes:
        assert got[array].tobytes() == want[array].tobytes()
    if place:
        begin, end = place.memory.ctypes.data, place.memory.ctypes.data + place.memory.nbytes
        assert begin < place.words[ERRAND_PLACE] and place.words[ERRAND_PLACE] % 64 == begin % 64, "nothing was asked for"
        assert place.words[ERRAND_END] in (begin + 640, end), "in neither of the stretches"


class Told:
    """A thread's errands: ten lines of some memory, and then the rest of it, which is more than any kernel here asks for."""

    def __init__(self) -> None:
        self.memory = np.zeros(1 << 24, np.uint8)
        self.words = np.zeros(ERRAND_WORDS, np.int64)
        begin = self.memory.ctypes.data
        first, second = (begin, begin + 640), (begin + 640, begin + self.memory.nbytes)
        self.words[ERRAND_LIST:ERRAND_LIST + 2] = second
        self.words[[ERRAND_PLACE, ERRAND_END, ERRAND_NEXT]] = *first, self.words[ERRAND_LIST:].ctypes.data

    def tables(self, compiled: Native):  # type: ignore[no-untyped-def]
        usual = compiled.tables

        def tables(arrays, symbols):  # type: ignore[no-untyped-def]
            args, dims = usual(arrays, symbols)
            ctypes.c_void_p.from_address(ctypes.addressof(args) - 8).value = self.words.ctypes.data
            return args, dims
        return tables
