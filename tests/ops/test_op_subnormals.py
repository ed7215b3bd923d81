"""What each op's text says of subnormal numbers, against what its native code does with them."""

import json

import numpy as np
import pytest
from op_cases import new_graph, results_of

from kcompile.codegen.executable import compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.ir.op import OPS, OpaqueKernel
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.sampling import bound_type, sample_operands
from kcompile.ir.subnormals import FLUSHED
from kcompile.ir.types import f32

TINY = np.float32(1e-40)
SYMBOLS = {"B": 5}


def example(op):
    """The first sample with an f32 operand."""
    return next((s for s in op.samples if any(t.dtype is f32 for t in s.inputs)), None)


CASES = [op for op in OPS.values() if example(op) is not None and (not isinstance(op.kernel, OpaqueKernel) or op.kernel.view)]


def is_subnormal(array):
    return (array != 0) & (np.abs(array) < np.finfo(np.float32).tiny)


@pytest.mark.parametrize("op", CASES, ids=lambda op: op.name)
def test_the_text_is_true_of_native_code(op):
    sample = example(op)
    operands = [np.full_like(a, TINY) if a.dtype == np.float32 else a for a in sample_operands(op, sample, SYMBOLS)]
    graph, _, values = new_graph(sample, op)
    graph.outputs.update({f"y{n}": value for n, value in enumerate(values)})
    program = plan(fuse(describe(graph)))
    arrays = {f"x{n}": np.array(a, order="C") for n, a in enumerate(operands)}
    for name in program.outputs.values():
        type = bound_type(program.buffers[name].type, SYMBOLS)
        arrays[name] = np.full(type.shape, 77, type.dtype.numpy)
    compile_program(program, options=CodegenOptions(cache_dir=None)).run(arrays, SYMBOLS, 1)
    with np.errstate(all="ignore"):
        wanted = results_of(op, operands, sample, SYMBOLS)
    for n, reference in enumerate(wanted):
        found = arrays[program.outputs[f"y{n}"]]
        if FLUSHED not in op.text:
            assert found.tobytes() == reference.astype(found.dtype).tobytes()
        elif reference.dtype == np.float32:
            small = is_subnormal(reference)
            assert ((found[small] == 0) | (found[small] == reference[small])).all()


def test_every_family_says_it():
    """Sums, products and windows as well as what goes element by element; what only moves elements says nothing."""
    flushing = {op.name for op in CASES if FLUSHED in op.text}
    assert {"add", "reduce_sum", "cumsum", "dot", "conv", "conv_input_grad", "conv_filter_grad", "window_sum", "scatter_add"} <= flushing
    assert not flushing & {"neg", "abs", "select", "reshape", "transpose", "broadcast", "slice", "pad", "concat", "reverse", "take"}


def test_listing_says_it():
    from kcompile.inspection import listing
    lines = {line.split()[0]: line for line in listing("ops").splitlines() if line}
    assert lines["conv"].endswith(". *") and not lines["transpose"].endswith("*") and lines["*"] == f"*{FLUSHED}"
    said = json.loads(listing("ops", as_json=True))
    assert said["conv"].endswith(FLUSHED) and "subnormal" not in said["transpose"]
