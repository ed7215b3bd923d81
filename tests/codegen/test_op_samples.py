"""Every kernel of every sample, alone, in memory fenced by pages that may not be touched, against its description.

Programs, threads and the op's own reference are judged by tests/ops/test_op_native.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import kcompile.ir.ops  # noqa: F401  (fills OPS)
from kcompile.ir.interpret import evaluate_kernel
from kcompile.ir.kernel import Kernel
from kcompile.ir.op import OPS, Op, OpaqueKernel, Sample
from kcompile.ir.sampling import BATCHES, bound_type, sample_operands

from .harness import native, run_native

Array = npt.NDArray[Any]
RELATIVE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-5, "float64": 1e-12}


def _cases() -> list[Any]:
    return [pytest.param(op, sample, id=f"{op.name}-{n}")
            for op in OPS.values() if not isinstance(op.kernel, OpaqueKernel) for n, sample in enumerate(op.samples)]


def _kernels(op: Op, sample: Sample) -> list[Kernel]:
    assert not isinstance(op.kernel, OpaqueKernel)
    return list(op.kernel(sample.inputs, tuple(op.infer(sample.inputs, sample.attrs)), sample.attrs))


@pytest.mark.parametrize(("op", "sample"), _cases())
def test_native_agrees(op: Op, sample: Sample) -> None:
    kernels = _kernels(op, sample)
    symbolic = any(t.symbols for t in sample.inputs) or any(t.symbols for k in kernels for t in k.arrays.values())
    compiled = [native(k) for k in kernels]
    for batch in BATCHES if symbolic else (1,):
        symbols = {"B": batch}
        memory: dict[str, Array] = {f"in{n}": a for n, a in enumerate(sample_operands(op, sample, symbols))}
        for kernel in kernels:
            for name, kind in kernel.arrays.items():
                if name not in memory:
                    memory[name] = np.full(bound_type(kind, symbols).shape, 77, kind.dtype.numpy)
        for kernel, code in zip(kernels, compiled, strict=True):
            want = {n: np.array(memory[n], order="C") for n in kernel.arrays}
            evaluate_kernel(kernel, want, symbols)
            got = run_native(code, {n: np.array(memory[n], order="C") for n in kernel.arrays}, symbols, shares=2)
            for name in kernel.writes:
                _assert_near(got[name], want[name], f"{kernel.name}: {name}, B={batch}")
            memory.update(want)


def _assert_near(got: Array, want: Array, what: str) -> None:
    if want.dtype.kind in "iub":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    wide = want.astype(np.float64)
    scale = float(np.abs(np.where(np.isfinite(wide), wide, 0)).max(initial=1e-3))
    relative = RELATIVE[want.dtype.name]
    np.testing.assert_allclose(got.astype(np.float64), wide, rtol=relative, atol=relative * scale, err_msg=what)
