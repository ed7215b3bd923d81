"""Compiles and runs one kernel natively, in memory fenced by pages that may not be touched."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.codegen.tuning import argument_table
from kcompile.ir.kernel import Kernel
from kcompile.ir.scalar import SCALAR_OPS, Aff, Apply, AxisValue, Const, Expr
from kcompile.ir.types import evaluate_dim

Array = npt.NDArray[Any]
PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Native:
    """One compiled nest. `run(arrays, symbols, shares)` calls it once for each share of its trips."""

    def __init__(self, nest: Nest, target: Target | None = None, text: str = "") -> None:
        target = target or Target.host()
        self.nest = nest
        self.text = text or emit(nest, target, "kernel")
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        module = llvm.parse_assembly(self.text)
        module.verify()
        host = Target.host()
        self.machine = llvm.Target.from_triple(host.triple).create_target_machine(cpu=host.cpu, features=host.features, opt=1)
        self.engine = llvm.create_mcjit_compiler(module, self.machine)
        self.engine.finalize_object()
        self.module = module
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
            self.engine.get_function_address("kernel"))

    def tables(self, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> tuple[Any, Any]:
        args = argument_table([arrays[a].ctypes.data for a in self.nest.arrays])
        dims = (ctypes.c_int64 * max(1, len(self.nest.symbols)))(*(symbols[s] for s in self.nest.symbols))
        return args, dims

    def run(self, arrays: Mapping[str, Array], symbols: Mapping[str, int], shares: int = 1) -> None:
        args, dims = self.tables(arrays, symbols)
        trips = self.nest.trips.evaluate(symbols)
        cuts = [trips * n // shares for n in range(shares + 1)]
        for lo, hi in pairwise(cuts):
            self.call(ctypes.addressof(args), ctypes.addressof(dims), lo, hi)


def fenced(array: Array, before: bool = False) -> Array:
    """A copy that ends where (or, with `before`, begins behind where) memory may not be touched. The memory goes when the array does: a
    process has no more than some ten thousand such stretches."""
    size = array.nbytes
    pages = -(-max(size, 1) // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert _libc.mprotect(start, PAGE, 0) == 0 and _libc.mprotect(start + (pages + 1) * PAGE, PAGE, 0) == 0
    offset = PAGE if before else PAGE + pages * PAGE - size
    out = np.frombuffer(memory, dtype=array.dtype, count=array.size, offset=offset).reshape(array.shape)
    out[...] = array
    return out


def native(kernel: Kernel, target: Target | None = None) -> Native:
    return Native(plan(lower(kernel), target or Target.host()), target)


def run_native(compiled: Native, arrays: Mapping[str, Array], symbols: Mapping[str, int], shares: int = 1,
               before: bool = False) -> dict[str, Array]:
    """Runs on fenced copies; arrays that share storage (in_place) stay shared. Returns every array afterwards."""
    memory: dict[str, Array] = {}
    shared = compiled.nest.in_place
    for name in compiled.nest.arrays:
        if name not in shared:
            memory[name] = fenced(arrays[name], before)
    for name, other in shared.items():
        memory[name] = memory[other]
    compiled.run(memory, symbols, shares)
    return {name: value.copy() for name, value in memory.items()}


def zeros(kernel: Kernel, name: str, symbols: Mapping[str, int]) -> Array:
    array = kernel.arrays[name]
    return np.zeros(tuple(evaluate_dim(d, symbols) for d in array.shape), array.dtype.numpy)


def index_value(e: Expr, value: Callable[[Aff], int]) -> int:
    """What an index let is; `value` gives that of an affine index."""
    if isinstance(e, AxisValue):
        return value(e.index)
    if isinstance(e, Const):
        return int(e.value)
    assert isinstance(e, Apply)
    return int(SCALAR_OPS[e.fn].reference(*(np.int64(index_value(a, value)) for a in e.args)))
