"""What the tests of ops share: the cases, running a description, tolerances."""

import numpy as np
import pytest

import kcompile.ir.ops  # noqa: F401  (fills OPS)
from kcompile.ir.graph import Graph
from kcompile.ir.interpret import evaluate_kernel
from kcompile.ir.op import OPS, Op, OpaqueKernel, Sample
from kcompile.ir.sampling import bound_attrs, bound_type
from kcompile.ir.types import TensorType, f16, f32, f64

RTOL = {"f16": 2e-3, "bf16": 1.6e-2, "f32": 2e-5, "f64": 1e-12}


def case_name(op: Op, sample: Sample, number: int) -> str:
    texts = ",".join(str(t).replace(" ", "") for t in sample.inputs)
    return f"{op.name}-{number}-{sample.name or texts}".replace(" ", "_")


def cases(keep=lambda op, sample: True):
    """pytest parameters (op, sample) for every sample of every op that `keep` accepts."""
    return [pytest.param(op, sample, id=case_name(op, sample, n))
            for op in OPS.values() for n, sample in enumerate(op.samples) if keep(op, sample)]


def results_of(op: Op, operands, sample: Sample, symbols) -> tuple[np.ndarray, ...]:
    result = op.reference(*operands, **bound_attrs(sample.attrs, symbols))
    return result if isinstance(result, tuple) else (result,)


def output_types(op: Op, sample: Sample) -> tuple[TensorType, ...]:
    return tuple(op.infer(sample.inputs, sample.attrs))


def run_description(op: Op, operands, sample: Sample, symbols) -> list[np.ndarray]:
    """Evaluate the op's kernels into arrays full of junk, so that an element left out is seen."""
    assert not isinstance(op.kernel, OpaqueKernel)
    outputs = output_types(op, sample)
    kernels = op.kernel(sample.inputs, outputs, sample.attrs)
    arrays = {f"in{n}": a for n, a in enumerate(operands)}
    for kernel in kernels:
        for name, declared in kernel.arrays.items():
            if name not in arrays:
                type = bound_type(declared, symbols)
                arrays[name] = np.full(type.shape, 77, type.dtype.numpy)
    for n, declared in enumerate(outputs):
        arrays.setdefault(f"out{n}", np.full(bound_type(declared, symbols).shape, 77, declared.dtype.numpy))
    for kernel in kernels:
        evaluate_kernel(kernel, arrays, symbols)
    return [arrays[f"out{n}"] for n in range(len(outputs))]


def assert_near(found: np.ndarray, expected: np.ndarray, what: str = "") -> None:
    """Equal for integers and truth values; within the type's rounding for floats."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    name = {np.dtype(np.float16): "f16", np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}.get(expected.dtype, "bf16")
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(found, expected, what)
        return
    wide = expected.astype(np.float64)
    scale = np.nanmax(np.abs(np.where(np.isfinite(wide), wide, 0)), initial=1e-3)
    np.testing.assert_allclose(found.astype(np.float64), wide, RTOL[name], RTOL[name] * scale, err_msg=what)


def to_f64(sample: Sample) -> Sample | None:
    """The sample in float64, or None if it holds 16-bit floats or no float at all."""
    from kcompile.ir.sampling import with_dtype
    dtypes = {t.dtype for t in sample.inputs}
    if f16 in dtypes or any(d.name == "bf16" for d in dtypes) or not any(d in (f32, f64) for d in dtypes):
        return None
    return with_dtype(sample, f32, f64)


def new_graph(sample: Sample, op: Op):
    """A graph with the sample's operands as params x0, x1, ... and the op applied to them."""
    from kcompile.ir import build
    graph = Graph(op.name)
    inputs = tuple(build.param(graph, f"x{n}", t) for n, t in enumerate(sample.inputs))
    return graph, inputs, graph.add(op, inputs, sample.attrs)
