"""Every op: native code made of its description alone against the reference, for batches around a vector's width."""

import ctypes

import numpy as np
import pytest
from op_cases import assert_near, cases, output_types, results_of

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.op import OpaqueKernel
from kcompile.ir.sampling import BATCHES, bound_type, sample_operands

TARGET = Target.host()


def compiled(kernels):
    """The nests of some kernels, and the code that holds them as kernel0, kernel1, ..."""
    nests = [plan(lower(kernel), TARGET) for kernel in kernels]
    objects = [object_code(emit(nest, TARGET, f"kernel{n}"), TARGET, f"module{n}") for n, nest in enumerate(nests)]
    return nests, Loaded(objects, [f"kernel{n}" for n in range(len(nests))])


def call(nest, address, arrays, symbols, shares):
    """One kernel, its trips cut into shares as threads would."""
    args = (ctypes.c_void_p * max(1, len(nest.arrays)))(*(arrays[name].ctypes.data for name in nest.arrays))
    dims = (ctypes.c_int64 * max(1, len(nest.symbols)))(*(symbols[name] for name in nest.symbols))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    trips = nest.trips.evaluate(symbols)
    for share in range(shares):
        function(ctypes.addressof(args), ctypes.addressof(dims), trips * share // shares, trips * (share + 1) // shares)


@pytest.mark.parametrize(("op", "sample"), cases(lambda op, sample: not isinstance(op.kernel, OpaqueKernel)))
def test_native(op, sample):
    outputs = output_types(op, sample)
    kernels = op.kernel(sample.inputs, outputs, sample.attrs)
    nests, code = compiled(kernels)
    for batch in BATCHES:
        symbols = {"B": batch}
        operands = sample_operands(op, sample, symbols)
        expected = results_of(op, operands, sample, symbols)
        bits = []
        for shares in (1, 3):
            arrays = {f"in{n}": np.ascontiguousarray(a) for n, a in enumerate(operands)}
            for kernel in kernels:
                for name, declared in kernel.arrays.items():
                    type = bound_type(declared, symbols)
                    arrays.setdefault(name, np.full(type.shape, 77, type.dtype.numpy))
            for n, nest in enumerate(nests):
                call(nest, code.addresses[f"kernel{n}"], arrays, symbols, shares)
            for n, array in enumerate(expected):
                assert_near(arrays[f"out{n}"], array, f"B = {batch}")
            bits.append([arrays[f"out{n}"].tobytes() for n in range(len(expected))])
        assert bits[0] == bits[1], "threads change bits"
    code.close()
